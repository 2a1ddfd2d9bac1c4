/**
 * Lets a worker's process go of a flow run that does nothing but wait: the run is proposed to be suspended until the first
 * of its waits is over, and whichever worker is free then goes on with it, from the top, answered from the record. And of
 * one whose worker is to end: that goes on elsewhere at once.
 *
 * S1 It is let go of only while every open call of the whole tree is a pure wait; what a flow's own code does besides is not
 *    seen, and done again.
 * S2 What waits here waits for ever once the suspension is ruled: no code of the user's hears of it.
 * S3 Once the worker is to end, no task begins; the run is let go of when none is at work, and no transaction is open.
 */
import type { EpochMs } from '../../protocol/ids.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { TIMER_MAX_MS } from '../durations.ts';
import type { Answer } from '../../protocol/messages.ts';
import type { State } from '../../protocol/states.ts';
import type { FlowRunPlan } from '../flow-plan.ts';
import { isFence } from '../outcomes.ts';
import { logOfRun } from '../run-logger.ts';
import type { Call, FlowScope, Waiting } from '../scope.ts';

type Paused = Extract<State, { readonly type: 'PAUSED' }>;

/** Somebody asks for it by `suspend()`. */
export type SuspendWish = {
  readonly to: Paused;
  /** It is refused, and will be. */
  readonly refused: (answer: Answer) => void;
};

/** How long the run must have nothing to do but to wait, and how much longer at least, unless it says otherwise. */
const AFTER_MS = 10_000;

/** Nobody says when a proposal is held, so it is looked again whether the run may be released. */
const LOOK_AGAIN_MS = 100;

const RELEASED = 'its worker was told to end';

export class Suspension {
  /** The attempt of the flow run at the top. */
  readonly #scope: FlowScope;
  readonly #afterMs: number;
  /** The run is not this process's any more. */
  readonly #left: (state: State) => void;
  readonly #wishes = new Map<string, SuspendWish>();
  #changedMs = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #soon = false;
  #isAsked = false;
  #isReleased = false;
  #releasing: NodeJS.Timeout | undefined;
  readonly #released: AbortSignal | undefined;
  readonly #release = (): void => {
    this.#isReleased = true;
    this.#lookSoon();
  };

  constructor(scope: FlowScope, { flow, released }: FlowRunPlan, left: (state: State) => void) {
    this.#scope = scope;
    this.#afterMs = flow.settings.suspendAfterMs ?? AFTER_MS;
    this.#left = left;
    this.#released = released;
    if (released?.aborted === true) this.#release();
    else released?.addEventListener('abort', this.#release);
  }

  /** S3. */
  get isReleased(): boolean {
    return this.#isReleased;
  }

  /** It was proposed, and the answer is still to come. */
  get isAsked(): boolean {
    return this.#isAsked;
  }

  /** A call has begun, or ended. */
  changed(): void {
    this.#changedMs = performance.now();
    this.lookAgain();
  }

  /** It is known by now until when a call waits. */
  lookAgain(): void {
    if (this.#scope.execution.over) return;
    if (this.#wishes.size > 0 || this.#isReleased) this.#lookSoon();
    else if (this.#timer === undefined) this.#lookAfter(this.#afterMs);
  }

  /** As soon as nothing is at work; `key` is the wish's own, so that it may be said again. */
  wish(key: string, wish: SuspendWish): void {
    this.#wishes.set(key, wish);
    this.#lookSoon();
  }

  withdraw(key: string): void {
    this.#wishes.delete(key);
  }

  end(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#releasing);
    this.#released?.removeEventListener('abort', this.#release);
  }

  #lookAfter(ms: number): void {
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        const quietMs = performance.now() - this.#changedMs;
        const leftMs = Math.ceil(this.#afterMs - quietMs);
        if (leftMs > 0) this.#lookAfter(leftMs);
        else this.#look();
      },
      Math.min(ms, TIMER_MAX_MS),
    );
    // It is no reason to keep the process, which has others.
    this.#timer.unref();
  }

  /** What goes on now may call something at once. */
  #lookSoon(): void {
    if (this.#soon) return;
    this.#soon = true;
    setImmediate(() => {
      this.#soon = false;
      this.#look();
    });
  }

  #look(): void {
    const scope = this.#scope;
    if (this.#isReleased) {
      this.#lookForRelease();
      return;
    }
    if (this.#isAsked || scope.mute || scope.stopped !== undefined) return;
    const waits = waitsIn(scope);
    if (waits === undefined || waits.some(isOver)) return;
    const [wish] = this.#wishes.values();
    const untilMs = waits.reduce((first, { untilMs: one = Infinity }) => Math.min(first, one), Infinity);
    const mailboxes = waits.flatMap(({ mailbox }) => mailbox ?? []);
    if (mailboxes.length > LIMITS.wakeOnMax || (wish === undefined && untilMs - Date.now() <= this.#afterMs)) return;
    const to: Paused = {
      type: 'PAUSED',
      name: wish === undefined ? (mailboxes.length === 0 ? 'Sleeping' : 'Waiting') : 'Suspended',
      suspended: true,
      ...(Number.isFinite(untilMs) ? { wakeAtMs: untilMs as EpochMs } : {}),
      ...(mailboxes.length === 0 ? {} : { wakeOn: mailboxes }),
      ...wish?.to,
    };
    this.#propose(to, wish);
  }

  #lookForRelease(): void {
    const scope = this.#scope;
    clearTimeout(this.#releasing);
    if (this.#isAsked || scope.execution.over) return;
    // Between two attempts of the run nothing of it is at work.
    if (scope.mute) this.#giveUp();
    else if (scope.stopped === undefined && isQuiet(scope)) {
      const wakeAtMs = Date.now() as EpochMs;
      this.#propose({ type: 'PAUSED', name: 'Suspended', message: RELEASED, suspended: true, wakeAtMs }, this.#forced);
    } else {
      this.#releasing = setTimeout(() => {
        this.#lookForRelease();
      }, LOOK_AGAIN_MS);
    }
  }

  /** It is paused here, or a rule wants it to go on here: it goes on elsewhere all the same, as if this process had died. */
  readonly #forced = {
    refused: (): void => {
      this.#giveUp();
    },
  };

  #giveUp(): void {
    const { run, execution, client } = this.#scope;
    this.#isAsked = true;
    const to: State = { type: 'CRASHED', name: 'Crashed', message: RELEASED };
    const report = { kind: 'flow', run, to, report: true, execution: execution.number, reason: RELEASED } as const;
    client.session.propose(report, ({ outcome, state }) => {
      // What is being cancelled, or has ended, does so here.
      if (outcome !== 'rejected') this.#left(state ?? to);
    });
  }

  #propose(to: Paused, wish: Pick<SuspendWish, 'refused'> | undefined): void {
    const scope = this.#scope;
    this.#isAsked = true;
    const asked = { kind: 'flow', run: scope.run, to, execution: scope.execution.number } as const;
    scope.client.session.propose(
      asked,
      (answer) => {
        this.#isAsked = false;
        if (isFence(answer)) scope.execution.fence(answer.why ?? 'another execution is current');
        else if (isSuspended(answer)) {
          logOfRun(scope).info(lettingGo(to));
          this.#left(answer.state ?? to);
        }
        // It is paused or cancelled, by somebody else; asked for again when something changes.
        else if (answer.code !== 'NOT_RUNNING' || wish === this.#forced) wish?.refused(answer);
      },
      scope,
    );
  }
}

function lettingGo({ wakeAtMs, name }: Paused): string {
  const until = wakeAtMs === undefined ? '' : ` until ${new Date(wakeAtMs).toISOString()} at the latest`;
  return `its process lets go of the run, which is ${name}${until}`;
}

const isSuspended = ({ outcome, state }: Answer): boolean =>
  outcome === 'accepted' || (outcome === 'rewritten' && state?.type === 'PAUSED' && state.suspended === true);

/** What is over ends here and now: in the next process, and the next, it would be let go of before it has. */
const isOver = ({ untilMs = Infinity }: Waiting): boolean => untilMs <= Date.now();

/** What all open calls of a flow run, and of the flow runs within it, wait for; undefined if anything is at work. */
export function waitsIn(scope: FlowScope): readonly Waiting[] | undefined {
  // A transaction has to keep what it has locked until it is over.
  if (scope.calls.size === 0 || scope.hasHooks || scope.isKept || scope.transaction !== undefined) return undefined;
  const all: Waiting[] = [];
  for (const call of scope.calls) {
    const waits = call.scope === undefined ? call.waits && [call.waits] : waitsIn(call.scope);
    if (waits === undefined) return undefined;
    all.push(...waits);
  }
  return all;
}

/** S3: whether a task may begin; what belongs to a transaction ends here. */
export const mayBegin = ({ execution, transactionAround }: FlowScope): boolean =>
  execution.suspension?.isReleased !== true || transactionAround !== undefined;

/**
 * S3: nothing of it is at work, as far as calls are, and what it has asked for is answered, or held. What it hears of the
 * record, or of another run, it hears elsewhere as well.
 */
function isQuiet(scope: FlowScope): boolean {
  if ((scope.calls.size === 0 && !scope.isKept) || scope.hasHooks || scope.transaction !== undefined) return false;
  return !scope.client.session.isAsked(scope) && [...scope.calls].every(isIdle);
}

/** A flow run that is not stopped has code that runs; one that is waits for its next attempt. */
const isIdle = ({ scope, isAtWork }: Call): boolean =>
  scope === undefined || scope.stopped !== undefined ? isAtWork !== true : isQuiet(scope);
