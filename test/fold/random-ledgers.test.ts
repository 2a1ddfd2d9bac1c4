/**
 * Properties of the fold and of the decider, over random ledgers: real proposals, judged by the real rules, over many
 * runs that get in each other's way. To see a failure again, give fast-check's seed and path to the property that fails.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stateDigest } from '../../engine/fold/workspace.ts';
import type { Digest } from '../../protocol/ids.ts';
import { OUTCOMES, type Ruling } from '../../protocol/rulings.ts';
import { decodeEntry, sha256 } from '../../protocol/segment.ts';
import { isTerminal } from '../../protocol/states.ts';
import { corePolicies } from '../../rules/policy.ts';
import { replayProblemsOf } from '../support/replayed.ts';
import { wrongsOf } from '../support/worlds-invariants.ts';
import type { Facts } from '../../rules/rule.ts';
import { LIMITS } from '../support/worlds-definitions.ts';
import { Monkey, steps, VERBS, type Step } from '../support/worlds-random.ts';
import { foldAnew, segmentOf, type Desk } from '../support/worlds.ts';

/** More of them: `RUNS=10000 npx vitest run test/fold`. */
const numRuns = Number(process.env['RUNS'] ?? 200);
const LENGTH = 150;

function lived(list: readonly Step[], each: (desk: Desk) => void = () => undefined): Monkey {
  const monkey = new Monkey();
  for (const step of list) {
    monkey.do(step);
    each(monkey.desk);
  }
  monkey.desk.seal();
  return monkey;
}

const forAll = (check: (list: readonly Step[]) => void): void => {
  fc.assert(fc.property(steps(LENGTH), check), { numRuns });
};

const rulingsOf = (desk: Desk): Ruling[] =>
  desk.segments
    .flatMap(({ bytes }) => segmentOf(bytes).lines.map(decodeEntry))
    .filter((entry) => entry.type === 'RULING');

test('whenever all that can be ruled on has been, nothing is lost, forgotten or held twice', () => {
  forAll((list) => {
    lived(list, (desk) => {
      expect(wrongsOf(desk.workspace, desk.overridden())).toEqual([]);
    });
  });
});

describe('the fold is a function of the ledger', () => {
  test('from the stored bytes it comes to the same digest after every segment', () => {
    forAll((list) => {
      const { desk } = lived(list);
      foldAnew(desk.segments, (workspace, seq) => {
        expect(stateDigest(workspace)).toBe(desk.segments[seq - 1]?.digest);
      });
    });
  });

  test('what is undone leaves no trace', () => {
    // The desk itself compares the digests whenever it undoes something.
    const undoing = VERBS.indexOf('takeOver');
    forAll((list) => {
      lived(list.flatMap((step, i) => (i % 7 === 6 ? [step, [undoing, 1, 0, 0, 0]] : [step])));
    });
  });
});

describe('a ruling', () => {
  test('comes out as it was recorded when its ledger is replayed', async () => {
    const property = fc.asyncProperty(steps(LENGTH), async (list) => {
      const { desk } = lived(list);
      expect(await replayProblemsOf(desk.segments, desk.court)).toEqual([]);
    });
    await fc.assert(property, { numRuns });
  });

  test('names the hash of its run’s ruling before, and moves its version on by one or not at all', () => {
    forAll((list) => {
      const { desk } = lived(list);
      const last = new Map<string, { line: Digest; version: number }>();
      for (const { bytes } of desk.segments) {
        for (const line of segmentOf(bytes).lines) {
          const entry = decodeEntry(line);
          if (entry.type !== 'RULING' || entry.proposal.kind === 'workspace') continue;
          const { run } = entry.proposal;
          const before = last.get(run);
          const moved = entry.outcome === 'accepted' || entry.outcome === 'rewritten';
          expect(entry.prev).toBe(before?.line);
          expect(entry.version).toBe((before?.version ?? 0) + (moved ? 1 : 0));
          if (before !== undefined || moved) last.set(run, { line: sha256(line), version: entry.version });
        }
      }
    });
  });

  test('is made once for each proposal, but for those that were held', () => {
    forAll((list) => {
      const final = new Set<string>();
      for (const { proposal, outcome, trail, heldAt } of rulingsOf(lived(list).desk)) {
        if (!proposal.id.includes(':') || JSON.stringify(trail).includes('SESSION_EXPIRED')) continue;
        expect(final.has(proposal.id), proposal.id).toBe(false);
        if (outcome !== 'held') final.add(proposal.id);
        else expect(heldAt === undefined || heldAt.seq > 0).toBe(true);
      }
    });
  });

  test('grants slots only while there are some', () => {
    forAll((list) => {
      const { desk } = lived(list);
      let seq = 0;
      foldAnew(desk.segments, () => (seq += 1));
      for (const { ruling } of desk.ruled) {
        const { slots = [] } = ruling.facts as Partial<Facts>;
        const claims = ruling.claims?.flatMap((claim) => (claim.type === 'SLOTS' ? claim.slots : [])) ?? [];
        for (const claim of claims) {
          const slot = slots.find(({ limit, by }) => limit === claim.limit && by === claim.by)!;
          const { slotsMax, used, rate, mine = 0 } = slot;
          // What it has it keeps, also when the limit was lowered.
          if (mine >= claim.slots) continue;
          const taken = rate === undefined ? used : Math.ceil((rate.emptyAtMs - ruling.atMs) / rate.everyMs);
          expect(taken + claim.slots).toBeLessThanOrEqual(slotsMax ?? 0);
        }
      }
      expect(seq).toBe(desk.segments.length);
    });
  });
});

test('when everything is cancelled, everything ends, and nothing is held, taken or waited for any more', () => {
  forAll((list) => {
    const { desk } = lived(list);
    endAll(desk);
    const { workspace } = desk;
    expect(
      desk
        .runs()
        .filter(({ state }) => !isTerminal(state))
        .map(({ id, state }) => [id, state.type]),
    ).toEqual([]);
    expect([...workspace.held.entries()]).toEqual([]);
    expect([...workspace.queues.entries()]).toEqual([]);
    expect([...workspace.timers.entries()]).toEqual([]);
    expect([...workspace.open.entries()]).toEqual([]);
    expect([...workspace.executing.entries()]).toEqual([]);
    expect([...workspace.limits.entries()].filter(([, { used }]) => used !== 0)).toEqual([]);
  });
});

/** Sets every limit high, so that what waits for slots starts, and cancels whatever runs, until nothing does. */
function endAll(desk: Desk): void {
  for (const limit of LIMITS) {
    desk.ask('operator', { kind: 'workspace', event: { type: 'LIMIT_SET', limit, slotsMax: 1000 } });
  }
  for (let rounds = 0; rounds < 10; rounds += 1) {
    const overridden = desk.overridden();
    for (const { id, kind, state, parent } of desk.runs()) {
      if (isTerminal(state)) continue;
      const to = { type: 'CANCELLING', name: 'Cancelling' } as const;
      if (parent === undefined) desk.ask('operator', { kind, run: id, to });
      else if (overridden.has(id)) desk.ask('operator', { kind, run: id, to, force: true, reason: 'it was forced' });
    }
    desk.pass(70_000);
  }
}

test('the random work reaches every verb, every outcome and every rule of the core', () => {
  const reached = new Set<string>();
  fc.assert(
    fc.property(steps(LENGTH), (list) => {
      const { desk, did } = lived(list);
      for (const verb of did.keys()) reached.add(verb);
      for (const { ruling } of desk.ruled) {
        reached.add(ruling.outcome);
        reached.add(ruling.proposal.onBehalfOf ?? '');
        for (const entry of ruling.trail) reached.add(typeof entry === 'string' ? entry : entry.rule);
        for (const entry of ruling.trail) if (typeof entry === 'object') reached.add(entry.code ?? entry.opinion);
        if (ruling.waits !== undefined) reached.add(ruling.waits.type);
      }
    }),
    { numRuns: 500, seed: 1 },
  );
  const rules = Object.values(corePolicies).flatMap((policy) => policy.rules.map(({ name }) => name));
  const codes =
    'FENCED STALE DUPLICATE ALREADY_ENDED NOT_IN_LIFECYCLE FLOW_NOT_RUNNING DEADLOCK NEVER_FITS RUN_UNKNOWN ' +
    'PAUSE_FIRED NOT_RUNNING NOT_RESUMABLE ALREADY_PENDING NO_WORKER REASON_NEEDED RESULT_KEPT';
  const proposers = 'clock cascade liveness limit';
  const all = [
    ...VERBS,
    ...OUTCOMES,
    ...rules,
    ...codes.split(' '),
    ...proposers.split(' '),
    'SESSION_EXPIRED',
    'MALFORMED',
    'TIME',
    'SLOTS',
    'FLOW',
    'MESSAGE',
  ];
  expect([...new Set(all)].filter((name) => !reached.has(name))).toEqual([]);
});
