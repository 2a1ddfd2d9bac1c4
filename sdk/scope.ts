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
import type { Future, FutureWatch } from './future.ts';
import { Gate } from './gate.ts';
import { Handover } from './handover.ts';
import { Line } from './line.ts';
import { redactionIn, type Redaction } from './redaction.ts';
import type { Recorded } from './reuse.ts';
import { LazySignal } from './signals.ts';
import type { TaskRunner } from './task-runner.ts';
import type { TransactionLog } from './transaction-hooks.ts';
import type { Suspension } from './waits/suspension.ts';

/** One hand-over of a flow run to this process: the fencing token of all that it proposes. */
export class Execution {
  readonly root: RunId;
  readonly number: number;
  readonly handover = new Handover();
  /** In a worker: lets go of the flow run while it only waits. */
  suspension: Suspension | undefined;
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
    this.suspension?.end();
  }

  /** The run went on elsewhere: everything of it must stop here. */
  fence(why: string): void {
    if (this.#over) return;
    this.end();
    this.#onFenced(why);
  }
}

/** How long the functions of an attempt may take to settle that was cancelled, has failed, or is undone. */
export const GRACE_MS = 10_000;

/** A task or a flow that a flow has called and that has not ended. */
export interface Call {
  readonly name: string;
  /** It does nothing but wait, once it has begun. */
  readonly isWait?: boolean;
  /** The scope was stopped. */
  interrupt(reason: AssentError): void;
  /** Resolves when its function has settled, if it was started. */
  readonly settled: Promise<void>;
  /** Of a task: its function runs, or what that gave is being stored. */
  readonly isAtWork?: boolean;
  /** It does nothing but wait, for a time or a message; undefined if it is at work. */
  readonly waits?: Waiting | undefined;
  /** Of a flow run: its attempt at hand. */
  readonly scope?: FlowScope | undefined;
  /** Its flow run is suspended: nothing of it is done here any more, and nobody is told. */
  abandon(reason: AssentError): void;
}

/** What a call waits for, as far as somebody else can tell when it is over. */
export type Waiting = { readonly untilMs?: number; readonly mailbox?: string };

type FlowScopeOptions = {
  readonly client: Client;
  readonly run: RunId;
  readonly name: string;
  readonly attempt: number;
  readonly execution: Execution;
  readonly parent?: FlowScope;
  /** How this run's calls ended in earlier executions and attempts. */
  readonly recorded?: Recorded;
  readonly runner: TaskRunner;
  readonly strict?: boolean | undefined;
  /** Ends the attempt with this error. */
  readonly fail: (error: AssentError) => void;
};

/** The calls of a flow that do nothing but wait: how one ends, nobody need see. */
class Waits implements FutureWatch {
  readonly unseen = new Set<Future<unknown>>();
  readonly #flow: FlowScope;

  constructor(flow: FlowScope) {
    this.#flow = flow;
  }

  get functionEnded(): boolean {
    return this.#flow.functionEnded;
  }

  made(future: Future<unknown>): void {
    this.unseen.add(future);
  }

  observed(future: Future<unknown>): void {
    this.unseen.delete(future);
  }
}

export class FlowScope implements Asker, FutureWatch {
  readonly type = 'flow';
  readonly client: Client;
  readonly run: RunId;
  readonly name: string;
  readonly attempt: number;
  readonly execution: Execution;
  readonly parent: FlowScope | undefined;
  readonly recorded: Recorded | undefined;
  readonly counter: CallCounter;
  /** What the flow function got. */
  parameters: unknown;
  /** Where the functions of its tasks run. */
  readonly runner: TaskRunner;
  readonly #gates = new Map<TaskRunner, Gate>();
  readonly strict: boolean;
  readonly #line: Line | undefined;
  readonly #aborting = new LazySignal();
  readonly #fail: (error: AssentError) => void;
  readonly #calls = new Set<Call>();
  readonly #hooks = new Set<Promise<void>>();
  readonly #hooked = new Set<Promise<unknown>>();
  readonly #undoing = new Set<Promise<unknown>>();
  readonly #awaited = new Set<Promise<unknown>>();
  #onEmpty: () => void = () => undefined;
  /** Calls whose outcome nobody looks at, as far as they may still have to be told of. */
  readonly #unobserved = new Set<Future<unknown>>();
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
    this.counter = new CallCounter(options.run, options.strict);
    this.runner = options.runner;
    this.strict = options.strict === true;
    this.#line = this.strict ? new Line() : undefined;
    this.#fail = options.fail;
  }

  /** What keeps the limit of a runner; each has its own. Left out, that of the flow's. */
  gateOf(runner: TaskRunner = this.runner): Gate {
    // A transaction is a block of its flow run, and has no limit of its own.
    if (this.transaction !== undefined && this.parent !== undefined) return this.parent.gateOf(runner);
    const known = this.#gates.get(runner) ?? new Gate(runner.limit);
    this.#gates.set(runner, known);
    return known;
  }

  /** Begins a call when it is prepared; of a strict flow run, in the order in which they were made. */
  begin<T>(
    prepared: Promise<T> | undefined,
    go: (prepared: T | undefined) => void,
    failed: (error: unknown) => void,
  ): void {
    if (this.#line !== undefined) this.#line.begin(prepared, go, failed);
    else if (prepared === undefined) go(undefined);
    else prepared.then(go, failed);
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

  /** Nothing that still waits in it goes on (U3 of future.ts). */
  functionEnded = false;
  readonly waits = new Waits(this);

  /** What there is to say before its end is reported. */
  readonly lastWords = new Set<() => void>();

  /** What of its parameters, and of what it logs, nobody shall see. */
  redact: Redaction | undefined;

  /** The same of it and of all the flows around it. */
  get redactAll(): Redaction | undefined {
    return redactionIn(this);
  }

  /** Of a transaction's own scope: what has to hear of each completed call. */
  transaction: TransactionLog | undefined;

  /** The innermost transaction in which it runs. */
  get transactionAround(): TransactionLog | undefined {
    return this.transaction ?? this.parent?.transactionAround;
  }

  /** The flow run whose code runs here: of a transaction, which is a block of it, the one around. */
  get owner(): FlowScope {
    return this.transaction === undefined ? this : (this.parent?.owner ?? this);
  }

  /** Only what is recorded is answered, and nothing begins: its end is decided, or was recorded long ago. */
  replays = false;

  made(future: Future<unknown>): void {
    this.#unobserved.add(future);
  }

  observed(future: Future<unknown>): void {
    this.#unobserved.delete(future);
  }

  /** The calls that nobody looks at. */
  get unobserved(): readonly Future<unknown>[] {
    return [...this.#unobserved];
  }

  /** The run ends only after this; undefined is nothing. */
  follow(hooks: Promise<void> | undefined): void {
    if (hooks === undefined) return;
    this.#hooks.add(hooks);
    void hooks.finally(() => {
      this.#hooks.delete(hooks);
      this.execution.suspension?.changed();
    });
  }

  /** A call whose hooks are to be called when it has ended: `ended` resolves when they are, or will not be. */
  expectHooks(ended: Promise<unknown>): void {
    this.#hooked.add(ended);
    void ended.finally(() => this.#hooked.delete(ended));
  }

  /** What is still at work has `graceMs` to end. */
  async hooksDone(graceMs: number): Promise<void> {
    if (this.#hooked.size > 0) await within(graceMs, Promise.all(this.#hooked));
    while (this.#hooks.size > 0) await Promise.all(this.#hooks);
  }

  /** Something that is no call is waited for, and comes by this process alone: it is not let go of before. */
  keepFor(awaited: Promise<unknown>): void {
    this.#awaited.add(awaited);
    const over = (): void => {
      this.#awaited.delete(awaited);
      this.execution.suspension?.changed();
    };
    awaited.then(over, over);
  }

  get isKept(): boolean {
    return this.#awaited.size > 0;
  }

  get hasHooks(): boolean {
    return this.#hooks.size > 0;
  }

  /** The attempt ends only after this, however long it takes: what was begun in a transaction is being undone. */
  undo(undone: Promise<unknown>): void {
    this.#undoing.add(undone);
    void undone.finally(() => this.#undoing.delete(undone));
    this.parent?.undo(undone);
  }

  async undone(): Promise<void> {
    while (this.#undoing.size > 0) await Promise.all(this.#undoing);
  }

  /** Resolves when all its calls have ended, and their callers know, at the latest after `graceMs`. */
  async emptied(graceMs: number): Promise<void> {
    if (this.#calls.size === 0) return;
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    await within(graceMs, empty);
  }

  /** What is at work, or waits. */
  get calls(): ReadonlySet<Call> {
    return this.#calls;
  }

  enter(call: Call): void {
    this.#calls.add(call);
    this.execution.suspension?.changed();
  }

  leave(call: Call): void {
    this.#calls.delete(call);
    if (this.#calls.size === 0) this.#onEmpty();
    this.execution.suspension?.changed();
  }

  /** Its flow run is suspended: what it waits for here, it waits for for ever; another process runs it from the top. */
  abandon(reason: AssentError): void {
    this.#stopped = reason;
    this.silence();
    for (const call of [...this.#calls]) call.abandon(reason);
    scopes.run(this, () => {
      this.#aborting.abort(reason);
    });
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

  /** Resolves when no function that it called runs any more, at the latest after `graceMs`, and all is undone. */
  async quiet(graceMs: number): Promise<void> {
    if (this.#calls.size > 0) await within(graceMs, Promise.all([...this.#calls].map((call) => call.settled)));
    await this.undone();
  }
}

/** Resolves with `what`, or when so much time has passed; says whether it was in time. */
export async function within(graceMs: number, what: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const grace = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, graceMs, false);
  });
  const isInTime = await Promise.race([what.then(() => true), grace]);
  clearTimeout(timer);
  return isInTime;
}

/** One attempt of a task run. */
export class TaskScope {
  readonly type = 'task';
  readonly flow: FlowScope;
  readonly run: RunId;
  readonly name: string;
  readonly attempt: number;
  /** What of its inputs, and of what it logs, nobody shall see, besides what its flow says. */
  redact: Redaction | undefined;
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
