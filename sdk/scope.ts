/**
 * Where code runs: one attempt of a flow run, or one attempt of a task run, in this process.
 *
 * P1 A scope that was stopped starts no call, and its calls have been told why.
 * P2 A mute scope proposes nothing: its flow run has ended, or another process executes it.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { AssentError } from '../protocol/errors.ts';
import type { RunId } from '../protocol/ids.ts';
import { CallCounter } from './call.ts';
import type { Client } from './client/client.ts';
import type { Asker } from './client/session.ts';
import { Handover } from './handover.ts';
import type { Ended } from './reuse.ts';
import { LazySignal } from './signals.ts';

/** One hand-over of a flow run to this process: the fencing token of all that it proposes. */
export class Execution {
  readonly root: RunId;
  readonly number: number;
  readonly handover = new Handover();
  readonly #onFenced: (why: string) => void;
  #over = false;

  constructor(root: RunId, number: number, onFenced: (why: string) => void) {
    this.root = root;
    this.number = number;
    this.#onFenced = onFenced;
  }

  /** Nothing may be proposed in its name any more. */
  get over(): boolean {
    return this.#over;
  }

  end(): void {
    this.#over = true;
  }

  /** The run went on elsewhere: everything of it must stop here. */
  fence(why: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#onFenced(why);
  }
}

/** A task or a flow that a flow has called and that has not ended. */
export interface Call {
  /** The scope was stopped. */
  interrupt(reason: AssentError): void;
  /** Resolves when its function has settled, if it was started. */
  readonly settled: Promise<void>;
}

type FlowScopeOptions = {
  readonly client: Client;
  readonly run: RunId;
  readonly name: string;
  readonly attempt: number;
  readonly execution: Execution;
  readonly parent?: FlowScope;
  /** How this run's calls ended in earlier executions and attempts. */
  readonly recorded?: ReadonlyMap<RunId, Ended>;
  /** Ends the attempt with this error. */
  readonly fail: (error: AssentError) => void;
};

export class FlowScope implements Asker {
  readonly type = 'flow';
  readonly client: Client;
  readonly run: RunId;
  readonly name: string;
  readonly attempt: number;
  readonly execution: Execution;
  readonly parent: FlowScope | undefined;
  readonly recorded: ReadonlyMap<RunId, Ended> | undefined;
  readonly counter: CallCounter;
  readonly #aborting = new LazySignal();
  readonly #fail: (error: AssentError) => void;
  readonly #calls = new Set<Call>();
  #stopped: AssentError | undefined;
  #mute = false;

  constructor(options: FlowScopeOptions) {
    this.client = options.client;
    this.run = options.run;
    this.name = options.name;
    this.attempt = options.attempt;
    this.execution = options.execution;
    this.parent = options.parent;
    this.recorded = options.recorded;
    this.counter = new CallCounter(options.run);
    this.#fail = options.fail;
  }

  get signal(): AbortSignal {
    return this.#aborting.signal;
  }

  /** Why no call may start any more. */
  get stopped(): AssentError | undefined {
    return this.#stopped;
  }

  get mute(): boolean {
    return this.#mute || this.execution.over || this.parent?.mute === true;
  }

  enter(call: Call): void {
    this.#calls.add(call);
  }

  leave(call: Call): void {
    this.#calls.delete(call);
  }

  /** The first reason stands, but for the fence: that one is heard by all. */
  stop(reason: AssentError): void {
    if (this.#stopped !== undefined && reason.kind !== 'FENCED') return;
    this.#stopped = reason;
    scopes.run(this, () => {
      this.#aborting.abort(reason);
    });
    for (const call of [...this.#calls]) call.interrupt(reason);
  }

  /** Something that the function has used already was refused: the attempt cannot be right. */
  fail(error: AssentError): void {
    if (this.mute) return;
    this.stop(error);
    this.#fail(error);
  }

  /** From now on nothing of it is proposed; what is held is forgotten. */
  silence(): void {
    this.#mute = true;
    this.client.session.dropMute();
  }

  /** Resolves when no function that it called runs any more, at the latest after `graceMs`. */
  async quiet(graceMs: number): Promise<void> {
    if (this.#calls.size === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([Promise.all([...this.#calls].map((call) => call.settled)), grace]);
    clearTimeout(timer);
  }
}

/** One attempt of a task run. */
export class TaskScope {
  readonly type = 'task';
  readonly flow: FlowScope;
  readonly run: RunId;
  readonly name: string;
  readonly attempt: number;
  readonly #aborting = new LazySignal();

  constructor(flow: FlowScope, run: RunId, name: string, attempt: number) {
    this.flow = flow;
    this.run = run;
    this.name = name;
    this.attempt = attempt;
  }

  /** Tells the function to stop; its listeners run where it does. */
  abort(reason: AssentError): void {
    scopes.run(this, () => {
      this.#aborting.abort(reason);
    });
  }

  get signal(): AbortSignal {
    return this.#aborting.signal;
  }
}

export const scopes = new AsyncLocalStorage<FlowScope | TaskScope>();
