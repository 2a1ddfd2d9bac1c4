/**
 * Whole workspaces of many runs that get in each other's way: random work by the real docket, judge and fold. What holds
 * of the state at every point is checked in test/fold/random-ledgers.test.ts; here it is what holds along a history.
 * More of them: `RUNS=2000 npx vitest run test/property/workspace.property.test.ts`.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evolve, sealSegment } from '../../engine/fold/evolve.ts';
import { slotsKept } from '../../engine/fold/limits.ts';
import { limitKey, Workspace, type Limit, type Run } from '../../engine/fold/workspace.ts';
import { ownLimitSlots, rootOf, type LimitSet, type SlotWish } from '../../protocol/proposals.ts';
import { stateAfter, type Entry, type Ruling } from '../../protocol/rulings.ts';
import { decodeEntry } from '../../protocol/segment.ts';
import { isTerminal, type State } from '../../protocol/states.ts';
import type { Facts } from '../../rules/rule.ts';
import { wrongsOf } from '../support/worlds-invariants.ts';
import { Monkey, steps, stepsMostly, type Step } from '../support/worlds-random.ts';
import { segmentOf, type Desk } from '../support/worlds.ts';

const numRuns = Number(process.env['RUNS'] ?? 80);
const LENGTH = 200;

/** Limits of every kind from the beginning, so that runs meet them; the random work changes them as well. */
const LIMITS: readonly Omit<LimitSet, 'type'>[] = [
  { limit: 'db', slotsMax: 2, onFull: 'cancel-running' },
  { limit: 'rate', slotsMax: 2, slotsPerSecond: 3 },
  { limit: 'tenant', slotsMax: 2 },
  { limit: 'cpu', slotsMax: 1, onFull: 'cancel-new' },
  { limit: 'deployment:nightly', slotsMax: 1 },
  { limit: 'tag:gpu', slotsMax: 1 },
];

function lived(list: readonly Step[], each: (desk: Desk) => void = () => undefined): Desk {
  const monkey = new Monkey();
  for (const limit of LIMITS) monkey.desk.ask('op', { kind: 'workspace', event: { type: 'LIMIT_SET', ...limit } });
  for (const step of list) {
    monkey.do(step);
    each(monkey.desk);
  }
  monkey.desk.seal();
  return monkey.desk;
}

const forAll = (check: (desk: Desk) => void, anySteps = steps(LENGTH)): void => {
  fc.assert(
    fc.property(anySteps, (list) => {
      check(lived(list));
    }),
    { numRuns },
  );
};

test('where limits of every kind are met, nothing is lost, forgotten or held twice, and a free slot finds who waits', () => {
  const property = fc.property(steps(LENGTH), (list) => {
    lived(list, (desk) => {
      expect(wrongsOf(desk.workspace, desk.overridden())).toEqual([]);
    });
  });
  fc.assert(property, { numRuns });
});

type Moment = { readonly entry: Entry; readonly workspace: Workspace; readonly before: State | undefined };

/** The ledger folded entry by entry; the workspace is as it is after the entry. */
function* moments(desk: Desk): Generator<Moment> {
  const workspace = new Workspace();
  for (const [index, { bytes }] of desk.segments.entries()) {
    const { lines, header, hash } = segmentOf(bytes);
    for (const [place, line] of lines.entries()) {
      const entry = decodeEntry(line);
      const run = entry.type === 'RULING' && entry.proposal.kind !== 'workspace' ? entry.proposal.run : '';
      const before = workspace.runs.get(run)?.state;
      evolve(workspace, entry, line, { seq: index + 1, index: place });
      yield { entry, workspace, before };
    }
    sealSegment(workspace, header, { seq: index + 1, hash });
  }
}

const taken = (ruling: Ruling): readonly SlotWish[] =>
  ruling.claims?.flatMap((claim) => (claim.type === 'SLOTS' ? claim.slots : [])) ?? [];

const limitOfRow = (workspace: Workspace, key: string): Limit | undefined => {
  const [, limit = key, by] = /^(.*)\[(.*)\]$/.exec(key) ?? [];
  return workspace.limitOf(by === undefined ? { limit } : { limit, by });
};

test('no limit, and no key of one, has more slots in use than it has, but for those that were given before it was lowered', () => {
  forAll((desk) => {
    const before = new Map<string, number>();
    for (const { workspace } of moments(desk)) {
      for (const [key, { used }] of workspace.limits.entries()) {
        const { slotsMax, everyMs } = limitOfRow(workspace, key) ?? {};
        if (slotsMax !== undefined && everyMs === undefined) {
          expect(used).toBeLessThanOrEqual(Math.max(slotsMax, before.get(key) ?? 0));
        }
        before.set(key, used);
      }
    }
  });
});

test('a rate limit grants in no span of time more than its slots and what comes back in that span', () => {
  let grantsSeen = 0;
  forAll((desk) => {
    let grants: { readonly atMs: number; readonly slots: number }[] = [];
    for (const { entry, workspace } of moments(desk)) {
      if (entry.type !== 'RULING') continue;
      const { proposal, atMs } = entry;
      if (proposal.kind === 'workspace') {
        if ('limit' in proposal.event && proposal.event.limit === 'rate') grants = [];
        continue;
      }
      const slots = taken(entry).find((wish) => limitKey(wish) === 'rate')?.slots;
      if (slots === undefined || stateAfter(entry) === undefined) continue;
      grantsSeen += 1;
      grants.push({ atMs, slots });
      const { slotsMax = 0, everyMs = 0 } = workspace.limits.get('rate') ?? {};
      let sum = 0;
      for (const grant of grants.toReversed()) {
        sum += grant.slots;
        // A hair for the rounding of sums.
        expect(sum).toBeLessThanOrEqual(slotsMax + (atMs - grant.atMs) / everyMs + 1e-6);
      }
    }
  });
  expect(grantsSeen).toBeGreaterThan(numRuns / 20);
});

test('no run is tried again more often than its retries allow; a call that is made again after its end counts anew', () => {
  let retriesSeen = 0;
  forAll((desk) => {
    const used = new Map<string, number>();
    for (const { entry, workspace, before } of moments(desk)) {
      if (entry.type !== 'RULING' || entry.proposal.kind === 'workspace') continue;
      const state = stateAfter(entry);
      const run = workspace.runs.get(entry.proposal.run);
      if (run === undefined || state === undefined) continue;
      if (run.kind === 'task' && isTerminal(before) && state.type === 'RUNNING') used.delete(run.id);
      if (before?.type !== 'RUNNING' || state.name !== 'AwaitingRetry') continue;
      retriesSeen += 1;
      used.set(run.id, (used.get(run.id) ?? 0) + 1);
      expect(used.get(run.id)).toBeLessThanOrEqual(run.retry?.retriesMax ?? 0);
    }
  });
  expect(retriesSeen).toBeGreaterThan(numRuns / 20);
});

test('a message is received at most once, by a call that ends with what it says', () => {
  let receivedSeen = 0;
  forAll(
    (desk) => {
      const received = new Set<string>();
      for (const { ruling } of desk.ruled) {
        const claim = ruling.claims?.find(({ type }) => type === 'MESSAGE');
        if (claim?.type !== 'MESSAGE') continue;
        receivedSeen += 1;
        const { first } = (ruling.facts as { message: NonNullable<Facts['message']> }).message;
        expect([claim.id, stateAfter(ruling)]).toEqual([
          first?.id,
          { type: 'COMPLETED', name: 'Received', ...(first?.value === undefined ? {} : { result: first.value }) },
        ]);
        const message = `${claim.mailbox} ${claim.id}`;
        expect(received.has(message)).toBe(false);
        received.add(message);
      }
    },
    stepsMostly(['start', 'receive', 'send'], LENGTH),
  );
  expect(receivedSeen).toBeGreaterThan(numRuns / 10);
});

test('when every process has died, no slot is left in the hands of one', () => {
  forAll((desk) => {
    for (let rounds = 0; rounds < 50 && [...desk.workspace.executing.keys()].length > 0; rounds += 1) {
      for (const session of [...desk.workspace.executing.keys()]) {
        for (const id of [...desk.workspace.executing.of(session)]) {
          const run = desk.run(id);
          if (run !== undefined) desk.hear(desk.engineProposal(run, { type: 'CRASHED', name: 'Crashed' }));
        }
      }
    }
    const overridden = desk.overridden();
    const handedOver = new Set(
      desk.ruled.map(
        ({ ruling }) => `${'run' in ruling.proposal ? ruling.proposal.run : ''} ${String(ruling.execution)}`,
      ),
    );
    // The random work also asks in the name of executions that no process was ever given: the next claim frees those.
    const isForged = ({ id, ran }: Run): boolean =>
      ran !== undefined && !handedOver.has(`${rootOf(id)} ${String(ran.execution)}`);
    // A flow run that waits in nobody's hands keeps the transactions it is in.
    const isKept = ({ id, slots }: Run): boolean => {
      const root = desk.run(rootOf(id))?.state;
      return root?.type === 'PAUSED' && slotsKept(slots, root).length > 0;
    };
    const holding = desk
      .runs()
      .filter((run) => run.slots.length > 0 && run.state.type !== 'PENDING' && !isForged(run) && !isKept(run));
    expect(holding.filter(({ id }) => !overridden.has(id)).map(({ id, state }) => [id, state.type])).toEqual([]);
  });
});

test('who was evicted has ended when its grace is over, and whoever it was evicted for was heard again', () => {
  let evictionsSeen = 0;
  forAll((desk) => {
    const last = desk.ruled.findLastIndex(({ ruling }) => ruling.proposal.id.startsWith('evict/'));
    const evicted = desk.ruled[last]?.ruling.proposal;
    if (evicted === undefined || evicted.kind === 'workspace') return;
    evictionsSeen += 1;
    const version = desk.run(evicted.run)?.version ?? 0;
    if (desk.run(evicted.run)?.state.type !== 'CANCELLING') return;
    desk.pass(desk.graceMs + 1);
    const run = desk.run(evicted.run);
    expect(run?.version).toBeGreaterThan(version);
    expect(run?.slots).toEqual([]);
  });
  // About one world in seven has one.
  expect(evictionsSeen).toBeGreaterThan(numRuns / 40);
});

test('whoever waits for slots is judged again when they are free: with every limit gone, nobody waits for one', () => {
  forAll((desk) => {
    for (const [limit] of [...desk.workspace.limits.entries()]) {
      desk.ask('operator', { kind: 'workspace', event: { type: 'LIMIT_REMOVED', limit } });
    }
    // The engine's own limits cannot be removed: who waits for a lock waits until it is given back.
    const waiting = [...desk.workspace.held.entries()].filter(([, { waits }]) => {
      return waits.type === 'SLOTS' && waits.limits.every(({ limit }) => ownLimitSlots(limit) === undefined);
    });
    expect(waiting).toEqual([]);
    const locks = [...desk.workspace.held.entries()].flatMap(([, { waits }]) =>
      waits.type === 'SLOTS' ? waits.limits : [],
    );
    const keys = new Set(locks.map(limitKey));
    expect([...desk.workspace.queues.entries()].filter(([key]) => !keys.has(key))).toEqual([]);
  });
});

test('what waits for time is judged again by time alone', () => {
  forAll((desk) => {
    const waiting = new Map(
      [...desk.workspace.held.entries()].flatMap(([id, { waits }]) =>
        waits.type === 'TIME' ? [[id, waits.dueAtMs]] : [],
      ),
    );
    desk.pass(Math.max(0, ...waiting.values()) - desk.nowMs + 1);
    for (const [id, dueAtMs] of waiting) {
      const { waits } = desk.workspace.held.get(id) ?? {};
      // It may have been put off since, or wait for slots by now; it does not wait for what is over.
      expect(waits?.type === 'TIME' && waits.dueAtMs === dueAtMs).toBe(false);
    }
  });
});
