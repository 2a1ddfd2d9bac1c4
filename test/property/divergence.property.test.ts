/**
 * A strict flow run that is executed again is refused nothing as long as its function is deterministic, wherever it crashed
 * and however its calls overlapped, waited, failed and were tried again. A function that makes another call than before is
 * refused that call.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stateDigest } from '../../engine/fold/workspace.ts';
import type { RunId } from '../../protocol/ids.ts';
import type { Ruling } from '../../protocol/rulings.ts';
import { decidingEntry } from '../../protocol/rulings.ts';
import { isTerminal } from '../../protocol/states.ts';
import { Desk, foldAnew, runId } from '../support/worlds.ts';
import { chanceOf } from '../support/worlds-random.ts';

/** What a flow function does. A call fails while its flow run is in an earlier round than `from`. */
type Program =
  | { readonly call: string; readonly from: number; readonly retries: number; readonly limited: boolean }
  | { readonly seq: readonly Program[] }
  | { readonly all: readonly Program[] }
  | { readonly attempt: Program; readonly otherwise: Program };
type CallOf = Extract<Program, { call: string }>;

const FLOW = runId('flow');
const RUNNING = { type: 'RUNNING', name: 'Running' } as const;
const idOf = (key: string): RunId => `${FLOW}.${key}` as RunId;

class Crash extends Error {}

/** One execution after the other of a function, by a process that dies when it is told to. */
class Executions {
  readonly desk: Desk;
  readonly #chance: () => number;
  readonly #strict: boolean;
  #number = 0;

  constructor(seed: number, strict = true) {
    this.#chance = chanceOf(seed);
    this.#strict = strict;
    this.desk = new Desk({ chance: this.#chance });
    this.desk.ask('operator', { kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'db', slotsMax: 1 } });
  }

  get divergences(): Ruling[] {
    return this.desk.ruled.flatMap(({ ruling }) =>
      ruling.outcome === 'rejected' && decidingEntry(ruling.trail)?.code === 'DIVERGED' ? [ruling] : [],
    );
  }

  /** Executes it until it has ended, or so many steps long; then its process dies. */
  async execute(program: Program, stepsMax: number): Promise<void> {
    this.#number += 1;
    const session = `p${String(this.#number)}`;
    const claim = { kind: 'flow', run: FLOW, to: RUNNING, claim: true } as const;
    const retry = { retriesMax: 5, delaysMs: [], jitter: 0 };
    const strict = this.#strict ? ({ strict: true } as const) : {};
    const create = { kind: 'flow', name: 'f', retry, ...strict } as const;
    const first = this.desk.run(FLOW) === undefined;
    this.desk.ask(session, first ? { ...claim, create } : claim);
    const attempt = new Attempt(this.desk, session, this.#chance);
    await attempt.run(program, stepsMax);
    const run = this.desk.run(FLOW);
    if (run !== undefined && !isTerminal(run.state) && run.state.type !== 'SCHEDULED') {
      this.desk.hear(this.desk.engineProposal(run, { type: 'CRASHED', name: 'Crashed' }));
    }
  }

  get isOver(): boolean {
    const type = this.desk.run(FLOW)?.state.type;
    return type === 'COMPLETED' || type === 'FAILED';
  }
}

type Waiter = { readonly key: string; readonly call: CallOf; readonly tell: (failed: boolean) => void };

class Attempt {
  readonly #desk: Desk;
  readonly #session: string;
  readonly #chance: () => number;
  readonly #execution: number;
  readonly #round: number;
  readonly #recorded = new Set<string>();
  readonly #waiting = new Map<string, Waiter>();

  constructor(desk: Desk, session: string, chance: () => number) {
    this.#desk = desk;
    this.#session = session;
    this.#chance = chance;
    const flow = desk.run(FLOW);
    this.#execution = flow?.execution ?? 0;
    this.#round = flow?.round ?? 0;
    for (const run of desk.runs()) {
      const isFinal = run.state.type === 'COMPLETED' || (run.state.type === 'FAILED' && run.ran?.round === this.#round);
      if (run.parent === FLOW && isFinal) this.#recorded.add(run.id);
    }
  }

  async run(program: Program, stepsMax: number): Promise<void> {
    let end: 'COMPLETED' | 'FAILED' | undefined;
    this.#follow(program).then(
      () => (end = 'COMPLETED'),
      () => (end = 'FAILED'),
    );
    for (let step = 0; step < stepsMax; step += 1) {
      for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
      if (end !== undefined) {
        const run = { kind: 'flow', run: FLOW, report: true, execution: this.#execution } as const;
        this.#desk.ask(this.#session, { ...run, to: { type: end, name: end } });
        return;
      }
      if (!this.#tellRecorded() && !this.#work()) this.#desk.pass(10);
    }
  }

  async #follow(program: Program): Promise<void> {
    if ('call' in program) return this.#make(program);
    if ('all' in program) {
      await Promise.all(program.all.map((one) => this.#follow(one)));
    } else if ('seq' in program) {
      for (const one of program.seq) await this.#follow(one);
    } else {
      await this.#follow(program.attempt).catch(() => this.#follow(program.otherwise));
    }
  }

  #make(call: CallOf): Promise<void> {
    const made = this.#start(call);
    if (made?.outcome === 'rejected') return Promise.reject(new Crash('refused'));
    return new Promise((resolve, reject) => {
      const tell = (failed: boolean): void => {
        this.#waiting.delete(call.call);
        if (failed) reject(new Error(call.call));
        else resolve();
      };
      this.#waiting.set(call.call, { key: call.call, call, tell });
    });
  }

  #start({ call: key, retries, limited }: CallOf): Ruling | undefined {
    const retry = { retriesMax: retries, delaysMs: [5], jitter: 0 };
    const limits = limited ? { limits: [{ limit: 'db', slots: 1 }] } : {};
    const create = { kind: 'task', name: key, parent: FLOW, call: { key, ordinal: 0 }, retry, ...limits } as const;
    const run = { kind: 'task', run: idOf(key), execution: this.#execution } as const;
    return this.#desk.ask(this.#session, { ...run, to: RUNNING, create });
  }

  /** What the ledger has the end of is told first, in the order in which it ended. */
  #tellRecorded(): boolean {
    const known = [...this.#waiting.values()]
      .filter(({ key }) => this.#recorded.has(idOf(key)))
      .flatMap((waiter) => this.#desk.run(idOf(waiter.key))?.end ?? [])
      .sort((one, other) => one.seq - other.seq || one.index - other.index);
    const [first] = known;
    const next = [...this.#waiting.values()].find(({ key }) => this.#desk.run(idOf(key))?.end === first);
    if (first === undefined || next === undefined) return false;
    next.tell(this.#desk.run(idOf(next.key))?.state.type === 'FAILED');
    return true;
  }

  /** One of the calls that are at work comes to its end, or to its next attempt. */
  #work(): boolean {
    const atWork = [...this.#waiting.values()].filter(({ key }) => {
      const run = this.#desk.run(idOf(key));
      return run?.state.type === 'RUNNING' && run.ran?.execution === this.#execution;
    });
    const one = atWork[Math.floor(this.#chance() * atWork.length)];
    if (one === undefined) return false;
    const { key, call } = one;
    const fails = this.#round < call.from || (this.#desk.run(idOf(key))?.retriesUsed ?? 0) < call.retries;
    const to = fails ? ({ type: 'FAILED', name: 'Failed' } as const) : ({ type: 'COMPLETED', name: 'Done' } as const);
    const run = { kind: 'task', run: idOf(key), execution: this.#execution, report: true } as const;
    this.#desk.ask(this.#session, { ...run, to });
    const { type } = this.#desk.run(idOf(key))?.state ?? { type: 'NONE' };
    if (type === 'SCHEDULED') this.#start(call);
    else if (type === 'COMPLETED' || type === 'FAILED') one.tell(type === 'FAILED');
    return true;
  }
}

/** Programs of calls with names of their own. */
const program = (depth: number): fc.Arbitrary<Program> => {
  const call: fc.Arbitrary<Program> = fc.record({
    call: fc.constant(''),
    from: fc.constantFrom(0, 0, 0, 1, 2),
    retries: fc.constantFrom(0, 0, 1),
    limited: fc.boolean(),
  });
  if (depth === 0) return call;
  const inner = program(depth - 1);
  const several = fc.array(inner, { minLength: 1, maxLength: 4 });
  return fc.oneof(
    { weight: 1, arbitrary: call },
    { weight: 3, arbitrary: several.map((seq) => ({ seq })) },
    { weight: 3, arbitrary: several.map((all) => ({ all })) },
    { weight: 1, arbitrary: fc.record({ attempt: inner, otherwise: inner }) },
  );
};

/** Names its calls in the order in which they are written. */
function named(one: Program, next = { number: 0 }): Program {
  if ('call' in one) return { ...one, call: `c${String((next.number += 1))}` };
  if ('seq' in one) return { seq: one.seq.map((part) => named(part, next)) };
  if ('all' in one) return { all: one.all.map((part) => named(part, next)) };
  return { attempt: named(one.attempt, next), otherwise: named(one.otherwise, next) };
}

const crashes = fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 6 });
const numRuns = Number(process.env['RUNS'] ?? 300);

describe('a strict flow run', () => {
  test('whose function is deterministic is refused nothing, wherever it crashes, and ends', async () => {
    let executedAgain = 0;
    const property = fc.asyncProperty(program(3), crashes, fc.integer(), async (written, points, seed) => {
      const deterministic = named(written);
      const executions = new Executions(seed);
      for (const point of points) if (!executions.isOver) await executions.execute(deterministic, point);
      for (let more = 0; more < 12 && !executions.isOver; more += 1) await executions.execute(deterministic, 500);
      expect(executions.divergences).toEqual([]);
      expect(executions.isOver).toBe(true);
      executedAgain += executions.desk.run(FLOW)?.execution ?? 0;
      const { desk } = executions;
      desk.seal();
      expect(stateDigest(foldAnew(desk.segments))).toBe(desk.digest);
    });
    await fc.assert(property, { numRuns });
    expect(executedAgain).toBeGreaterThan(numRuns);
  });

  const names = fc.uniqueArray(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 8 });
  const plain = (name: string): CallOf => ({ call: name, from: 0, retries: 0, limited: false });
  const sequence = (numbers: readonly number[], other?: number): Program => ({
    seq: numbers.map((number, index) => plain(index === other ? 'other' : `c${String(number)}`)),
  });

  test('that makes another call in place of one that it has made is refused it, and nothing else changes', async () => {
    const property = fc.asyncProperty(names, fc.nat(), fc.integer(), async (numbers, at, seed) => {
      const changed = at % numbers.length;
      const executions = new Executions(seed);
      // Each call takes a step; the one in question has begun.
      await executions.execute(sequence(numbers), changed + 1);
      const before = executions.desk.runs().length;
      await executions.execute(sequence(numbers, changed), 500);
      const [refusal] = executions.divergences;
      expect(executions.divergences).toHaveLength(1);
      const expected = { run: idOf(`c${String(numbers[changed])}`), key: `c${String(numbers[changed])}` };
      expect(refusal?.facts['call']).toEqual({ key: 'other', expected });
      expect(executions.desk.runs()).toHaveLength(before);
    });
    await fc.assert(property, { numRuns: 100 });
  });

  test('may make new calls where it has not been yet', async () => {
    const executions = new Executions(1);
    await executions.execute(sequence([1, 2]), 3);
    await executions.execute(sequence([1, 2, 3, 4]), 500);
    expect(executions.divergences).toEqual([]);
    expect(executions.isOver).toBe(true);
  });
});

test('a flow run that is not strict may change as it likes', async () => {
  const executions = new Executions(1, false);
  const call = { from: 0, retries: 0, limited: false };
  await executions.execute(
    {
      seq: [
        { call: 'a', ...call },
        { call: 'b', ...call },
      ],
    },
    2,
  );
  await executions.execute(
    {
      seq: [
        { call: 'x', ...call },
        { call: 'b', ...call },
      ],
    },
    500,
  );
  expect(executions.divergences).toEqual([]);
  expect(executions.isOver).toBe(true);
});
