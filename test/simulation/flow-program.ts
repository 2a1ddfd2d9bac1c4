/**
 * What a process does when it executes a flow: attempt after attempt, stage after stage, calls side by side, as the
 * rulings say. It stops when it is fenced, and follows what the engine ended.
 */
import type { RunId } from '../../protocol/ids.ts';
import type { Answer, Order } from '../../protocol/messages.ts';
import type { RunDefinition } from '../../protocol/proposals.ts';
import { isTerminal, type State } from '../../protocol/states.ts';
import type { ClientProcess, Wish } from './client-process.ts';

export type CallPlan = {
  readonly name: string;
  readonly durationMs: number;
  /** Attempts that fail before one succeeds. */
  readonly failures: number;
  readonly retriable: boolean;
  /** Its first attempt never ends by itself. */
  readonly hangs: boolean;
  readonly definition: Pick<RunDefinition, 'retry' | 'timeoutMs' | 'limits' | 'priority' | 'tags' | 'cache'>;
  /** A flow within the flow. */
  readonly calls?: readonly CallPlan[];
};

export type FlowPlan = {
  readonly run: RunId;
  readonly definition: RunDefinition;
  /** When it may start, after its creation; undefined: at once. */
  readonly startsInMs?: number;
  readonly stages: readonly (readonly CallPlan[])[];
  /** Goes on for so long after it was told to stop. */
  readonly obeysAfterMs: number;
  /** The flow function itself throws in its first attempts. */
  readonly failures: number;
  /** Takes a pause between two stages. */
  readonly pauses: boolean;
};

/** What the world wants to know of an execution. */
export type Witness = {
  /** The function of a call begins to run, as its process believes, by right. */
  began(run: RunId, execution: number, client: ClientProcess): void;
};

const RUNNING: State = { type: 'RUNNING', name: 'Running' };
const COMPLETED: State = { type: 'COMPLETED', name: 'Completed' };
const CANCELLED: State = { type: 'CANCELLED', name: 'Cancelled' };
const failed = (retriable: boolean): State => ({ type: 'FAILED', name: 'Failed', ...(retriable ? {} : { retriable }) });

/** The attempt is over for this process: it was fenced, or somebody else ended it. */
class Over extends Error {}
class Failed extends Error {}

/** One attempt of a flow run in this process. */
class Attempt {
  readonly execution: number;
  readonly over: Promise<never>;
  cancelled = false;
  ended = false;
  #end!: (error: Over) => void;

  constructor(execution: number) {
    this.execution = execution;
    this.over = new Promise((_, reject) => (this.#end = reject));
    this.over.catch(() => undefined);
  }

  end(): void {
    this.ended = true;
    this.#end(new Over());
  }

  /** What is awaited, unless the attempt is over before. */
  async until<T>(awaited: Promise<T>): Promise<T> {
    const value = await Promise.race([awaited, this.over]);
    if (this.ended) throw new Over();
    return value;
  }
}

export type Begin = { readonly create?: true; readonly basedOn?: number };

export class FlowExecution {
  readonly #client: ClientProcess;
  readonly #plan: FlowPlan;
  readonly #witness: Witness;
  #version = 0;

  constructor(client: ClientProcess, plan: FlowPlan, witness: Witness) {
    this.#client = client;
    this.#plan = plan;
    this.#witness = witness;
  }

  /** Resolves when this process has nothing more to do with the run; never, if the process dies. */
  async run(begin: Begin): Promise<void> {
    let { basedOn } = begin;
    for (let first = true; ; first = false) {
      const answer = await this.#client.ask({
        kind: 'flow',
        run: this.#plan.run,
        to: RUNNING,
        claim: true,
        ...(basedOn === undefined ? {} : { basedOn }),
        ...(first && begin.create === true ? { create: this.#plan.definition } : {}),
      });
      this.#version = answer.version;
      if (answer.outcome !== 'accepted' || answer.execution === undefined) return;
      this.#client.beginExecuting();
      const again = await this.#attempt(new Attempt(answer.execution), answer.attempt ?? 1);
      this.#client.endExecuting();
      this.#client.unfollow(this.#plan.run);
      if (again === undefined) return;
      basedOn = again;
    }
  }

  /** The version on which the next attempt is based; undefined when there is none. */
  async #attempt(attempt: Attempt, number: number): Promise<number | undefined> {
    let next: number | undefined;
    this.#client.follow(this.#plan.run, (order) => {
      if (order.version <= this.#version) return;
      this.#version = order.version;
      if (order.state.type === 'CANCELLING') attempt.cancelled = true;
      else if (order.state.type === 'SCHEDULED' && order.execution === attempt.execution) next = order.version;
      if (next !== undefined || isTerminal(order.state) || order.execution !== attempt.execution) attempt.end();
    });
    try {
      const to = await this.#body(attempt, number);
      const answer = await attempt.until(this.#report(this.#plan.run, 'flow', to, attempt));
      this.#version = Math.max(this.#version, answer.version);
      return answer.state?.type === 'SCHEDULED' ? answer.version : undefined;
    } catch (error) {
      if (error instanceof Over) return next;
      throw error;
    }
  }

  async #body(attempt: Attempt, number: number): Promise<State> {
    try {
      for (const [index, stage] of this.#plan.stages.entries()) {
        if (attempt.cancelled) {
          await attempt.until(this.#client.process.sleep(this.#plan.obeysAfterMs));
          return CANCELLED;
        }
        if (index === 1 && this.#plan.pauses) await this.#pause(attempt);
        const results = await Promise.allSettled(stage.map((call) => this.#call(attempt, this.#plan.run, call)));
        for (const result of results) if (result.status === 'rejected') throw result.reason as Error;
      }
    } catch (error) {
      if (error instanceof Failed) return attempt.cancelled ? CANCELLED : failed(true);
      throw error;
    }
    return number <= this.#plan.failures ? failed(true) : COMPLETED;
  }

  /** A pause by the flow's own wish, and its end by its own word. */
  async #pause(attempt: Attempt): Promise<void> {
    const { run } = this.#plan;
    const wish = (to: State): Wish => ({ kind: 'flow', run, to, execution: attempt.execution });
    await attempt.until(this.#client.ask(wish({ type: 'PAUSED', name: 'Paused' })));
    // What is called in a pause waits for its end.
    const [call] = this.#plan.stages[1] ?? [];
    const early = call && this.#client.ask(this.#startOf(attempt, run, call));
    await attempt.until(this.#client.process.sleep(300));
    await attempt.until(this.#client.ask(wish(RUNNING)));
    if (early !== undefined) await attempt.until(early);
  }

  #startOf(attempt: Attempt, parent: RunId, call: CallPlan): Wish {
    const kind = call.calls === undefined ? 'task' : 'flow';
    const run = `${parent}.${call.name}` as RunId;
    const create: RunDefinition = { kind, name: call.name, parent, ...call.definition };
    return { kind, run, to: RUNNING, execution: attempt.execution, create };
  }

  /** Resolves when the call has completed, rejects with Failed when it has not. */
  async #call(attempt: Attempt, parent: RunId, call: CallPlan): Promise<void> {
    const start = this.#startOf(attempt, parent, call) as Extract<Wish, { kind: 'flow' | 'task' }>;
    for (;;) {
      let answer = await attempt.until(this.#client.ask(start));
      this.#fence(answer, attempt);
      if (answer.outcome === 'accepted' || (answer.outcome === 'rewritten' && answer.state?.type === 'RUNNING')) {
        this.#witness.began(start.run, attempt.execution, this.#client);
        const to = await this.#work(attempt, start.run, call, answer);
        if (to.type === 'SCHEDULED') continue;
        if (isTerminal(to) && 'engine' in to) throw new Failed();
        answer = await attempt.until(this.#report(start.run, start.kind, to, attempt));
        this.#fence(answer, attempt);
        if (answer.outcome === 'accepted' && to.type === 'COMPLETED') return;
      }
      const { state } = answer;
      // A call that runs already, from before a pause: it is asked after until it is something else.
      if (answer.code === 'DUPLICATE') {
        const to = await this.#work(attempt, start.run, call, answer);
        if (to.type === 'SCHEDULED') continue;
        answer = await attempt.until(this.#report(start.run, start.kind, to, attempt));
        if (answer.outcome === 'accepted' && to.type === 'COMPLETED') return;
      }
      if (state?.type === 'COMPLETED' && answer.outcome !== 'rejected') return;
      if (answer.state?.type !== 'SCHEDULED') throw new Failed();
    }
  }

  /** Runs the call's function; or what the engine made of the run in the meantime. */
  async #work(attempt: Attempt, run: RunId, call: CallPlan, start: Answer): Promise<State & { engine?: true }> {
    const number = start.attempt ?? 1;
    const ruled = new Promise<State & { engine: true }>((resolve) => {
      this.#client.follow(run, (order: Order) => {
        if (order.version <= start.version) return;
        if (order.state.type === 'SCHEDULED' || isTerminal(order.state)) resolve({ ...order.state, engine: true });
      });
    });
    const own = async (): Promise<State> => {
      if (call.hangs && number === 1) return new Promise(() => undefined);
      await this.#client.process.sleep(call.durationMs);
      for (const inner of call.calls ?? []) await this.#call(attempt, run, inner);
      return number <= call.failures ? failed(call.retriable) : COMPLETED;
    };
    try {
      return await attempt.until(Promise.race([own(), ruled]));
    } catch (error) {
      if (error instanceof Failed) return failed(true);
      throw error;
    } finally {
      this.#client.unfollow(run);
    }
  }

  #report(run: RunId, kind: 'flow' | 'task', to: State, attempt: Attempt): Promise<Answer> {
    return this.#client.ask({ kind, run, to, report: true, execution: attempt.execution });
  }

  #fence(answer: Answer, attempt: Attempt): void {
    if (answer.code === 'FENCED' || answer.code === 'SESSION_EXPIRED') {
      attempt.end();
      throw new Over();
    }
  }
}
