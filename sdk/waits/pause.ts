/**
 * Pausing: a flow run stops where it is until somebody says that it may go on, and what with.
 *
 * A pause is a call that waits in a mailbox of its own for the word that resumes the run; the word lies there until the
 * ruling that gives it to the call.
 *
 * A1 The run is proposed to be paused only when the arbiter has said that no word is there: whatever process died when,
 *    a word that was given is heard, and nobody is asked again who has answered.
 * A2 Pauses of one flow function come one after the other.
 * A3 A word that does not fit is recorded like any; the run pauses again, and says why.
 */
import { hash } from 'node:crypto';
import { z } from 'zod';
import { AssentError } from '../../protocol/errors.ts';
import type { EpochMs, RunId } from '../../protocol/ids.ts';
import { LIMITS } from '../../protocol/limits.ts';
import type { Answer } from '../../protocol/messages.ts';
import { pauseMailbox } from '../../protocol/proposals.ts';
import type { State } from '../../protocol/states.ts';
import type { Value } from '../../protocol/values.ts';
import { checkOptions, duration, text, zodSchema } from '../checked-options.ts';
import type { Duration } from '../durations.ts';
import { isFence, refusedError } from '../outcomes.ts';
import { recordedCall, watched } from '../recorded-call.ts';
import { logOfRun } from '../run-logger.ts';
import type { FlowScope } from '../scope.ts';
import { stored } from './mail.ts';
import { checked, isTimeOut } from './received.ts';
import { callingFlow, lastsFor } from './where.ts';

/** How a flow run pauses. */
export interface PauseOptions<Input extends z.ZodType = z.ZodType> {
  /** What the pause is called. Default: its number among those of the flow. At most 100 characters. */
  readonly key?: string;
  /** How long somebody may take to resume it; then the run fails. Default: for ever. */
  readonly timeout?: Duration;
  /** What it waits for, for people. At most 500 characters. */
  readonly message?: string;
  /**
   * What whoever resumes it has to say. Shown to people as JSON Schema; what does not fit makes the run pause again, with the
   * reason.
   */
  readonly input?: Input;
}

const KEY_MAX = 100;

/**
 * Pauses the flow run until somebody resumes it ({@link resumeRun}, `assent runs resume`), and resolves with what they say.
 * Its process waits. What is at work goes on meanwhile, but nothing begins, and no further attempt; sleeps do not end. A
 * time-out of the flow begins again when it is resumed. A pause that is over is over: when the function runs again, it is answered from the record.
 *
 * Of a flow within a flow, that one is paused, and not the flow that called it.
 *
 * @throws AssentError OUTSIDE_FLOW in a task or outside of a flow; BAD_OPTION; TIMED_OUT as the run fails; CANCELLED, FENCED.
 * @example
 * import { flow, flowRun, pause, resumeRun, sleep } from 'assent';
 * import { z } from 'zod';
 *
 * let id = '';
 * const release = flow({ name: 'release' }, async () => {
 *   id = flowRun().id;
 *   const { approved } = await pause({ key: 'approval', input: z.object({ approved: z.boolean() }) });
 *   return approved ? 'released' : 'kept';
 * });
 * const released = release();
 * const resumed = () => resumeRun(id, { approved: true }).then(() => true, () => false);
 * while (!(await resumed())) await sleep('50ms'); // in truth somebody, later
 * console.log(await released); // released
 */
export function pause<Input extends z.ZodType>(
  options: PauseOptions<Input> & { readonly input: Input },
): Promise<z.output<Input>>;
export function pause(options?: PauseOptions): Promise<unknown>;
export function pause(options: PauseOptions = {}): Promise<unknown> {
  return watched(
    async () => {
      const flow = callingFlow('pause');
      checkPause('pause', options);
      return inTurn(flow, keyFor(flow, options), (key) => answerOf(flow, key, options, pausing));
    },
    { waits: true },
  );
}

/**
 * As {@link pause}, and the run's process lets go of it; whichever worker is free goes on with it when it is resumed. It is
 * let go of as soon as none of its tasks is at work.
 *
 * @throws AssentError NO_WORKER if it is not executed by a worker ({@link serve}, `assent worker`), or in a transaction; as
 *   {@link pause}.
 * @example
 * import { flow, resumeRun, serve, sleep, startRun, suspend } from 'assent';
 * import { z } from 'zod';
 *
 * const order = flow({ name: 'order' }, async () => {
 *   const { paid } = await suspend({ key: 'payment', timeout: '14d', input: z.object({ paid: z.boolean() }) });
 *   return paid ? 'shipped' : 'cancelled';
 * });
 * const worker = await serve([order]);
 * const run = await startRun(order);
 * const resumed = () => resumeRun(run.id, { paid: true }).then(() => true, () => false);
 * while (!(await resumed())) await sleep('100ms'); // in truth somebody, days later
 * console.log(await run.result()); // shipped
 * await worker.stop();
 */
export function suspend<Input extends z.ZodType>(
  options: PauseOptions<Input> & { readonly input: Input },
): Promise<z.output<Input>>;
export function suspend(options?: PauseOptions): Promise<unknown>;
export function suspend(options: PauseOptions = {}): Promise<unknown> {
  return watched(
    async () => {
      const flow = callingFlow('suspend');
      checkPause('suspend', options);
      return inTurn(flow, keyFor(flow, options), (key) => answerOf(flow, key, options, suspending));
    },
    { waits: true },
  );
}

/** @throws AssentError BAD_OPTION */
const checkPause = (what: string, options: PauseOptions): void => {
  checkOptions(what, options, {
    key: text(KEY_MAX).optional(),
    timeout: duration.optional(),
    message: z
      .string()
      .max(LIMITS.textMax / 2)
      .optional(),
    input: zodSchema.optional(),
  });
};

/** Where a flow function's pauses stand: how often each key was used, and the last of them. */
type Pauses = { count: number; readonly uses: Map<string, number>; last: Promise<unknown> };
const pausesOf = new WeakMap<FlowScope, Pauses>();

function pausesIn(flow: FlowScope): Pauses {
  const known = pausesOf.get(flow) ?? { count: 0, uses: new Map<string, number>(), last: Promise.resolve() };
  pausesOf.set(flow, known);
  return known;
}

/** A key that was used before is another pause all the same. */
function keyFor(flow: FlowScope, { key }: PauseOptions): string {
  const pauses = pausesIn(flow);
  pauses.count += 1;
  const base = key ?? String(pauses.count);
  const use = (pauses.uses.get(base) ?? 0) + 1;
  pauses.uses.set(base, use);
  return use === 1 ? base : `${base} (${String(use)})`;
}

/** A2. */
async function inTurn(flow: FlowScope, key: string, act: (key: string) => Promise<unknown>): Promise<unknown> {
  const pauses = pausesIn(flow.owner);
  const before = pauses.last;
  const mine = before.then(() => act(key));
  pauses.last = mine.catch(() => undefined);
  return mine;
}

type Asked = {
  readonly flow: FlowScope;
  readonly key: string;
  readonly options: PauseOptions;
  /** Of the word that was given before, if it did not fit. */
  readonly problem: string | undefined;
};
type PausedState = Extract<State, { readonly type: 'PAUSED' }>;

/** How the run comes to a halt. */
type Halt = {
  /** The call's name. */
  readonly name: 'pause' | 'suspend';
  /** The call is no reason to keep the process. */
  readonly waits?: true;
  /** The run that stops, and what the pause is called there. */
  readonly run: RunId;
  readonly key: string;
  /** Asks for it; called again and again. */
  readonly ask: (to: PausedState) => void;
  /** Nobody waits for it any more. */
  readonly end: () => void;
};
type MakeHalt = (flow: FlowScope, key: string, refused: (error: unknown) => void) => Halt;

async function answerOf(flow: FlowScope, key: string, options: PauseOptions, halt: MakeHalt): Promise<unknown> {
  let problem: string | undefined;
  for (let nth = 1; ; nth += 1) {
    const value = await wordOf({ flow, key: nth === 1 ? key : `${key} #${String(nth)}`, options, problem }, halt);
    const parsed = await checked(options.input, value);
    if (parsed.ok) return parsed.value;
    problem = parsed.problem;
    logOfRun(flow).warn(`what the run was resumed with does not fit, and it pauses again: ${problem}`);
  }
}

/** What whoever resumed the run said. */
async function wordOf(asked: Asked, makeHalt: MakeHalt): Promise<unknown> {
  const { flow, key, options } = asked;
  const refusal = Promise.withResolvers<never>();
  refusal.promise.catch(() => undefined);
  const halt = makeHalt(flow, key, refusal.reject);
  const { input } = options;
  const schema = input === undefined ? {} : await stored(flow.client, jsonSchemaOf(input), 'The schema of the input');
  const builtIn = {
    receives: { type: 'MESSAGE', mailbox: pauseMailbox(halt.run, halt.key) },
    onHeld: (untilMs: EpochMs | undefined) => {
      halt.ask(pausedState(asked, halt.key, { untilMs, schema: schema.value }));
    },
    ...(halt.waits === undefined ? {} : { waits: halt.waits }),
    ...lastsFor(options.timeout, halt.name),
  } as const;
  const word = recordedCall(flow, { name: halt.name, inputs: [key], builtIn }, () => undefined);
  try {
    return await Promise.race([word, refusal.promise]);
  } catch (error) {
    if (!isTimeOut(error) || flow.stopped !== undefined) throw error;
    throw new AssentError('TIMED_OUT', `Nobody resumed the flow run in time from its pause '${key}'.`);
  } finally {
    halt.end();
  }
}

function pausedState(
  { options, problem }: Asked,
  key: string,
  { untilMs, schema }: { readonly untilMs: EpochMs | undefined; readonly schema: Value | undefined },
): PausedState {
  const { message = 'it waits until somebody resumes it' } = options;
  return {
    type: 'PAUSED',
    name: 'Paused',
    key,
    message: problem === undefined ? message : `${message} (again: ${problem})`.slice(0, LIMITS.textMax),
    ...(untilMs === undefined ? {} : { timeoutAtMs: untilMs }),
    ...(schema === undefined ? {} : { input: schema }),
  };
}

/** What JSON Schema cannot say is asked for by the flow's own schema alone. */
function jsonSchemaOf(schema: z.ZodType): unknown {
  try {
    return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', override: sayDate });
  } catch {
    return {};
  }
}

/** JSON knows no dates; whoever fills one in is told that it is one. */
const sayDate: NonNullable<z.core.ToJSONSchemaParams['override']> = ({ zodSchema, jsonSchema }) => {
  if (zodSchema._zod.def.type === 'date') jsonSchema.description ??= 'a date';
};

const isInTransaction = (flow: FlowScope): boolean =>
  flow.transaction !== undefined || (flow.parent !== undefined && isInTransaction(flow.parent));

/** What is called alike in what is within the run that stops is told apart. */
const keyAt = (run: RunId, flow: FlowScope, key: string): string =>
  flow.run === run ? key : `${key} @${hash('sha256', flow.run, 'hex').slice(0, 8)}`;

/** Whoever sees the log is told what the run wants, and how to say it. */
function sayWaiting(flow: FlowScope, run: RunId, { message, input }: PausedState): void {
  const how = `assent runs resume ${run.slice(0, run.indexOf('.') < 0 ? 8 : undefined)}`;
  logOfRun(flow).info(`paused: ${message ?? ''}; ${how}${input === undefined ? '' : " --input '{…}'"}`);
}

/** A transaction is its flow's: that one stops. */
const pausing: MakeHalt = (flow, given, refused) => {
  const { run } = flow.owner;
  let isAsked = false;
  return {
    name: 'pause',
    run,
    key: keyAt(run, flow, given),
    ask: (to) => {
      if (isAsked || flow.mute || flow.stopped !== undefined) return;
      isAsked = true;
      const { number: execution } = flow.execution;
      const settle = (answer: Answer): void => {
        if (isFence(answer)) flow.execution.fence(answer.why ?? 'another execution is current');
        else if (answer.outcome === 'accepted') sayWaiting(flow, run, to);
        // Somebody else has paused it, or it is being cancelled; if it goes on, it is asked for again.
        else if (answer.code === 'NOT_RUNNING') isAsked = false;
        else if (answer.outcome === 'rejected') refused(refusedError(answer, `The pause of flow '${flow.name}'`));
      };
      flow.client.session.propose({ kind: 'flow', run, to, execution }, settle, flow);
    },
    end: () => undefined,
  };
};

/** It is the run at the top that lets go of its process. */
const suspending: MakeHalt = (flow, given, refused) => {
  const { root, suspension } = flow.execution;
  const key = keyAt(root, flow, given);
  return {
    name: 'suspend',
    waits: true,
    run: root,
    key,
    ask: ({ key: _, ...to }) => {
      if (suspension === undefined || isInTransaction(flow)) {
        const why =
          suspension === undefined
            ? 'is not executed by a worker: nobody could go on with it'
            : 'is in a transaction: its process keeps what that has locked';
        refused(new AssentError('NO_WORKER', `Flow '${flow.owner.name}' ${why}.`));
        return;
      }
      suspension.wish(key, {
        to: { ...to, name: 'Suspended', key },
        refused: (answer) => {
          refused(refusedError(answer, `The suspension of flow '${flow.name}'`));
        },
      });
    },
    end: () => {
      suspension?.withdraw(key);
    },
  };
};
