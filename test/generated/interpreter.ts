/**
 * What a generated program means. It is the flow functions' code: run with real calls by a real flow, and with calls
 * that are answered from the ledger by the explanation.
 *
 * A block's value is the list of its statements' values; a statement sees the values of those before it and around it.
 */
import { calleeOf, flowName, type Block, type Call, type Expression, type Program, type Statement } from './program.ts';
import { fingerprint, numberOf, piecesOf, shapeOf } from './values.ts';

/** How calls are made. */
export interface Calls {
  task(index: number, inputs: readonly unknown[]): Promise<unknown>;
  flow(index: number, parameters: object): Promise<unknown>;
  /** Fails until `repair` with the same text has been done. */
  shaky(text: string): Promise<unknown>;
  repair(text: string): Promise<unknown>;
}

/** The body of the flow at `index`. */
export async function runFlow(program: Program, index: number, parameters: unknown, calls: Calls): Promise<unknown> {
  const plan = program.flows[index];
  if (plan === undefined) throw new Error(`there is no flow ${String(index)}`);
  const values: unknown[] = [];
  if (plan.isRepaired) {
    const text = `${flowName(index)} ${fingerprint(parameters)}`;
    try {
      values.push(await calls.shaky(text));
    } catch (error) {
      await calls.repair(text);
      throw error;
    }
  }
  const interpreter = new Interpreter(program, index, calls);
  values.push(await interpreter.block(plan.body, [parameters]));
  return { flow: flowName(index), values };
}

class Interpreter {
  readonly #program: Program;
  readonly #flow: number;
  readonly #calls: Calls;

  constructor(program: Program, flow: number, calls: Calls) {
    this.#program = program;
    this.#flow = flow;
    this.#calls = calls;
  }

  async block(block: Block, around: readonly unknown[]): Promise<unknown[]> {
    const seen = [...around];
    for (const statement of block) seen.push(await this.#statement(statement, seen));
    return seen.slice(around.length);
  }

  #statement(statement: Statement, seen: readonly unknown[]): Promise<unknown> {
    switch (statement.type) {
      case 'CALL':
        return this.#call(statement.call, seen);
      case 'ALL':
        return Promise.all(this.#blocks(statement.branches, seen));
      case 'SETTLED':
        return this.#settled(this.#blocks(statement.branches, seen));
      case 'RACE':
        return this.#race(this.#blocks(statement.branches, seen));
      case 'FILL':
        return this.#fill(statement, seen);
      case 'IF':
        return this.block(numberOf(this.#value(statement.on, seen)) % 2 === 0 ? statement.yes : statement.no, seen);
      case 'EACH':
        return this.#each(statement, seen);
      case 'TRY':
        return this.#try(statement, seen);
      case 'AGAIN':
        return this.#again(statement, seen);
    }
  }

  #blocks(blocks: readonly Block[], seen: readonly unknown[]): Promise<unknown[]>[] {
    return blocks.map((block) => this.block(block, seen));
  }

  async #settled(branches: readonly Promise<unknown>[]): Promise<unknown> {
    const outcomes = await Promise.allSettled(branches);
    return outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : this.#caught(outcome.reason)));
  }

  async #race(branches: readonly Promise<unknown>[]): Promise<unknown> {
    const race = Promise.race(branches.map((branch, won) => branch.then((value) => ({ won, value }))));
    if (this.#program.isOpen) return race;
    return race.then(
      () => 'over',
      () => 'over',
    );
  }

  async #fill(
    { into, branches, pass }: Extract<Statement, { type: 'FILL' }>,
    seen: readonly unknown[],
  ): Promise<unknown> {
    const { container, put } = emptyContainer(into);
    const putting = this.#blocks(branches, seen).map(async (branch, index) => {
      put(`branch${String(index)}`, await branch);
    });
    await Promise.all(putting);
    return this.#call(pass, [...seen, container], [container]);
  }

  async #each({ of, atOnce, body }: Extract<Statement, { type: 'EACH' }>, seen: readonly unknown[]): Promise<unknown> {
    const pieces = piecesOf(this.#value(of, seen));
    if (atOnce) return Promise.all(pieces.map((piece) => this.block(body, [...seen, piece])));
    const values: unknown[] = [];
    for (const piece of pieces) values.push(await this.block(body, [...seen, piece]));
    return values;
  }

  async #try({ body, caught }: Extract<Statement, { type: 'TRY' }>, seen: readonly unknown[]): Promise<unknown> {
    try {
      return await this.block(body, seen);
    } catch (error) {
      const what = this.#caught(error);
      return { caught: what, then: await this.block(caught, [...seen, what]) };
    }
  }

  async #again({ times, call }: Extract<Statement, { type: 'AGAIN' }>, seen: readonly unknown[]): Promise<unknown> {
    const failures: unknown[] = [];
    for (let count = 0; count < times; count += 1) {
      try {
        return { count, value: await this.#call(call, seen, [count]), failures };
      } catch (error) {
        failures.push(this.#caught(error));
      }
    }
    return { failures };
  }

  /** Which of several errors comes first depends on which call ends first; so a program that is not open does not look. */
  #caught(error: unknown): unknown {
    if (!this.#program.isOpen) return 'an error';
    const { name, message, code, cause } = error as {
      name?: unknown;
      message?: unknown;
      code?: unknown;
      cause?: unknown;
    };
    return { name, message, code, cause };
  }

  #call(call: Call, seen: readonly unknown[], first: readonly unknown[] = []): Promise<unknown> {
    const inputs = [...first, ...call.inputs.map((input) => this.#value(input, seen))];
    const { kind, index } = calleeOf(this.#program, this.#flow, call);
    return kind === 'TASK'
      ? this.#calls.task(index, inputs)
      : this.#calls.flow(index, { inputs, since: new Date(index) });
  }

  #value(expression: Expression, seen: readonly unknown[]): unknown {
    switch (expression.type) {
      case 'SHAPE':
        return shapeOf(expression.shape, expression.n);
      case 'SEEN':
        return seen[expression.place % seen.length];
      case 'LIST':
      case 'OBJECT':
      case 'MAP':
      case 'SET': {
        const { container, put } = emptyContainer(expression.type);
        expression.items.forEach((item, index) => {
          put(`item${String(index)}`, this.#value(item, seen));
        });
        return container;
      }
    }
  }
}

type Put = (key: string, value: unknown) => void;

function emptyContainer(type: 'LIST' | 'OBJECT' | 'MAP' | 'SET'): { container: unknown; put: Put } {
  switch (type) {
    case 'LIST': {
      const list: unknown[] = [];
      return { container: list, put: (_, value) => list.push(value) };
    }
    case 'OBJECT': {
      const object: Record<string, unknown> = {};
      return {
        container: object,
        put: (key, value) => {
          object[key] = value;
        },
      };
    }
    case 'MAP': {
      const map = new Map<string, unknown>();
      return { container: map, put: (key, value) => map.set(key, value) };
    }
    case 'SET': {
      const set = new Set<unknown>();
      return { container: set, put: (_, value) => set.add(value) };
    }
  }
}
