/** The command itself, on cases that we wrote: that it agrees, that it can fail, and that no deviation hides too much. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { excusesOf, readDeviations, type Seen } from './deviations.ts';
import type { Result, Tried } from './report.ts';
import { runCases } from './run.ts';

const HERE = import.meta.dirname;
const SAMPLE = join(HERE, 'sample.json');
const sample = readFileSync(SAMPLE, 'utf8');
const deviations = readDeviations(join(HERE, 'deviations.json'));
const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function conformance(...files: string[]): { readonly code: number | null; readonly last: string | undefined } {
  try {
    const said = execFileSync(process.execPath, [join(HERE, 'main.ts'), ...files], { encoding: 'utf8', stdio: 'pipe' });
    return { code: 0, last: said.trimEnd().split('\n').at(-1) };
  } catch (error) {
    const { status, stdout } = error as { status: number | null; stdout: string };
    return { code: status, last: stdout.trimEnd().split('\n').at(-1) };
  }
}

function fileOf(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

type SampleCase = { id: string; rule?: string; expect?: Record<string, unknown>; propose?: Record<string, unknown> };
const sampleCases = JSON.parse(sample) as SampleCase[];

/** One case of the sample, changed; what became of it. */
function resultOf(id: string, change: (one: SampleCase) => void): Result | undefined {
  const one = structuredClone(sampleCases.find((other) => other.id === `sample/${id}`));
  if (one === undefined) throw new Error(`the sample has no case ${id}`);
  change(one);
  return runCases(JSON.stringify([one]), 'changed', deviations)[0]?.result;
}

const outcomesOf = (tried: readonly Tried[]): Record<string, string> =>
  Object.fromEntries(tried.map(({ id, result }) => [id.replace('sample/', ''), result.outcome]));

describe('npm run conformance', () => {
  test('prints what passed, failed and was skipped, and ends well when nothing failed', () => {
    const { code, last } = conformance(SAMPLE);
    expect(code).toBe(0);
    expect(last).toMatch(/^\d+ passed, 0 failed, \d+ skipped$/);
  });

  test('ends with 1 when a case fails', () => {
    const one = sampleCases.find(({ id }) => id === 'sample/agrees/spent');
    const wrong = { ...one, expect: { ...one?.expect, state: { type: 'COMPLETED' } } };
    expect(conformance(fileOf('wrong.json', JSON.stringify([wrong])))).toEqual({
      code: 1,
      last: '0 passed, 1 failed, 0 skipped',
    });
  });

  test.each([
    ['no file', []],
    ['a file that is not there', [join(folder, 'missing.json')]],
    ['a file that holds no cases', [fileOf('none.json', '{}')]],
  ])('ends with 2 for %s', (_, files) => {
    expect(conformance(...files).code).toBe(2);
  });
});

test('each case of the sample comes out as its name says', () => {
  const expected = { agrees: 'passed', differs: 'deviates', unasked: 'skipped' };
  const outcomes = outcomesOf(runCases(sample, SAMPLE, deviations));
  const wrong = Object.entries(outcomes).filter(
    ([id, outcome]) => expected[id.split('/')[0] as keyof typeof expected] !== outcome,
  );
  expect(wrong).toEqual([]);
});

test('a case that says what is not translated is skipped, and the field is named', () => {
  const result = resultOf('unasked/unknown-field', () => undefined);
  expect(result).toEqual({ outcome: 'skipped', why: 'propose.details.wind is not translated' });
});

describe('each deviation', () => {
  const met = runCases(sample, SAMPLE, deviations).flatMap(({ result }) =>
    result.outcome === 'deviates' ? result.by.map(({ name }) => name) : [],
  );

  test('is met by a case of the sample, and there is no second one of its name', () => {
    const names = deviations.map(({ name }) => name);
    expect([...new Set(met)].sort()).toEqual([...names].sort());
  });

  test('names a decision that is there', () => {
    const decisions = readdirSync(join(HERE, '../../docs/adr')).map((name) => name.slice(0, 4));
    expect(deviations.filter(({ adr }) => !decisions.includes(adr))).toEqual([]);
    expect(existsSync(join(HERE, '../../docs/adr/0012-where-we-differ-from-prefect.md'))).toBe(true);
  });

  test('is about kinds of cases, not about single ones', () => {
    const paths = deviations.flatMap(({ when }) => Object.keys(when.where ?? {}));
    expect(paths.filter((path) => !/^(given|propose|expect)\./.test(path))).toEqual([]);
  });
});

describe('a deviation excuses', () => {
  const seen: Seen = {
    scope: 'flow',
    mode: 'policy',
    policy: 'CoreFlowPolicy',
    from: 'CANCELLING',
    to: 'FAILED',
    case: {},
  };
  const cancelled = { field: 'state', expected: 'CANCELLING', actual: 'CANCELLED' };

  test('what it says that we do', () => {
    const verdict = { field: 'verdict', expected: 'rejected', actual: 'rewritten' };
    expect(excusesOf(deviations, seen, [verdict, cancelled])?.map(({ name }) => name)).toEqual([
      'what-is-being-cancelled-ends-cancelled',
    ]);
  });

  test('nothing else that differs', () => {
    expect(excusesOf(deviations, seen, [cancelled, { field: 'due', expected: 1, actual: 2 }])).toBeUndefined();
    expect(excusesOf(deviations, seen, [{ ...cancelled, actual: 'RUNNING' }])).toBeUndefined();
  });

  test('no other transition', () => {
    expect(excusesOf(deviations, { ...seen, from: 'RUNNING' }, [cancelled])).toBeUndefined();
  });
});

describe('a case fails that expects', () => {
  const failing = (id: string, change: (one: SampleCase) => void): readonly string[] => {
    const result = resultOf(id, change);
    return result?.outcome === 'failed' ? result.differences.map(({ field }) => field) : [];
  };
  const expecting = (fields: Record<string, unknown>) => (one: SampleCase) => {
    one.expect = { ...one.expect, ...fields };
  };

  test.each<[string, string, Record<string, unknown>, string]>([
    ['another verdict', 'agrees/start', { verdict: 'wait' }, 'verdict'],
    ['another state', 'agrees/start', { state: { type: 'PENDING' } }, 'state'],
    ['another name', 'agrees/start', { state: { type: 'RUNNING', name: 'Retrying' } }, 'name'],
    ['another count', 'agrees/start', { run: { runCount: 1 } }, 'run.runCount'],
    ['another start', 'agrees/start', { run: { startTime: '2023-12-31T00:00:00Z' } }, 'run.startTime'],
    ['another wait', 'agrees/too-early', { delaySeconds: 60 }, 'wait'],
    ['another time', 'agrees/retry', { state: { type: 'SCHEDULED', name: 'AwaitingRetry' } }, 'due'],
    ['other slots', 'agrees/slot-back', { world: { deploymentActiveSlots: 3 } }, 'slots.deployment'],
    ['another result', 'agrees/cached', { state: { type: 'COMPLETED', name: 'Cached' } }, 'result'],
    ['no queue', 'agrees/queued', { queued: [] }, 'queued'],
    ['another round', 'agrees/uncommitted', { run: { flowRunRunCount: 2 } }, 'run.flowRunRunCount'],
  ])('%s', (_, id, fields, field) => {
    expect(failing(id, expecting(fields))).toContain(field);
  });
});
