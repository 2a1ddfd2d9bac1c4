/** Circles of waits in random worlds: none is left of locks and limits with one slot, and nobody is refused without one. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parkHeld } from '../../engine/fold/evolve-held.ts';
import { undo, type Journal } from '../../engine/fold/table.ts';
import { decidingEntry, type Ruling } from '../../protocol/rulings.ts';
import type { SlotFact } from '../../rules/rule.ts';
import { limitsFor, waitsFor } from '../../rules/slots.ts';
import { waitsForEver } from '../support/worlds-circles.ts';
import { Monkey, stepsMostly, VERBS, type Step } from '../support/worlds-random.ts';
import type { Desk } from '../support/worlds.ts';

const LIMITS = ['db', 'api', 'cpu', 'tenant', 'tag:gpu', 'deployment:nightly'] as const;
const isLimitSet = ([verb]: Step): boolean => VERBS[verb % VERBS.length] === 'limit';

/** Each step of random work under limits that have so many slots and stay as they are. */
function* worlds(slotsMax: number, numRuns: number): Generator<{ readonly desk: Desk; readonly from: number }> {
  const seed = Number(process.env['SEED'] ?? 7);
  for (const steps of fc.sample(stepsMostly(['call', 'start', 'claim'], 120), { numRuns, seed })) {
    const monkey = new Monkey();
    const { desk } = monkey;
    for (const limit of LIMITS) desk.ask('op', { kind: 'workspace', event: { type: 'LIMIT_SET', limit, slotsMax } });
    for (const step of steps) {
      const from = desk.ruled.length;
      if (isLimitSet(step)) continue;
      monkey.do(step);
      yield { desk, from };
    }
  }
}

const isRefused = ({ trail }: Ruling): boolean =>
  decidingEntry(trail)?.code === 'DEADLOCK' && decidingEntry(trail)?.why.includes('for itself') === true;

test('of locks and limits with one slot, nobody waits for ever', () => {
  let refused = 0;
  for (const { desk, from } of worlds(1, 400)) {
    expect(waitsForEver(desk.workspace)).toEqual([]);
    refused += desk.ruled.slice(from).filter(({ ruling }) => isRefused(ruling)).length;
  }
  expect(refused).toBeGreaterThan(0);
});

test('whoever is refused would have waited for ever', () => {
  let refused = 0;
  for (const { desk } of worlds(2, 150)) {
    const { ruling, at } = desk.ruled.at(-1) ?? {};
    // What was ruled after it may have changed that.
    if (ruling === undefined || at === undefined || !isRefused(ruling) || ruling.proposal.kind === 'workspace')
      continue;
    refused += 1;
    const { slots } = ruling.facts as { readonly slots: readonly SlotFact[] };
    const { limits } = waitsFor(limitsFor(slots, ruling.proposal.to.type), ruling.atMs);
    const wishes = limits.map(({ limit, by, wanted }) => ({
      limit,
      slots: wanted,
      ...(by === undefined ? {} : { by }),
    }));
    const { recorder } = desk.workspace;
    const [journal, trial]: [Journal | undefined, Journal] = [recorder.journal, []];
    recorder.journal = trial;
    parkHeld(desk.workspace, ruling.proposal, ruling, { type: 'SLOTS', limits: wishes }, ruling.heldAt ?? at);
    expect(waitsForEver(desk.workspace)).toContain(ruling.proposal.id);
    undo(trial);
    recorder.journal = journal;
  }
  expect(refused).toBeGreaterThan(10);
});
