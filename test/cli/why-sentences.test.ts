/** Sentences of `assent why` about what cannot be made by hand in a moment: deaths, withdrawals, resumed runs. */
import { describe, expect, test } from 'vitest';
import { withSpans } from '../../engine/cli/times.ts';
import { whyLines } from '../../engine/cli/why-sentences.ts';
import { wrapped } from '../../engine/cli/style.ts';
import type { Explained, Explanation, RunDetail } from '../../protocol/query.ts';
import type { RunId } from '../../protocol/ids.ts';

const RUN = 'sssssssssssssss1' as RunId;
const AT_MS = 1_763_800_000_000;

const ruling = (more: Partial<Explained>): Explained => ({
  seq: 2,
  index: 0,
  run: RUN,
  name: 'nightly',
  atMs: AT_MS,
  outcome: 'accepted',
  actor: 'sdk',
  said: [],
  ...more,
});

const explanationOf = (run: Partial<RunDetail>, more: Partial<Explanation> = {}): Explanation => ({
  run: {
    run: RUN,
    kind: 'flow',
    name: 'nightly',
    sinceMs: AT_MS,
    version: 1,
    attempt: 1,
    retriesUsed: 0,
    retriesMax: 0,
    resumes: 0,
    createdMs: AT_MS - 3000,
    beganMs: AT_MS - 3000,
    runMs: 0,
    by: 'sdk',
    slots: [],
    rulings: 2,
    rejected: 0,
    priority: 0,
    place: 1,
    calls: {},
    started: [],
    ...run,
  },
  path: [],
  asleep: [],
  waiting: [],
  waitingMore: 0,
  limits: [],
  refused: [],
  hooks: [],
  artifacts: [],
  failed: [],
  failedMore: 0,
  notable: [],
  ...more,
});

const linesOf = (explanation: Explanation): string[] => whyLines(explanation, { nowMs: AT_MS, tasksMax: 10 });

describe('why', () => {
  test('a death is told in one sentence with one full stop', () => {
    const message = 'its process 12 on ada is silent for 900 ms';
    const died = ruling({ actor: 'engine/liveness', asked: 'Crashed', to: 'Crashed', message });
    const lines = linesOf(explanationOf({ state: { type: 'CRASHED', name: 'Crashed', message } }, { path: [died] }));
    expect(lines[1]).toBe(
      `  It was ruled crashed at the word of the engine, which watches over processes: "${message}".`,
    );
  });

  test('every asker is named by words that stand anywhere in a sentence', () => {
    for (const actor of [
      'sdk',
      'cli',
      'ada',
      'engine',
      'engine/clock',
      'engine/cascade',
      'engine/limit',
      'engine/new',
    ]) {
      const ended = ruling({ actor, asked: 'Failed', to: 'Failed', report: true, message: 'HTTP 500' });
      const [, line = ''] = linesOf(explanationOf({ state: { type: 'FAILED', name: 'Failed' } }, { path: [ended] }));
      expect(line).toMatch(/^ {2}[A-Z][^,:;]+ reported that it failed: "HTTP 500"\.$/);
    }
  });

  test('at the command line it is a person, where the system knows one', () => {
    const state = { type: 'FAILED', name: 'Failed' } as const;
    const asked = ruling({ actor: 'cli', onBehalfOf: 'ada', asked: 'Failed', to: 'Failed' });
    const [, line] = linesOf(explanationOf({ state }, { path: [asked] }));
    expect(line).toBe('  Ada at the command line asked for Failed.');
    const nobody = ruling({ actor: 'cli', asked: 'Failed', to: 'Failed' });
    expect(linesOf(explanationOf({ state }, { path: [nobody] }))[1]).toBe(
      '  Somebody at the command line asked for Failed.',
    );
  });

  test('a pause that is over says who ended it', () => {
    const resumed = ruling({ actor: 'cli', onBehalfOf: 'ada', from: 'Suspended', asked: 'Resuming', to: 'Resuming' });
    const lines = linesOf(explanationOf({ state: { type: 'RUNNING', name: 'Running' } }, { path: [resumed] }));
    expect(lines.join('\n')).toMatch(/\n {2}Ada at the command line resumed it from Suspended at .+\.\n/);
  });

  test('a wait that nobody waits for any more is told as such', () => {
    const held = ruling({ outcome: 'held', rule: 'take-slots', why: 'full', asked: 'Running', to: 'Running' });
    const lines = linesOf(explanationOf({ attempt: 0 }, { notable: [held] }));
    expect(lines[1]).toBe(
      '  It never started: take-slots held it until its flow run ended or went on elsewhere, and nobody waited for it.',
    );
  });

  test('a rule that a user wrote speaks by what it recorded', () => {
    const moved = ruling({
      outcome: 'rewritten',
      asked: 'Running',
      to: 'Weekend',
      rule: 'no-weekends',
      why: 'it is Saturday',
      said: [{ rule: 'no-weekends', opinion: 'rewrite', why: 'it is Saturday' }],
    });
    const state = { type: 'COMPLETED', name: 'Weekend' } as const;
    expect(linesOf(explanationOf({ state }, { path: [moved] }))[1]).toBe(
      '  Its process asked for Running; no-weekends made it Weekend: it is Saturday.',
    );
  });
});

describe('a line that is too long for the terminal', () => {
  test('is broken between words, and what follows stands further in', () => {
    expect(wrapped('  one two three four', 12)).toEqual(['  one two', '    three', '    four']);
    expect(wrapped('short', 12)).toEqual(['short']);
    expect(wrapped('  incomprehensibilities', 12)).toEqual(['  incomprehensibilities']);
  });
});

describe('what rules say in milliseconds', () => {
  test('is said in the units of people from a second on, and a message is left as it is', () => {
    expect(withSpans('due in 2591992447 ms')).toBe('due in 29 d 23 h');
    expect(withSpans('due in 97 ms')).toBe('due in 97 ms');
    expect(withSpans('retry 1 of 3 in 60000 ms, after: Error: it took 60000 ms')).toBe(
      'retry 1 of 3 in 1 min, after: Error: it took 60000 ms',
    );
    expect(withSpans('the thing is due in 60000 ms')).toBe('the thing is due in 60000 ms');
  });
});
