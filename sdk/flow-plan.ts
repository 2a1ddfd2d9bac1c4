/** What a flow run in this process begins with, and what may be ruled about an attempt of it. */
import type { AssentError } from '../protocol/errors.ts';
import type { RunId } from '../protocol/ids.ts';
import type { Answer, Order } from '../protocol/messages.ts';
import type { State } from '../protocol/states.ts';
import type { Client } from './client/client.ts';
import type { Wish } from './client/session.ts';
import type { Gave, Own } from './flow-report.ts';
import type { EndDetails } from './future.ts';
import { errorOf, refusedError } from './outcomes.ts';
import type { FlowScope } from './scope.ts';
import type { Settings } from './settings.ts';

export type FlowDefinition = {
  readonly settings: Settings;
  readonly fn: (parameters: never) => unknown;
};

export type FlowRunPlan = {
  readonly client: Client;
  /** A task run of its own is executed like a flow run that calls nothing. Absent: a flow run. */
  readonly kind?: 'task';
  readonly flow: FlowDefinition;
  readonly run: RunId;
  /** The wish to become RUNNING; `basedOn` is absent for the first one if the run is created by it. */
  readonly start: (basedOn: number | undefined) => Wish;
  /** Asked for once the run is known to run: a resumed run's are those that it was started with. */
  readonly parameters: () => unknown;
  /** The flow that called it. Absent: a flow run of its own. */
  readonly parent?: FlowScope;
  /** The version of a run that exists already. */
  readonly version?: number;
  /** What its caller's future says of its end. */
  readonly details?: EndDetails;
  /** It is executed by a worker: any other goes on with it when it was suspended. */
  readonly byWorker?: true;
  /** Aborted when that worker is to end: the run goes on in another. */
  readonly released?: AbortSignal;
  /** What comes between the function's end and the report of it; undefined if the attempt ends without one. */
  readonly conclude?: (scope: FlowScope, gave: Gave) => Promise<Gave | undefined>;
  /** Hears of each attempt that begins. */
  readonly onAttempt?: (scope: FlowScope, answer: Answer) => void;
};

/** What was ruled about an attempt; with what the function gave, in the same process. */
export type Ruled =
  | {
      readonly type: 'STATE';
      readonly state: State;
      readonly version: number;
      readonly own?: Own;
      readonly reason?: string | undefined;
    }
  | { readonly type: 'REFUSED'; readonly error: unknown };

/** The claim was granted, and the run was given to another process before this one heard of it. */
export const isTakenBy = (heard: Order | undefined, { version, execution }: Answer): boolean =>
  execution !== undefined && heard !== undefined && heard.version > version && heard.execution !== execution;

/** The wish to start was refused: nothing ran. */
export class StartRefused extends Error {
  readonly answer: Answer;
  readonly shown: AssentError;
  constructor(answer: Answer, whose: string) {
    super(answer.why);
    this.answer = answer;
    this.shown = refusedError(answer, whose);
  }
}

/** This process has let go of the run, which waits; whichever worker is free goes on with it. */
export class Suspended extends Error {
  readonly state: State;
  constructor(state: State) {
    super(`it is ${state.name}`);
    this.state = state;
  }
}

/** What the end means to the caller: the very value or error in the same process, else what was recorded. */
export async function meaningOf(
  client: Client,
  { state, own, reason }: Extract<Ruled, { type: 'STATE' }>,
  whose: string,
): Promise<unknown> {
  if (own !== undefined && 'value' in own) return own.value;
  if (state.type === 'COMPLETED') return client.read(state.result);
  if (own !== undefined) throw own.error;
  throw await errorOf(client, state, whose, reason);
}
