/**
 * Seeded worlds (world.ts), judged by checkers that know the architecture and not the code. One seed is one world:
 * `SEED=12 npm run simulate` lives it again and prints what the arbiters said, `SEEDS=1000 npm run simulate` lives many.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { OUTCOMES } from '../../protocol/rulings.ts';
import { sha256 } from '../../protocol/segment.ts';
import { corePolicies } from '../../rules/policy.ts';
import { replayProblems } from '../support/replayed.ts';
import { codeOf, historyOf, wrongsIn } from './checkers.ts';
import { FATES, MISFORTUNES } from './misfortune.ts';
import { theCourt, World } from './world.ts';

const only = process.env['SEED'];
const count = Number(process.env['SEEDS'] ?? 50);
const seeds = only === undefined ? Array.from({ length: count }, (_, index) => index + 1) : [Number(only)];

/** What the worlds met between them. */
const reached = new Map<string, number>();
const reach = (what: string, times = 1): void => {
  if (times > 0) reached.set(what, (reached.get(what) ?? 0) + times);
};

async function live(seed: number): Promise<readonly string[]> {
  const world = new World(seed);
  await world.live();
  const history = await historyOf(world);
  for (const [fault, times] of world.faults) reach(fault, times);
  for (const { ruling } of history.rulings) {
    reach(ruling.outcome);
    reach(codeOf(ruling) ?? '');
    for (const entry of ruling.trail) reach(typeof entry === 'string' ? entry : entry.rule);
  }
  reach('void segments', history.voidSegments);
  for (const { arbiter } of world.arbiters) {
    const { answeredFromRecord, takeovers, unknownFatesStored, rewinds, abandoned } = arbiter.counters;
    reach('answered from the record', answeredFromRecord);
    reach('takeovers', takeovers);
    reach('unknown fates that were stored', unknownFatesStored);
    reach('rewinds noticed', rewinds);
    reach('ends with two or more segments in flight', abandoned.filter((inFlight) => inFlight > 1).length);
  }
  if (only !== undefined) console.log(world.lines.join('\n'));
  return [...wrongsIn(world, history), ...(await replayProblems(world.ledger, theCourt))];
}

describe('in every world', () => {
  test.each(seeds)(
    'nothing settled is lost, nothing is ruled twice, nobody stale is heard, everything ends (again: SEED=%i npm run simulate)',
    async (seed) => {
      expect(await live(seed)).toEqual([]);
    },
  );
});

test('one seed is one world', async () => {
  const shape = async (): Promise<string> => {
    const world = new World(3);
    await world.live();
    const { entries } = await historyOf(world);
    return sha256(JSON.stringify([entries, world.heard]));
  };
  expect(await shape()).toBe(await shape());
});

test.skipIf(only !== undefined || count < 50)(
  'between them the worlds meet every rule, every outcome and every fault',
  () => {
    const rules = Object.values(corePolicies).flatMap((policy) => policy.rules.map(({ name }) => name));
    const codes = [
      ...[
        'FENCED',
        'STALE',
        'DUPLICATE',
        'ALREADY_ENDED',
        'NOT_IN_LIFECYCLE',
        'FLOW_NOT_RUNNING',
        'DEADLOCK',
        'NEVER_FITS',
      ],
      // STALE_EPOCH cannot be met: an arbiter's own proposals do not outlive its epoch.
      ...['RUN_UNKNOWN', 'SESSION_EXPIRED', 'POISON', 'MALFORMED', 'RULE_ERROR'],
    ];
    const faults = [
      ...Object.keys(MISFORTUNES),
      ...FATES,
      ...['PROPOSALS_LOST', 'PROPOSALS_DOUBLED', 'LOG_UNREACHABLE', 'KILLED_WHILE_JUDGING', 'ANSWERS_LOST'],
    ];
    const events = [
      'void segments',
      'answered from the record',
      'takeovers',
      'unknown fates that were stored',
      'rewinds noticed',
      'ends with two or more segments in flight',
    ];
    const all = [...new Set([...OUTCOMES, ...rules, ...codes, ...faults, ...events])];
    expect(all.filter((what) => !reached.has(what))).toEqual([]);
  },
);

afterAll(() => {
  if (count > 50) console.log(Object.fromEntries([...reached].sort(([a], [b]) => (a < b ? -1 : 1))));
});
