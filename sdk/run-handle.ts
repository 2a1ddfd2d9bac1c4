/** Waiting for the end of a run that somebody else executes. */
import { AssentError } from '../protocol/errors.ts';
import type { RunId } from '../protocol/ids.ts';
import type { Answer } from '../protocol/messages.ts';
import { isTerminal, type State } from '../protocol/states.ts';
import type { Client } from './client/client.ts';
import { DISCONNECTED } from './client/session.ts';
import { errorOf, refusedError } from './outcomes.ts';
import { scopes } from './scope.ts';

/** Runs whose end is waited for, by the client that hears of it. */
const awaited = new WeakMap<Client, Map<RunId, AwaitedRun>>();

export class AwaitedRun {
  readonly #client: Client;
  readonly #run: RunId;
  readonly #whose: string;
  readonly #deaf: () => void;
  #end: { readonly state: State; readonly reason: string | undefined } | undefined;
  #wake: () => void = () => undefined;
  #left: { readonly error: unknown } | undefined;
  #waiting = 0;
  /** Those who have got it from `of`, and have not left. */
  #holders = 0;

  /** The same object for whoever waits for the same run in this process. */
  static of(client: Client, run: RunId, whose: string): AwaitedRun {
    const known = awaited.get(client) ?? new Map<RunId, AwaitedRun>();
    awaited.set(client, known);
    const found = known.get(run) ?? new AwaitedRun(client, run, whose);
    known.set(run, found);
    found.#holders += 1;
    return found;
  }

  private constructor(client: Client, run: RunId, whose: string) {
    this.#client = client;
    this.#run = run;
    this.#whose = whose;
    client.await(run, ({ state, reason }) => {
      this.#hear(state, reason);
    });
    this.#deaf = client.whenLeft(() => {
      this.#abandon(new AssentError('FENCED', `${whose} is not waited for any more: ${DISCONNECTED}.`));
    });
  }

  /** What was said to the wish to start it. @throws AssentError REJECTED */
  started(answer: Answer, mayExist: boolean): void {
    const exists = mayExist && answer.state !== undefined;
    if (answer.outcome !== 'rejected' || exists) {
      if (answer.state !== undefined) this.#hear(answer.state, undefined);
      return;
    }
    const error = refusedError(answer, this.#whose);
    this.leave(error);
    throw error;
  }

  /** How it was found. */
  seen(state: State): void {
    this.#hear(state, undefined);
  }

  /** The state that it ended in; undefined while it has not. */
  get end(): State | undefined {
    return this.#end?.state;
  }

  /** `leaving` rejects when whoever asks has left; others may wait on. */
  async result(leaving?: Promise<never>): Promise<unknown> {
    if (this.#end === undefined && this.#left === undefined) {
      const ended = this.#ended();
      const scope = scopes.getStore();
      if (scope?.type === 'flow') scope.keepFor(ended);
      await (leaving === undefined ? ended : Promise.race([ended, leaving]));
    }
    if (this.#left !== undefined) throw this.#left.error;
    const { state, reason } = this.#end ?? { state: { type: 'PENDING', name: 'Pending' }, reason: undefined };
    if (state.type === 'COMPLETED') return this.#client.read(state.result);
    if (state.type === 'CRASHED')
      throw new AssentError('FLOW_FAILED', `${this.#whose} crashed: ${state.message ?? ''}.`);
    throw await errorOf(this.#client, state, this.#whose, reason);
  }

  /** Its end is of no interest any more to one of those who have it. When all have left, whoever still waits gets the error. */
  leave(error: unknown): void {
    this.#holders -= 1;
    if (this.#holders <= 0) this.#abandon(error);
  }

  #abandon(error: unknown): void {
    if (this.#end !== undefined) return;
    this.#left = { error };
    this.#forget();
    this.#wake();
  }

  #forget(): void {
    this.#deaf();
    awaited.get(this.#client)?.delete(this.#run);
    this.#client.unawait(this.#run);
  }

  async #ended(): Promise<void> {
    this.#waiting += 1;
    if (this.#waiting === 1) this.#client.beginWork();
    const woken = this.#wake;
    await new Promise<void>((resolve) => {
      this.#wake = () => {
        woken();
        resolve();
      };
    });
    this.#waiting -= 1;
    if (this.#waiting === 0) this.#client.endWork();
  }

  #hear(state: State, reason: string | undefined): void {
    // One whose worker died is SCHEDULED for the next; CRASHED is one that no worker will go on with.
    if (!isTerminal(state) || (this.#end ?? this.#left) !== undefined) return;
    this.#end = { state, reason };
    this.#forget();
    this.#wake();
  }
}
