/**
 * Explains a run by its ledger alone: runs the program again with no engine and no tasks, its calls answered with the
 * ends that the ledger has, one after the other in the ledger's order. What this gives is what the run must have given,
 * in whatever executions it came about; and what this does not call, nobody may have called.
 *
 * X1 Between two ends the program runs until it waits for calls alone.
 * X2 A call that has ended before it is made (its flow was tried again) is answered before anything that comes later.
 * X3 A completion is for good. A failure is of one round of the flow that called: the next round makes the call again.
 */
import type { RunId } from '../../protocol/ids.ts';
import type { State } from '../../protocol/states.ts';
import { CallCounter } from '../../sdk/call.ts';
import { errorOf } from '../../sdk/outcomes.ts';
import type { Client } from '../../sdk/client/client.ts';
import { mainName, parametersOf, seenOf } from './bound.ts';
import { runFlow } from './interpreter.ts';
import { steps, type Line } from './ledger.ts';
import { flowName, taskName, type Program } from './program.ts';
import { fingerprint, textOf } from './values.ts';

export type Outcome =
  { readonly type: 'COMPLETED'; readonly value: unknown } | { readonly type: 'FAILED'; readonly error: unknown };

/** An end that was ruled first, or the grant of another round. */
type Event = {
  readonly run: RunId;
  readonly type: 'COMPLETED' | 'FAILED' | 'AGAIN';
  readonly state: State;
  /** Of a failure: the round of the flow that called. */
  readonly round: number;
};

type Pending = {
  readonly scope: Scope;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
};

type Scope = { readonly run: RunId; readonly round: number; readonly parent: Scope | undefined; isOver: boolean };

type FlowState = {
  round: number;
  start: () => void;
  /** What its function gave. */
  outcome: Outcome | undefined;
  /** The ledger has it as failed; what it gave may never have been heard of. */
  hasFailed: boolean;
};

export class Explanation {
  readonly called = new Set<RunId>();
  readonly problems: string[] = [];
  readonly #program: Program;
  readonly #world: string;
  readonly #client: Client;
  readonly #events: readonly Event[];
  readonly #pending = new Map<RunId, Pending>();
  readonly #flows = new Map<RunId, FlowState>();
  #cursor = 0;

  /** `client` reads what does not stand inline. */
  constructor(program: Program, world: string, lines: readonly Line[], client: Client) {
    this.#program = program;
    this.#world = world;
    this.#client = client;
    this.#events = eventsOf(lines);
  }

  async of(root: RunId): Promise<Outcome | undefined> {
    const parameters = seenOf(parametersOf(this.#world));
    this.called.add(root);
    this.#begin(root, 0, parameters, undefined);
    for (;;) {
      await quiescence();
      const known = this.#recorded();
      if (known !== undefined) {
        await this.#deliver(known);
        continue;
      }
      const event = this.#events[this.#cursor];
      if (event === undefined) return undefined;
      this.#cursor += 1;
      const flow = this.#flows.get(event.run);
      if (event.type === 'FAILED' && flow !== undefined) flow.hasFailed = true;
      if (event.run === root && event.type !== 'AGAIN') return this.#flows.get(root)?.outcome;
      if (event.type === 'AGAIN') this.#again(event);
    }
  }

  #again({ run }: Event): void {
    const flow = this.#flows.get(run);
    if (flow?.outcome?.type !== 'FAILED') {
      this.problems.push(`${run} was tried again, but it is not explained that it failed`);
      return;
    }
    flow.round += 1;
    flow.start();
  }

  /** X2: the earliest of the ends that the program waits for. */
  #recorded(): Event | undefined {
    for (let index = 0; index < this.#cursor; index += 1) {
      const event = this.#events[index];
      const pending = event && this.#pending.get(event.run);
      if (event === undefined || pending === undefined || event.type === 'AGAIN') continue;
      if (event.type === 'COMPLETED' || event.round === pending.scope.round) return event;
    }
    return undefined;
  }

  async #deliver({ run, state, type }: Event): Promise<void> {
    const pending = this.#pending.get(run);
    if (pending === undefined) return;
    this.#pending.delete(run);
    if (type === 'COMPLETED' && state.type === 'COMPLETED') {
      const value = await this.#client.read(state.result);
      this.#compare(run, { type: 'COMPLETED', value });
      pending.resolve(value);
    } else {
      const error = await errorOf(this.#client, state, whoseOf(run));
      this.#compare(run, { type: 'FAILED', error });
      pending.reject(error);
    }
  }

  /** A subflow's end is explained by its own calls. */
  #compare(run: RunId, ledgers: Outcome): void {
    const flow = this.#flows.get(run);
    if (flow === undefined) return;
    const explained = flow.outcome === undefined ? 'nothing' : outcomeText(flow.outcome);
    if (explained === outcomeText(ledgers)) return;
    this.problems.push(`${run} ended as ${outcomeText(ledgers)}, explained is ${explained}`);
  }

  /** A flow's function, again whenever its run is tried again. */
  #begin(run: RunId, index: number, parameters: unknown, parent: Scope | undefined): void {
    const known = this.#flows.get(run);
    // Called anew by a flow that is tried again.
    const flow: FlowState = known ?? { round: 0, start: () => undefined, outcome: undefined, hasFailed: false };
    if (flow.hasFailed) flow.round += 1;
    flow.hasFailed = false;
    this.#flows.set(run, flow);
    flow.start = () => {
      flow.outcome = undefined;
      void this.#attempt(flow, { run, index, parameters, parent });
    };
    flow.start();
  }

  async #attempt(
    flow: FlowState,
    { run, index, parameters, parent }: { run: RunId; index: number; parameters: unknown; parent: Scope | undefined },
  ): Promise<void> {
    const scope: Scope = { run, round: flow.round, parent, isOver: false };
    let outcome: Outcome;
    try {
      outcome = { type: 'COMPLETED', value: await this.#run(index, parameters, scope) };
    } catch (error) {
      outcome = { type: 'FAILED', error };
    }
    if (isOver(scope)) return;
    scope.isOver = true;
    flow.outcome = outcome;
    for (const [called, pending] of this.#pending) if (isOver(pending.scope)) this.#pending.delete(called);
  }

  #run(index: number, parameters: unknown, scope: Scope): Promise<unknown> {
    const counter = new CallCounter(scope.run);
    const call = (name: string, inputs: readonly unknown[], key?: string): Promise<unknown> =>
      this.#call(counter.next(name, inputs, key).run, scope);
    return runFlow(this.#program, index, parameters, {
      task: (task, inputs) => {
        const { key } = this.#program.tasks[task] ?? { key: 'NONE' };
        return call(
          taskName(task),
          inputs,
          key === 'NONE' ? undefined : key === 'FIXED' ? 'fixed' : fingerprint(inputs),
        );
      },
      flow: (called, given) => {
        const { run } = counter.next(flowName(called), [given]);
        const outcome = this.#call(run, scope);
        const completed = this.#flows.get(run)?.outcome?.type === 'COMPLETED';
        if (!completed && !isOver(scope)) this.#begin(run, called, given, scope);
        return outcome;
      },
      shaky: (text) => call('shaky', [text]),
      repair: (text) => call('repair', [text]),
    });
  }

  #call(run: RunId, scope: Scope): Promise<unknown> {
    if (isOver(scope)) return new Promise(() => undefined);
    this.called.add(run);
    return new Promise((resolve, reject) => {
      this.#pending.set(run, { scope, resolve, reject });
    });
  }
}

const isOver = (scope: Scope): boolean => scope.isOver || (scope.parent !== undefined && isOver(scope.parent));

function eventsOf(lines: readonly Line[]): Event[] {
  const events: Event[] = [];
  for (const { ruling, before, after } of steps(lines)) {
    if (after === undefined || (ruling.outcome !== 'accepted' && ruling.outcome !== 'rewritten')) continue;
    const { state, id: run, ran } = after;
    const wasAtWork = before?.state.type === 'RUNNING' || before?.state.type === 'CANCELLING';
    const round = ran?.round ?? 0;
    if (!wasAtWork) continue;
    if (state.type === 'COMPLETED' || state.type === 'FAILED') events.push({ run, type: state.type, state, round });
    // Only a flow's function runs again; a task's attempts are its own business.
    if (state.name === 'AwaitingRetry' && after.kind === 'flow') events.push({ run, type: 'AGAIN', state, round });
  }
  return events;
}

export function outcomeText(outcome: Outcome, stamps: 'shown' | 'hidden' = 'shown'): string {
  if (outcome.type === 'COMPLETED') return `COMPLETED ${textOf(outcome.value, stamps)}`;
  return `FAILED ${textOf(outcome.error, stamps)}`;
}

/** The task's or flow's name, as its errors have it. */
function whoseOf(run: RunId): string {
  const name = run.slice(run.lastIndexOf('.') + 1).replace(/-[0-9a-f]{16}$/, '');
  return name.startsWith('flow') || name.startsWith(mainName('')) ? `Flow '${name}'` : `Task '${name}'`;
}

/** When nothing is left to do but to wait: the ticks' queue is run when that of the promises is empty. */
function quiescence(): Promise<void> {
  return new Promise((resolve) => {
    queueMicrotask(() => {
      process.nextTick(resolve);
    });
  });
}
