/**
 * One call of a task by a flow: from the wish to start to the outcome that the flow sees.
 *
 * T1 The function runs only after the start was ruled on, and never when the call is answered from the record.
 * T2 The caller sees what was ruled, not what happened here: a failure that was turned into a retry is no failure, and
 *    an attempt that was ruled timed out is over even if its function goes on.
 * T3 A completion is handed over before it is ruled on only where no rule can alter it; it is proposed first, in order,
 *    and if it is refused all the same, the attempt of the flow is failed.
 * T4 A start that is granted when nobody waits for it any more is given back.
 * T5 The caller hears of the outcome when it is its turn (handover.ts).
 */
import { AssentError } from '../protocol/errors.ts';
import type { Answer, Order } from '../protocol/messages.ts';
import type { State } from '../protocol/states.ts';
import { isTerminal } from '../protocol/states.ts';
import type { RunId } from '../protocol/ids.ts';
import type { CallIdentity } from './call.ts';
import type { Wish } from './client/session.ts';
import type { Settings } from './options.ts';
import {
  cancelled,
  cancelledWith,
  completedWith,
  errorOf,
  failedWith,
  isFence,
  isRetriable,
  isStart,
  refusedError,
  RETRYING,
  RUNNING,
  type Report,
} from './outcomes.ts';
import { reuse, type Ended } from './reuse.ts';
import { scopes, TaskScope, type Call, type FlowScope } from './scope.ts';
import { settingsFor, startOf, type CallSettings } from './task-start.ts';

export type TaskDefinition = {
  readonly settings: Settings;
  readonly fn: (...inputs: never[]) => unknown;
  /** The caller's own key for these inputs. */
  readonly keyOf: ((inputs: readonly unknown[]) => string) | undefined;
  /** The result is handed over only when it is ruled on. */
  readonly awaitsRuling: boolean;
};

const ignore = (): void => undefined;

export function callTask(flow: FlowScope, task: TaskDefinition, inputs: readonly unknown[]): Promise<unknown> {
  const promise = new Promise((resolve, reject) => {
    if (flow.stopped !== undefined) {
      reject(flow.stopped);
      return;
    }
    const { name } = task.settings;
    new TaskCall(flow, task, inputs, flow.counter.next(name, inputs, task.keyOf?.(inputs)), {
      resolve,
      reject,
    }).begin();
  });
  // A failure that nobody awaits stands on the ledger; it must not end a process in which other runs are at work.
  promise.catch(ignore);
  return promise;
}

/** A start that is not answered: what is ordered meanwhile may be older than the answer, or later. */
type Asking = { later: Order | undefined };
type Caller = { resolve: (value: unknown) => void; reject: (error: unknown) => void };

class TaskCall implements Call {
  readonly #flow: FlowScope;
  readonly #task: TaskDefinition;
  readonly #inputs: readonly unknown[];
  readonly #settings: CallSettings;
  readonly #identity: CallIdentity;
  readonly #caller: Caller;
  readonly #heed = (order: Order): void => {
    this.#ordered(order);
  };
  /** The attempt whose function runs; undefined before, between and after attempts. */
  #running: TaskScope | undefined;
  /** Its function has settled, and what it gave is being stored. */
  #storing = false;
  /** The run's version as it was last heard of. */
  #version = 0;
  /** Starts that were proposed; what is answered to the report of an earlier attempt is out of date. */
  #starts = 0;
  #asking: Asking | undefined;
  /** The caller has its outcome; it will have it when it is its turn; and it may have it before it is ruled on. */
  #done = false;
  #isHanded = false;
  #isEarly = false;
  /** Why the function was told to stop. */
  #stopped: AssentError | undefined;
  #settle: (() => void) | undefined;
  /** Its end may be ruled at any time, and not as this process says. */
  #endDoubt: (() => void) | undefined;

  constructor(
    flow: FlowScope,
    task: TaskDefinition,
    inputs: readonly unknown[],
    identity: CallIdentity,
    caller: Caller,
  ) {
    this.#flow = flow;
    this.#task = task;
    this.#inputs = inputs;
    this.#settings = settingsFor(task.settings, inputs);
    this.#identity = identity;
    this.#caller = caller;
  }

  get run(): RunId {
    return this.#identity.run;
  }

  get settled(): Promise<void> {
    if (this.#running === undefined && !this.#storing) return Promise.resolve();
    return new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  begin(): void {
    const ended = this.#flow.recorded?.get(this.run);
    if (ended !== undefined) {
      this.#reuse(ended);
      return;
    }
    this.#flow.enter(this);
    const { client } = this.#flow;
    // A time-out is ruled while this process is silent, so the order may be lost; then it is asked for.
    if (this.#task.settings.timeoutMs === undefined) client.session.follow(this.run, this.#heed);
    else client.watch(this.run, false, this.#heed);
    this.#proposeStart();
  }

  interrupt(reason: AssentError): void {
    const fenced = reason.kind === 'FENCED';
    this.#stopped = reason;
    this.#running?.abort(reason);
    // What runs may still end well; what waits to run has nothing to wait for.
    if (fenced || (this.#running === undefined && !this.#storing)) {
      this.#running = undefined;
      this.#end(() => {
        this.#caller.reject(reason);
      });
    }
  }

  #reuse(ended: Ended): void {
    this.#done = true;
    const start = startOf(this.#flow, this.#identity, this.#settings);
    const report = (to: State): Wish => this.#reportWish(to);
    const { resolve, reject } = this.#caller;
    reuse({ flow: this.#flow, ended, start, report, whose: this.#whose() }).then(resolve, reject);
  }

  #reportWish(to: State): Wish {
    return { kind: 'task', run: this.run, to, report: true, execution: this.#flow.execution.number };
  }

  #propose(wish: Wish, settle: (answer: Answer) => void): void {
    if (this.#flow.mute) {
      this.#fail(this.#flow.stopped ?? cancelled(this.#whose(), 'its flow run has ended'));
      return;
    }
    this.#flow.client.session.propose(wish, settle, this.#flow);
  }

  #proposeStart(): void {
    const asking: Asking = { later: undefined };
    this.#asking = asking;
    this.#starts += 1;
    // It may be granted, and ruled timed out, before this process hears of either.
    if (this.#task.settings.timeoutMs !== undefined) this.#beInDoubt();
    const to = this.#starts === 1 ? RUNNING : RETRYING;
    this.#propose(startOf(this.#flow, this.#identity, this.#settings, to), (answer) => {
      this.#asking = undefined;
      if (isFence(answer)) this.#flow.execution.fence(answer.why ?? 'another execution is current');
      const { later } = asking;
      // The attempt may be over before its start is heard of: the answer was lost, and came again.
      const isOver = later !== undefined && later.version > answer.version && later.state.type !== 'CANCELLING';
      if (!isOver) this.#started(answer);
      if (later !== undefined) this.#ordered(later);
    });
  }

  #started(answer: Answer): void {
    if (this.#done) {
      if (isStart(answer)) this.#giveBack();
      return;
    }
    this.#version = answer.version;
    if (isStart(answer)) this.#runFunction(answer.attempt ?? 1);
    else if (answer.outcome === 'rewritten' && answer.state !== undefined) this.#follow(answer.state);
    else this.#inTurn('reject', refusedError(answer, this.#whose()));
  }

  #giveBack(): void {
    this.#propose(this.#reportWish({ type: 'CANCELLED', name: 'Cancelled', message: 'nobody waits for it' }), ignore);
  }

  #runFunction(attempt: number): void {
    const scope = new TaskScope(this.#flow, this.run, this.#task.settings.name, attempt);
    this.#running = scope;
    let returned: unknown;
    try {
      returned = scopes.run(scope, () => this.#task.fn(...(this.#inputs as never[])));
    } catch (error) {
      this.#threw(scope, error);
      return;
    }
    if (returned instanceof Promise || typeof (returned as PromiseLike<unknown> | null)?.then === 'function') {
      (returned as PromiseLike<unknown>).then(
        (value) => {
          this.#returned(scope, value);
        },
        (error: unknown) => {
          this.#threw(scope, error);
        },
      );
    } else {
      this.#returned(scope, returned);
    }
  }

  #returned(scope: TaskScope, value: unknown): void {
    if (!this.#ends(scope)) return;
    let report: Report;
    try {
      report = completedWith(this.#flow.client, value, this.#whose());
    } catch (error) {
      this.#report(failedWith(this.#flow.client, error, false), { error });
      return;
    }
    this.#report(report, { value });
  }

  #threw(scope: TaskScope, error: unknown): void {
    if (!this.#ends(scope)) return;
    const { client } = this.#flow;
    if (this.#stopped !== undefined) this.#report(cancelledWith(client, { error }), { error: this.#stopped });
    else this.#report(failedWith(client, error, isRetriable(error, this.#task.settings, scope.attempt)), { error });
  }

  /** False if that attempt was ruled over before its function settled. */
  #ends(scope: TaskScope): boolean {
    if (this.#running !== scope) return false;
    this.#running = undefined;
    this.#storing = true;
    return true;
  }

  #report({ state, stored }: Report, own: Own): void {
    if (stored === undefined) this.#proposeEnd(state, own);
    else {
      stored.then(
        () => {
          this.#proposeEnd(state, own);
        },
        (error: unknown) => {
          this.#isOver();
          this.#inTurn('reject', error);
        },
      );
    }
  }

  /** Its next attempt may begin: what there is to say of this one is said first. */
  #isOver(): void {
    this.#storing = false;
    this.#settle?.();
  }

  #proposeEnd(state: State, own: Own): void {
    this.#isOver();
    const start = this.#starts;
    this.#propose(this.#reportWish(state), (answer) => {
      this.#ended(answer, state, { ...own, isCurrent: start === this.#starts });
    });
    const { settings, awaitsRuling } = this.#task;
    const { client, execution } = this.#flow;
    const mayBeEarly = client.hello.completesEarly && !awaitsRuling && settings.timeoutMs === undefined;
    if (mayBeEarly && state.type === 'COMPLETED' && this.#stopped === undefined && execution.handover.isCertain) {
      this.#isEarly = true;
      this.#inTurn('resolve', own.value);
    } else if (!this.#done) {
      this.#beInDoubt();
    }
  }

  #ended(answer: Answer, reported: State, own: Own & { readonly isCurrent: boolean }): void {
    if (isFence(answer)) {
      this.#flow.execution.fence(answer.why ?? 'another execution is current');
      return;
    }
    this.#endDoubt?.();
    const stands = answer.outcome === 'accepted' ? reported : answer.state;
    if (this.#isEarly) {
      const fits = stands?.type === reported.type || stands?.type === 'CANCELLED';
      if (!fits) this.#flow.fail(refusedError(answer, `The completion of ${this.#whose()}`));
      return;
    }
    // The engine was faster: the caller has heard, or will hear, of the end that it ruled.
    if (this.#done || this.#isHanded) return;
    if (!own.isCurrent) return;
    this.#version = answer.version;
    if (stands === undefined || stands.type === 'RUNNING') {
      // A rule refused the end itself. The run must not stay at work for ever.
      const refusal = refusedError(answer, `The end of ${this.#whose()}`);
      this.#propose(this.#reportWish(failedWith(this.#flow.client, refusal, false).state), ignore);
      this.#inTurn('reject', refusal);
    } else if (stands.type === 'COMPLETED' && reported.type === 'COMPLETED') {
      this.#inTurn('resolve', own.value);
    } else if (stands.type === 'FAILED' && reported.type === 'FAILED') {
      this.#inTurn('reject', own.error);
    } else {
      this.#follow(stands);
    }
  }

  #ordered(order: Order): void {
    const { state, version, reason } = order;
    if (version <= this.#version || this.#done || this.#isHanded) return;
    if (this.#asking !== undefined) {
      if (version > (this.#asking.later?.version ?? 0)) this.#asking.later = order;
      return;
    }
    this.#version = version;
    if (state.type === 'CANCELLING') {
      this.#stopped = cancelled(this.#whose(), reason ?? state.message);
      this.#running?.abort(this.#stopped);
      return;
    }
    if (state.type !== 'SCHEDULED' && !isTerminal(state)) return;
    // The engine ended the attempt: it is over, whether or not its function notices (T2).
    const timedOut = new AssentError('TIMED_OUT', `${this.#whose()} was not done in time.`);
    this.#running?.abort(state.type === 'CANCELLED' ? cancelled(this.#whose(), reason) : timedOut);
    this.#running = undefined;
    this.#endDoubt?.();
    this.#follow(state, reason);
  }

  /** The run is in a state that it did not report: the caller sees that one. */
  #follow(state: State, reason?: string): void {
    if (state.type === 'SCHEDULED') {
      if (this.#stopped === undefined) this.#proposeStart();
      else this.#inTurn('reject', this.#stopped);
      return;
    }
    if (state.type === 'COMPLETED') this.#inTurn('resolve', this.#flow.client.read(state.result));
    else this.#inTurn('reject', errorOf(this.#flow.client, state, this.#whose(), reason));
  }

  #beInDoubt(): void {
    this.#endDoubt?.();
    this.#endDoubt = this.#flow.execution.handover.doubt();
  }

  /** T5. What has to be fetched keeps those after it waiting. */
  #inTurn(how: keyof Caller, known: unknown): void {
    this.#isHanded = true;
    const tell = (as: keyof Caller, what: unknown): void => {
      this.#end(() => {
        this.#caller[as](what);
      });
    };
    if (known instanceof Promise) known.catch(ignore);
    this.#flow.execution.handover.live(() => {
      if (known instanceof Promise) return known.then(tell.bind(undefined, how), tell.bind(undefined, 'reject'));
      tell(how, known);
      return undefined;
    });
  }

  #fail(error: unknown): void {
    this.#end(() => {
      this.#caller.reject(error);
    });
  }

  #end(tell: () => void): void {
    if (this.#done) return;
    this.#done = true;
    this.#endDoubt?.();
    this.#flow.leave(this);
    if (this.#task.settings.timeoutMs === undefined) this.#flow.client.session.unfollow(this.run, this.#heed);
    else this.#flow.client.unwatch(this.run, this.#heed);
    tell();
  }

  #whose(): string {
    return `Task '${this.#task.settings.name}'`;
  }
}

/** What the function itself gave: the caller in the same process gets the very value or error. */
type Own = { readonly value?: unknown; readonly error?: unknown };
