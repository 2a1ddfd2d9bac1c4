/**
 * One call of a task by a flow: from the wish to start to the outcome that the flow sees.
 *
 * T1 The function runs only after the start was ruled on, and never when the call is answered from the record.
 * T2 The caller sees what was ruled, not what happened here: a failure that was turned into a retry is no failure, and
 *    an attempt that was ruled timed out is over even if its function goes on.
 * T3 A completion is handed over before it is ruled on only where no rule can alter it; it is proposed first, in order,
 *    and if it is refused all the same, the attempt of the flow is failed.
 * T4 A start that is granted when nobody waits for it any more is given back.
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
  refusedError,
  RUNNING,
  type Report,
} from './outcomes.ts';
import { scopes, TaskScope, type Call, type FlowScope } from './scope.ts';

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

type Caller = { resolve: (value: unknown) => void; reject: (error: unknown) => void };

class TaskCall implements Call {
  readonly #flow: FlowScope;
  readonly #task: TaskDefinition;
  readonly #inputs: readonly unknown[];
  readonly #identity: CallIdentity;
  readonly #caller: Caller;
  /** The attempt whose function runs; undefined before, between and after attempts. */
  #running: TaskScope | undefined;
  /** The run's version as it was last heard of. */
  #version = 0;
  /** The caller has its outcome. */
  #done = false;
  /** Why the function was told to stop. */
  #stopped: AssentError | undefined;
  #settle: (() => void) | undefined;

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
    this.#identity = identity;
    this.#caller = caller;
  }

  get run(): RunId {
    return this.#identity.run;
  }

  get settled(): Promise<void> {
    if (this.#running === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  begin(): void {
    const state = this.#flow.recorded?.get(this.run);
    if (state?.type === 'COMPLETED') {
      this.#reuse(state);
      return;
    }
    this.#flow.enter(this);
    const { client } = this.#flow;
    const ordered = (order: Order): void => {
      this.#ordered(order);
    };
    // A time-out is ruled while this process is silent, so the order may be lost; then it is asked for.
    if (this.#task.settings.timeoutMs === undefined) client.session.follow(this.run, ordered);
    else client.watch(this.run, false, ordered);
    this.#proposeStart();
  }

  interrupt(reason: AssentError): void {
    const fenced = reason.kind === 'FENCED';
    this.#stopped = reason;
    this.#running?.abort(reason);
    // What runs may still end well; what waits to run has nothing to wait for.
    if (fenced || this.#running === undefined) {
      this.#running = undefined;
      this.#end(() => {
        this.#caller.reject(reason);
      });
    }
  }

  /** It completed in an earlier execution: the caller need not wait, but the ledger shall know that it asked. */
  #reuse(state: Extract<State, { type: 'COMPLETED' }>): void {
    const { client } = this.#flow;
    this.#done = true;
    this.#propose(this.#startWish(), (answer) => {
      if (isFence(answer)) this.#flow.execution.fence(answer.why ?? 'another execution is current');
      // The rule that reuses is not in force any more, and the run began anew; it has the same outcome.
      else if (answer.outcome === 'accepted') this.#propose(this.#reportWish(state), ignore);
    });
    const value = client.read(state.result);
    if (value instanceof Promise) value.then(this.#caller.resolve, this.#caller.reject);
    else this.#caller.resolve(value);
  }

  #startWish(): Wish {
    const { name, retry, timeoutMs, limits, priority } = this.#task.settings;
    return {
      kind: 'task',
      run: this.run,
      to: RUNNING,
      execution: this.#flow.execution.number,
      create: {
        kind: 'task',
        name,
        parent: this.#flow.run,
        call: this.#identity.call,
        ...(retry === undefined ? {} : { retry }),
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
        ...(limits === undefined ? {} : { limits }),
        ...(priority === undefined ? {} : { priority }),
      },
    };
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
    this.#propose(this.#startWish(), (answer) => {
      this.#started(answer);
    });
  }

  #started(answer: Answer): void {
    if (isFence(answer)) this.#flow.execution.fence(answer.why ?? 'another execution is current');
    if (this.#done) {
      if (answer.outcome === 'accepted') this.#giveBack();
      return;
    }
    this.#version = answer.version;
    if (answer.outcome === 'accepted') this.#runFunction(answer.attempt ?? 1);
    else if (answer.outcome === 'rewritten' && answer.state !== undefined) this.#follow(answer.state);
    else this.#fail(refusedError(answer, this.#whose()));
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
    this.#settle?.();
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
          this.#fail(error);
        },
      );
    }
  }

  #proposeEnd(state: State, own: Own): void {
    this.#propose(this.#reportWish(state), (answer) => {
      this.#ended(answer, state, own);
    });
    const { settings, awaitsRuling } = this.#task;
    const early = this.#flow.client.hello.completesEarly && !awaitsRuling && settings.timeoutMs === undefined;
    if (state.type !== 'COMPLETED' || !early || this.#stopped !== undefined) return;
    this.#end(() => {
      this.#caller.resolve(own.value);
    });
  }

  #ended(answer: Answer, reported: State, own: Own): void {
    if (isFence(answer)) {
      this.#flow.execution.fence(answer.why ?? 'another execution is current');
      return;
    }
    const stands = answer.outcome === 'accepted' ? reported : answer.state;
    if (this.#done) {
      const fits = stands?.type === reported.type || stands?.type === 'CANCELLED';
      if (reported.type === 'COMPLETED' && !fits)
        this.#flow.fail(refusedError(answer, `The completion of ${this.#whose()}`));
      return;
    }
    this.#version = answer.version;
    if (stands === undefined || stands.type === 'RUNNING') {
      // A rule refused the end itself. The run must not stay at work for ever.
      const refusal = refusedError(answer, `The end of ${this.#whose()}`);
      this.#propose(this.#reportWish(failedWith(this.#flow.client, refusal, false).state), ignore);
      this.#fail(refusal);
    } else if (stands.type === 'COMPLETED' && reported.type === 'COMPLETED') {
      this.#end(() => {
        this.#caller.resolve(own.value);
      });
    } else if (stands.type === 'FAILED' && reported.type === 'FAILED') {
      this.#fail(own.error);
    } else {
      this.#follow(stands);
    }
  }

  #ordered({ state, version, reason }: Order): void {
    if (version <= this.#version || this.#done) return;
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
    this.#follow(state, reason);
  }

  /** The run is in a state that it did not report: the caller sees that one. */
  #follow(state: State, reason?: string): void {
    if (state.type === 'SCHEDULED') {
      if (this.#stopped === undefined) this.#proposeStart();
      else this.#fail(this.#stopped);
      return;
    }
    if (state.type !== 'COMPLETED') {
      void errorOf(this.#flow.client, state, this.#whose(), reason).then(
        (error) => {
          this.#fail(error);
        },
        (error: unknown) => {
          this.#fail(error);
        },
      );
      return;
    }
    const value = this.#flow.client.read(state.result);
    this.#end(() => {
      this.#caller.resolve(value);
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
    this.#flow.leave(this);
    if (this.#task.settings.timeoutMs === undefined) this.#flow.client.session.unfollow(this.run);
    else this.#flow.client.unwatch(this.run);
    tell();
  }

  #whose(): string {
    return `Task '${this.#task.settings.name}'`;
  }
}

/** What the function itself gave: the caller in the same process gets the very value or error. */
type Own = { readonly value?: unknown; readonly error?: unknown };
