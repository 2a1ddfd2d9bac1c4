/** Deciding is total and lawful on anything that the door lets through, whatever state it meets. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decide } from '../../engine/arbiter/decide.ts';
import type { EpochMs } from '../../protocol/ids.ts';
import { proposalId, type Proposal } from '../../protocol/proposals.ts';
import { decodeEntry, encodeEntry } from '../../protocol/segment.ts';
import { encodeBatch, parseBatch } from '../../protocol/wire.ts';
import type { ProposalDraft } from '../../protocol/messages.ts';
import { stateDigest } from '../../engine/fold/workspace.ts';
import { court, judge } from '../../rules/judge.ts';
import { SUCCESSORS } from '../../rules/follow-lifecycle.ts';
import { corePolicies } from '../../rules/policy.ts';
import type { Facts, RunKind } from '../../rules/rule.ts';
import { facts, RUN_KINDS } from '../rules/fixtures.ts';
import { anyDraft, anyState } from '../support/arbitraries.ts';
import { wrongsOf } from '../support/worlds-invariants.ts';
import { Monkey, steps, type Step } from '../support/worlds-random.ts';
import { foldAnew, NO_DIGEST, type Desk } from '../support/worlds.ts';

const theCourt = court(corePolicies);

const anyFacts: fc.Arbitrary<Facts> = fc
  .record({
    execution: fc.record({ current: fc.nat(2) }),
    version: fc.record({ current: fc.nat(3) }),
    attempt: fc.nat(3),
    chance: fc.double({ min: 0, max: 0.999, noNaN: true }),
    retry: fc.record({
      used: fc.nat(3),
      retriesMax: fc.nat(3),
      delaysMs: fc.array(fc.nat(100), { maxLength: 3 }),
      jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  })
  .map((more) => facts(more));

test('the same transition and facts always get the same verdict, and a move leads where the lifecycle lets it', () => {
  fc.assert(
    fc.property(
      fc.option(anyState, { nil: undefined }),
      anyState,
      fc.constantFrom<RunKind>(...RUN_KINDS),
      fc.boolean(),
      anyFacts,
      (from, to, kind, flag, known) => {
        const asked = { kind, from, to, report: flag, claim: !flag, by: 'sdk' };
        const verdict = judge(theCourt, asked, () => known);
        expect(judge(theCourt, asked, () => known)).toEqual(verdict);
        expect(verdict.code).not.toBe('RULE_ERROR');
        if (verdict.outcome !== 'accepted' && verdict.outcome !== 'rewritten') return;
        expect(SUCCESSORS[from?.type ?? 'NONE']).toContain(verdict.to.type);
      },
    ),
  );
});

/** Drafts that are about the runs that there are, as well as about any others. */
const meet = (desk: Desk, draft: ProposalDraft, choice: number): ProposalDraft => {
  const runs = desk.runs();
  const known = runs[choice % Math.max(1, runs.length)];
  if (draft.kind === 'workspace' || known === undefined || choice % 3 === 0) return draft;
  return { ...draft, run: known.id, kind: choice % 5 === 0 ? draft.kind : known.kind };
};

test('whatever the door lets through is ruled on, changes nothing by itself, and is folded alike from its line', () => {
  fc.assert(
    fc.property(steps(40), fc.array(fc.tuple(anyDraft, fc.nat()), { maxLength: 15 }), (list, drafts) => {
      const { desk } = lived(list);
      for (const [draft, choice] of drafts) {
        const proposal = throughTheDoor(meet(desk, draft, choice));
        const before = desk.digest;
        const context = {
          nowMs: desk.nowMs as EpochMs,
          chance: () => 0.25,
          graceMs: 1,
          court: theCourt,
          policy: NO_DIGEST.slice(0, 16),
          epoch: desk.epoch,
        };
        const ruling = decide(desk.workspace, proposal, context);
        expect(desk.digest).toBe(before);
        // What is stored says the same as what is in memory.
        expect(decodeEntry(encodeEntry(ruling))).toEqual(ruling);
        desk.hear(proposal);
        expect(wrongsOf(desk.workspace)).toEqual([]);
      }
      desk.seal();
      expect(stateDigest(foldAnew(desk.segments))).toBe(desk.digest);
    }),
    { numRuns: Number(process.env['RUNS'] ?? 100) },
  );
});

function lived(list: readonly Step[]): Monkey {
  const monkey = new Monkey();
  for (const step of list) monkey.do(step);
  return monkey;
}

function throughTheDoor(draft: ProposalDraft): Proposal {
  const parsed = parseBatch(encodeBatch({ v: 1, proposals: [draft] }));
  const [first] = parsed.ok ? parsed.value.proposals : [];
  if (first?.ok !== true) throw new Error('the door refused what it should let through');
  const { counter, ...rest } = first.value;
  return { ...rest, id: proposalId('anybody', counter), by: 'sdk' };
}
