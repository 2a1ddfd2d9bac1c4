/**
 * What every runner promises of the tasks that it runs: the same, wherever their functions run. Written from the
 * interface (sdk/task-runner.ts) and the guide; task-runner.test.ts holds each runner to it.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AssentError, cancelRun, flow, flowRun, type TaskRunner } from '../../sdk/index.ts';
import * as tasks from './task-runner.tasks.ts';

export type RunnerUnderTest = {
  /** At most so many calls at once, if it is said. */
  readonly runner: (limit?: number) => TaskRunner;
  /** The lines of a flow run's log. */
  readonly logOf: (run: string) => Promise<string>;
};

let folder: string;
let files = 0;
const newFile = (): string => join(folder, `effects-${String((files += 1))}.txt`);
export const linesIn = (file: string): string[] =>
  existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];

/** What another process or thread writes cannot be awaited otherwise. */
export async function noted(file: string, line: string | RegExp): Promise<void> {
  while (!linesIn(file).some((one) => (typeof line === 'string' ? one === line : line.test(one)))) await pause(10);
}

export function testRunnerContract(name: string, given: () => RunnerUnderTest): void {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assent-runner-'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });
  const inFlow = <T>(act: () => Promise<T>, limit?: number): Promise<T> =>
    flow({ name: 'contract', resume: false, taskRunner: given().runner(limit) }, act)() as Promise<T>;

  describe(`a task in ${name}: what goes in and comes out`, () => {
    testValues(inFlow);
  });
  describe(`a task in ${name}: its attempts`, () => {
    testAttempts(inFlow);
  });
  describe(`a task in ${name}: being told to stop`, () => {
    testStopping(inFlow);
  });
  describe(`tasks in ${name}: side by side`, () => {
    testConcurrency(inFlow, (limit) => given().runner(limit));
  });

  test(`a task in ${name} logs to its run, in order, before its end`, async () => {
    const id = await inFlow(async () => {
      await tasks.logs('hello');
      return flowRun().id;
    });
    // The lines are on their way for a moment.
    let text = await given().logOf(id);
    while (!text.includes('hello 3')) text = await given().logOf(id);
    expect([...text.matchAll(/hello \d/g)].map(([found]) => found)).toEqual(['hello 1', 'hello 2', 'hello 3']);
  });
}

type InFlow = <T>(act: () => Promise<T>, limit?: number) => Promise<T>;

function testValues(inFlow: InFlow): void {
  test('rich values survive the way there and back', async () => {
    const value = {
      date: new Date(0),
      map: new Map([['a', new Set([1, 2n])]]),
      url: new URL('https://example.org/x?y=1'),
      bytes: new Uint8Array([1, 2, 3]),
      nothing: undefined,
      list: [1.5, -0, Number.NaN, 'text', null],
      error: new RangeError('inner'),
    };
    expect(await inFlow(() => tasks.echo(value))).toEqual(value);
    expect(await inFlow(() => tasks.echo(undefined))).toBeUndefined();
  });

  test.each([
    { what: 'type', class: TypeError, like: { message: 'no cheese' } },
    { what: 'assent', class: AssentError, like: { kind: 'BAD_PARAMETERS', detail: expect.anything() as string } },
    { what: 'own', class: Error, like: { name: 'CheeseError', message: 'mine', code: 'E_CHEESE' } },
  ] as const)('an error comes back as what it was: $what', async ({ what, class: of, like }) => {
    const error: unknown = await inFlow(() => tasks.throws(what)).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(of);
    expect(error).toMatchObject(like);
    if (what === 'type') expect((error as Error).cause).toBeInstanceOf(RangeError);
  });

  test('what was thrown and is no error comes back as it is', async () => {
    expect(await inFlow(() => tasks.throws('text')).catch((thrown: unknown) => thrown)).toBe('just text');
  });

  test('an end that the function returns is the end of the call', async () => {
    expect(await inFlow(() => tasks.ends('completed'))).toBe(7);
    const error: unknown = await inFlow(() => tasks.ends('failed')).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RangeError);
  });
}

function testAttempts(inFlow: InFlow): void {
  test('a failure is retried as the options say; each attempt knows its number, its run and its flow', async () => {
    const told = await inFlow(async () => [flowRun().id, await tasks.tellRun(2)] as const);
    const [id, { attempt, idempotencyKey, ...rest }] = told;
    expect(attempt).toBe(3);
    expect(idempotencyKey).toMatch(new RegExp(`^${id}\\.tell-run-`));
    expect(rest).toEqual({ id: idempotencyKey, name: 'tell-run', flowRunId: id, flow: 'contract' });
  });

  test('the idempotency key is the same in every attempt', async () => {
    const key = await inFlow(async () => (await tasks.tellRun(1)).idempotencyKey);
    const error: unknown = await inFlow(() => tasks.tellRun(9)).catch((thrown: unknown) => thrown);
    expect((error as Error).message).toMatch(/^attempt 3 of .+\.tell-run-/);
    expect(key).toMatch(/\.tell-run-/);
  });

  test('one that retryIf calls final is not retried', async () => {
    const file = newFile();
    await expect(inFlow(() => tasks.final(file))).rejects.toThrow('this will not get better');
    expect(linesIn(file)).toEqual(['attempt 1']);
  });
}

function testStopping(inFlow: InFlow): void {
  test('when its time is over its signal says so, and the call fails with TIMED_OUT', async () => {
    const file = newFile();
    await expect(inFlow(() => tasks.patient(file))).rejects.toMatchObject({ kind: 'TIMED_OUT' });
    await noted(file, 'stopped: TIMED_OUT');
    expect(linesIn(file)[0]).toBe('begun');
  });

  test('when its flow run is cancelled its signal says so, and the flow ends CANCELLED', async () => {
    const file = newFile();
    let id = '';
    const running = inFlow(async () => {
      id = flowRun().id;
      await tasks.stoppable(file);
    });
    await Promise.race([noted(file, 'begun'), running]);
    await cancelRun(id, 'enough');
    await expect(running).rejects.toMatchObject({ kind: 'CANCELLED' });
    await noted(file, 'stopped: CANCELLED');
  });
}

function mostAtOnce(file: string): number {
  let atWork = 0;
  return Math.max(...linesIn(file).map((line) => (atWork += line === '+' ? 1 : -1)));
}

function testConcurrency(inFlow: InFlow, runnerOf: (limit?: number) => TaskRunner): void {
  test('the results of a map come in the order of its inputs', async () => {
    const file = newFile();
    const numbers = Array.from({ length: 12 }, (_, n) => n);
    const squares = await inFlow(() => tasks.slowly.map(numbers, file).results());
    expect(squares).toEqual(numbers.map((n) => n * n));
  });

  test('a task has the limit of its own runner, and the others that of the flow’s', async () => {
    const file = newFile();
    const own = tasks.slowly.with({ runner: runnerOf(1) });
    await inFlow(() => Promise.all([own.map([1, 2, 3], file).results(), tasks.echo('meanwhile')]));
    expect(mostAtOnce(file)).toBe(1);
  });

  test('no more are at work at once than the limit says, and that many are', async () => {
    const file = newFile();
    await inFlow(() => tasks.slowly.map([1, 2, 3, 4, 5, 6, 7, 8], file).results(), 2);
    expect(mostAtOnce(file)).toBe(2);
  });
}
