/**
 * A call's outcome to come: a promise that knows whether anybody looks at it, and that can be passed to other calls.
 *
 * U1 It is observed as soon as somebody waits for it in any way; a failure that nobody observes is its flow's (flow-function.ts).
 * U2 Promises derived from it are plain ones.
 * U3 When its flow's function has ended it is never settled any more: whatever code still waits for it goes on no further,
 *    and cannot fail where nobody looks.
 */
import { TERMINAL_TYPES, type State, type TerminalType } from '../protocol/states.ts';
import { FinalState, stateOfError } from './final-state.ts';

/** Told by a future to the flow run whose call it is. */
export interface FutureWatch {
  made(future: Future<unknown>): void;
  observed(future: Future<unknown>): void;
  /** U3. */
  readonly functionEnded?: boolean;
}

/** What the call can say of its end besides the value or the error. */
export type EndDetails = { runId?: string; type?: TerminalType; name?: string; message?: string };

/** The state that was ruled is what the future says, if it is an end. */
export function noteEnd(details: EndDetails, { type, name, message }: State): void {
  const end = TERMINAL_TYPES.find((one) => one === type);
  if (end === undefined) return;
  details.type = end;
  details.name = name;
  if (message !== undefined) details.message = message;
}

/** Of a call of which nobody need see how it ends. */
export const NO_WATCH: FutureWatch = { made: () => undefined, observed: () => undefined };

/** Of a call that belongs to no flow run: a failure that nobody handles is the process's, as of any promise. */
export const OUTSIDE: FutureWatch = { ...NO_WATCH };

/**
 * The outcome of a call made by `submit` or `map`: a promise of its value. It may be awaited, raced, or passed to another
 * call as an argument or as a part of one; that call then begins when this one has completed.
 */
export class Future<T> extends Promise<T> {
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  #watch: FutureWatch = NO_WATCH;
  #observed = false;
  #state: FinalState<T> | undefined;
  #end: EndDetails = {};

  /** @internal Made by the calls themselves. */
  static of<T>(
    watch: FutureWatch,
    begin: (
      settle: { resolve: (value: T | PromiseLike<T>) => void; reject: (error: unknown) => void },
      end: EndDetails,
    ) => void,
  ): Future<T> {
    let settle!: { resolve: (value: T | PromiseLike<T>) => void; reject: (error: unknown) => void };
    const future = new Future<T>((resolve, reject) => {
      settle = { resolve, reject };
    });
    future.#watch = watch;
    watch.made(future);
    void super.prototype.then.call(
      future,
      (value: T) => {
        const { type: _, ...details } = future.#end;
        future.#state = new FinalState<T>('COMPLETED', { ...details, value });
        // There is nothing in it that could be lost.
        watch.observed(future);
      },
      (error: unknown) => {
        future.#state = stateOfError(error, future.#end);
        if (watch === OUTSIDE) future.#reportUnhandled(error);
      },
    );
    const told = {
      resolve: (value: T | PromiseLike<T>): void => {
        if (watch.functionEnded !== true) settle.resolve(value);
      },
      reject: (error: unknown): void => {
        if (watch.functionEnded !== true) settle.reject(error);
      },
    };
    try {
      begin(told, future.#end);
    } catch (error) {
      told.reject(error);
    }
    return future;
  }

  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    if (!this.#observed) {
      this.#observed = true;
      this.#watch.observed(this);
    }
    return super.then(onFulfilled, onRejected);
  }

  /** When no promise has anything left to do: so late it would be noticed of a plain one. */
  #reportUnhandled(error: unknown): void {
    process.nextTick(() => {
      // What a call threw may be anything.
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
      if (!this.#observed) void Promise.reject(error);
    });
  }

  /** Whether the call has ended. */
  get isDone(): boolean {
    return this.#state !== undefined;
  }

  /** The end if it is there, without waiting. */
  get ended(): FinalState<T> | undefined {
    return this.#state;
  }

  /** Waits for the call's end, and says how it ended; never rejects. */
  async state(): Promise<FinalState<T>> {
    await this.then(
      () => undefined,
      () => undefined,
    );
    return this.#state as FinalState<T>;
  }
}

/** The outcomes of a mapped call, in the order of its inputs. */
export class FutureList<T> extends Array<Future<T>> {
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  /** All values, or the first error; as `Promise.all`. */
  results(): Promise<T[]> {
    return Promise.all<T>([...this]);
  }

  /** All ends, good or bad. */
  states(): Promise<FinalState<T>[]> {
    return Promise.all([...this].map((future) => future.state()));
  }
}
