/**
 * The wait of a call that has nothing to do but to wait: for a time, for a message, for an event.
 *
 * B1 When the wait is over is said once, and recorded with the call: one that is made again, because its flow run was
 *    suspended or its process died, waits no longer than it said at first.
 * B2 A call that is to be done again though it has ended waits anew.
 */
import type { EpochMs, RunId } from '../../protocol/ids.ts';
import type { Answer, RunView } from '../../protocol/messages.ts';
import { mailboxFor } from '../../protocol/proposals.ts';
import type { State } from '../../protocol/states.ts';
import type { Value } from '../../protocol/values.ts';
import type { Wish } from '../client/session.ts';
import type { FlowScope, Waiting } from '../scope.ts';
import type { BuiltIn } from '../task-definition.ts';
import type { TaskWishes } from '../task-start.ts';
import { encodeText, recorded } from '../values.ts';

type WaitParts = {
  readonly flow: FlowScope;
  readonly run: RunId;
  readonly wishes: TaskWishes;
  /** Nobody waits for it any more. */
  readonly isOver: () => boolean;
};

/** As {@link Session.propose}, in the name of the flow run; once that is over, nothing is answered. */
type Propose = (wish: Wish, settle: (answer: Answer) => void) => void;

/** Why an ended call is opened again, where that needs a reason. */
const AGAIN = 'its flow run makes the call again';

export class CallWait {
  readonly #parts: WaitParts;
  readonly #builtIn: BuiltIn;
  #untilMs: EpochMs | undefined;
  /** Until when it waits is being asked: somebody may have said so before. */
  #isOpening = false;

  constructor(parts: WaitParts, builtIn: BuiltIn) {
    this.#parts = parts;
    this.#builtIn = builtIn;
  }

  /** What the flow run may let go of its process for; undefined if it may not. */
  get waiting(): Waiting | undefined {
    const { receives, waits } = this.#builtIn;
    if (waits !== true || this.#isOpening) return undefined;
    const mailbox = receives === undefined ? undefined : mailboxFor(this.#parts.run, receives);
    return {
      ...(mailbox === undefined ? {} : { mailbox }),
      ...(this.#untilMs === undefined ? {} : { untilMs: this.#untilMs }),
    };
  }

  /** The arbiter has said that the call waits: nothing is there for it yet. */
  readonly held = (): void => {
    this.#builtIn.onHeld?.(this.#untilMs);
  };

  /** Resolves when the call may ask to begin; undefined if it may at once. */
  open(propose: Propose): Promise<void> | undefined {
    const { lastsMs } = this.#builtIn;
    if (lastsMs === undefined) return undefined;
    this.#isOpening = true;
    return this.#open(propose, Math.ceil(Date.now() + lastsMs) as EpochMs).finally(() => {
      this.#isOpening = false;
      this.#parts.flow.execution.suspension?.lookAgain();
    });
  }

  async #open(propose: Propose, untilMs: EpochMs): Promise<void> {
    const ask = (wish: Wish): Promise<Answer> =>
      new Promise((resolve) => {
        propose(wish, resolve);
      });
    this.#untilMs = untilMs;
    const answer = await ask(this.#wish(untilMs, { basedOn: 0 }));
    // Any other refusal is met again, and told, when the call asks to begin.
    if (answer.code !== 'STALE') return;
    const { state, version } = answer;
    if (state?.type === 'COMPLETED' || state?.type === 'FAILED') {
      await ask(this.#wish(untilMs, { basedOn: version, reason: AGAIN }));
      return;
    }
    const brokeOff = state?.type === 'CRASHED' || state?.type === 'CANCELLED';
    if (state?.type !== 'SCHEDULED' && !brokeOff) return;
    const { flow, run, isOver } = this.#parts;
    this.#untilMs = (await recordedUntil(flow, run, isOver)) ?? untilMs;
    if (brokeOff) await ask(this.#wish(this.#untilMs, { basedOn: version, reason: AGAIN }));
  }

  /** What waits for a message may begin at once to do so; what sleeps, when it is over. */
  #wish(untilMs: EpochMs, more: { readonly basedOn: number; readonly reason?: string }): Wish {
    const { wishes } = this.#parts;
    const isSleep = this.#builtIn.receives === undefined;
    const to: State = isSleep
      ? { type: 'SCHEDULED', name: 'Sleeping', dueAtMs: untilMs }
      : { type: 'SCHEDULED', name: 'Waiting', dueAtMs: Math.floor(Date.now()) as EpochMs };
    return { ...wishes.open(to, untilMs, untilValue(untilMs)), ...more };
  }
}

/** B1: when the wait of this call is over, by the ledger, which knows the run. */
export async function recordedUntil(flow: FlowScope, run: RunId, isOver: () => boolean): Promise<EpochMs | undefined> {
  let view: RunView | undefined;
  while (view === undefined && !isOver()) view = await flow.client.runView(run).catch(() => undefined);
  const known = (await flow.client.read(view?.parameters)) as { until?: unknown } | undefined;
  return known?.until instanceof Date ? (known.until.getTime() as EpochMs) : undefined;
}

/** Undefined: it has code of the user's, and is at work. */
export const waitOf = (parts: WaitParts, builtIn: BuiltIn | undefined): CallWait | undefined =>
  builtIn === undefined ? undefined : new CallWait(parts, builtIn);

const untilValue = (untilMs: EpochMs): Value =>
  recorded(encodeText({ until: new Date(untilMs) }, 'The time'), 'The time').value;
