/** That a replay reproduces what was ruled by the record, and finds whatever was ruled otherwise. */
import { describe, expect, test } from 'vitest';
import { isReproduced, replayLedger, type JudgesOf, type Stored } from '../../engine/replay/replay.ts';
import { storedOn } from '../../engine/replay/stored.ts';
import type { Entry, Ruling } from '../../protocol/rulings.ts';
import { decodeEntry, encodeEntry } from '../../protocol/segment.ts';
import { court } from '../../rules/judge.ts';
import { corePolicies } from '../../rules/policy.ts';
import { defineRule, pass, reject, type Rule } from '../../rules/rule.ts';
import { History } from '../projections/history.ts';
import { problemsIn, replayProblems } from '../support/replayed.ts';
import { Monkey } from '../support/worlds-random.ts';
import { Desk, runId, segmentOf } from '../support/worlds.ts';

const RUN = runId('flow');
const RUNNING = { type: 'RUNNING', name: 'Running' } as const;
const create = { kind: 'flow', name: 'f', retry: { retriesMax: 1, delaysMs: [100], jitter: 1 } } as const;

/** A limit, a start, a failure that becomes a retry, and a refusal. */
function aRetry(theCourt = court(corePolicies)): Desk {
  const desk = new Desk({ chance: () => 0.25, court: theCourt });
  desk.ask('s', { kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'db', slotsMax: 1 } });
  desk.ask('s', { kind: 'flow', run: RUN, to: RUNNING, claim: true, create });
  desk.ask('s', { kind: 'flow', run: RUN, to: { type: 'FAILED', name: 'Failed' }, report: true, execution: 1 });
  desk.ask('s', { kind: 'flow', run: RUN, to: RUNNING, basedOn: 1 });
  desk.ask('s', { kind: 'flow', run: runId('other'), to: RUNNING, claim: true, create });
  desk.ask('s', { kind: 'flow', run: runId('nobody'), to: RUNNING });
  desk.seal();
  return desk;
}

const storedOf = (desk: Desk, change: (entry: Entry) => Entry = (entry) => entry): Stored[] =>
  desk.segments.map(({ bytes }, at) =>
    segmentOf(bytes).lines.map((line, index) => ({
      line: encodeEntry(change(decodeEntry(line))),
      at: { seq: at + 1, index },
    })),
  );

/** The entry with what `change` makes of the one ruling that it is meant for. */
const changed =
  (isIt: (ruling: Ruling) => boolean, change: (ruling: Ruling) => object) =>
  (entry: Entry): Entry =>
    entry.type === 'RULING' && isIt(entry) ? { ...entry, ...change(entry) } : entry;
const isRetry = ({ outcome }: Ruling): boolean => outcome === 'rewritten';

const under =
  (theCourt = court(corePolicies)): JudgesOf =>
  () => ({ courtOf: () => theCourt });

describe('a history', () => {
  test('is reproduced ruling by ruling, and what no rule judged is counted as that', async () => {
    const desk = aRetry();
    const report = await replayLedger(storedOf(desk), { judgesOf: under(), facts: true });
    // The limit and the refusal of an unknown run were never judged.
    expect(report).toMatchObject({ rulings: desk.ruled.length, unjudged: 2, differing: 0, missing: [] });
    expect(report.reproduced).toBe(desk.ruled.length - 2);
    expect(report.facts).toEqual({ reproduced: desk.ruled.length, differing: 0, differences: [] });
    expect(isReproduced(report)).toBe(true);
  });

  test('of random work is, too, void segments and takeovers included', async () => {
    const monkey = new Monkey();
    for (let i = 0; i < 200; i += 1) monkey.do([i * 7, i * 5, i * 3, i * 11, i * 13]);
    monkey.desk.seal();
    const report = await replayLedger(storedOf(monkey.desk), { judgesOf: under(monkey.desk.court), facts: true });
    expect(problemsIn(report)).toEqual([]);
    expect(report.reproduced).toBeGreaterThan(50);

    const history = new History(5).grow(300);
    history.addVoid();
    history.epoch();
    history.grow(200);
    expect(await replayProblems(history.log)).toEqual([]);
    expect((await replayLedger(storedOn(history.log), { judgesOf: under() })).rulings).toBe(history.rulings.length);
  });

  test('is folded as a whole, of which one run is asked about', async () => {
    const report = await replayLedger(storedOf(aRetry()), { judgesOf: under(), only: RUN });
    expect(report).toMatchObject({ rulings: 3, reproduced: 3, unjudged: 0 });
  });
});

describe('what was not ruled by the record is found:', () => {
  test('a fact that was changed afterwards, by what the rules make of it', async () => {
    const forged = changed(isRetry, ({ facts }) => ({ facts: { ...facts, chance: 0.75 } }));
    const report = await replayLedger(storedOf(aRetry(), forged), { judgesOf: under() });
    expect(report).toMatchObject({ differing: 1, reproduced: 3 });
    expect(report.differences).toEqual([
      {
        at: { seq: 2, index: 2 },
        proposal: 's:2',
        run: RUN,
        policy: '0000000000000000',
        field: 'trail[3].why',
        recorded: 'retry 1 of 1 in 125 ms',
        again: 'retry 1 of 1 in 175 ms',
      },
    ]);
    expect(problemsIn(report).join('\n')).toContain(
      '2.2 s:2 on flow000000000000, policy 0000000000000000: trail[3].why differs\n  recorded  "retry 1 of 1 in 125 ms"',
    );
  });

  test('a fact that no rule minded, when the facts are gathered anew', async () => {
    const forged = changed(isRetry, ({ facts }) => ({
      facts: { ...facts, retry: { ...(facts['retry'] as object), used: 0, more: 1 } },
    }));
    const report = await replayLedger(storedOf(aRetry(), forged), { judgesOf: under(), facts: true });
    // The run's next ruling names the hash of another line than the forged one.
    expect(report).toMatchObject({ differing: 0, facts: { differing: 2, differences: [{}, { field: 'prev' }] } });
    expect(report.facts?.differences[0]).toMatchObject({
      at: { seq: 2, index: 2 },
      field: 'facts.retry.more',
      recorded: 1,
    });
    expect(isReproduced(report)).toBe(false);
  });

  test('an outcome, a trail, an execution that were changed afterwards', async () => {
    const lenient = changed(
      ({ outcome }) => outcome === 'rejected',
      () => ({ outcome: 'accepted' }),
    );
    expect((await replayLedger(storedOf(aRetry(), lenient), { judgesOf: under() })).differences[0]?.field).toBe(
      'outcome',
    );
    const silent = changed(isRetry, ({ trail }) => ({ trail: trail.slice(1) }));
    expect((await replayLedger(storedOf(aRetry(), silent), { judgesOf: under() })).differences[0]?.field).toBe(
      'trail[0]',
    );
    const minted = changed(
      ({ execution }) => execution !== undefined,
      () => ({ execution: 7 }),
    );
    const { differing, facts } = await replayLedger(storedOf(aRetry(), minted), { judgesOf: under(), facts: true });
    expect({ differing, field: facts?.differences[0]?.field }).toEqual({ differing: 0, field: 'execution' });
  });

  test('a rule that has changed since', async () => {
    const retries = (rule: Rule): Rule =>
      rule.name === 'retry-failed-flow' ? { ...rule, judge: () => reject('NO', 'no more retries') } : rule;
    const flow = { name: 'flow', rules: corePolicies.flow.rules.map(retries) };
    const report = await replayLedger(storedOf(aRetry()), { judgesOf: under(court({ ...corePolicies, flow })) });
    expect(report).toMatchObject({
      differing: 1,
      differences: [{ field: 'outcome', recorded: 'rewritten', again: 'rejected' }],
    });
  });

  test('a rule that knew something which is not on the ledger', async () => {
    let asked = 0;
    const counting = defineRule({
      name: 'every-other',
      summary: 'Counts in secret.',
      on: ['flow'],
      from: ['NONE'],
      to: ['RUNNING'],
      needs: [],
      may: [],
      judge: () => {
        asked += 1;
        return pass(undefined, `start ${String(asked)}`);
      },
    });
    const flow = { name: 'flow', rules: [counting, ...corePolicies.flow.rules] };
    const impure = court({ ...corePolicies, flow });
    const report = await replayLedger(storedOf(aRetry(impure)), { judgesOf: under(impure) });
    expect(report.differences[0]).toMatchObject({ field: 'trail[0].why', recorded: 'start 1', again: 'start 3' });
  });

  test('but not a rule that looks at what others need: it sees the same again', async () => {
    const peeking: Rule = {
      name: 'peeks',
      summary: 'Reads what it does not need.',
      on: ['flow'],
      from: ['RUNNING'],
      to: ['FAILED'],
      needs: [],
      may: [],
      judge: (_, facts) => pass(undefined, JSON.stringify(Object.keys(facts))),
    };
    const theCourt = court({ ...corePolicies, flow: { name: 'flow', rules: [peeking, ...corePolicies.flow.rules] } });
    expect(problemsIn(await replayLedger(storedOf(aRetry(theCourt)), { judgesOf: under(theCourt) }))).toEqual([]);
  });
});

test('a policy that is not to be had is named, with how much it judged', async () => {
  const report = await replayLedger(storedOf(aRetry()), { judgesOf: () => undefined });
  expect(report).toMatchObject({ reproduced: 0, differing: 0, unjudged: 2 });
  expect(report.missing).toEqual([{ policy: '0000000000000000', rulings: 4, first: { seq: 2, index: 1 } }]);
  expect(isReproduced(report)).toBe(false);
});

test('of many differences the first ones are told, and all are counted', async () => {
  const all = changed(
    () => true,
    () => ({ outcome: 'held' }),
  );
  const report = await replayLedger(storedOf(aRetry(), all), { judgesOf: under(), differencesMax: 2 });
  expect(report.differing).toBeGreaterThan(2);
  expect(report.differences).toHaveLength(2);
});
