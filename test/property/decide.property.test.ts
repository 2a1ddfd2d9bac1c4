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
import { corePolicies } from '../../rules/policy.ts';
import { anyDraft, anyFacts, anyTransition } from '../support/arbitraries.ts';
import { wrongsOf } from '../support/worlds-invariants.ts';
import { Monkey, steps, type Step } from '../support/worlds-random.ts';
import { foldAnew, NO_DIGEST, type Desk } from '../support/worlds.ts';

const theCourt = court(corePolicies);

/** More of them: `RUNS=10000 npx vitest run test/property`. */
const numRuns = Number(process.env['RUNS'] ?? 100);

test('the same transition and facts always get the same verdict, without an error, and the hearing ends', () => {
  fc.assert(
    fc.property(anyTransition(), anyFacts(), (asked, known) => {
      const verdict = judge(theCourt, asked, () => known);
      expect(judge(theCourt, asked, () => known)).toEqual(verdict);
      expect(['RULE_ERROR', 'RULE_IMPURE']).not.toContain(verdict.code);
      const { rules } = corePolicies[asked.forced === true ? 'forced' : asked.kind];
      expect(verdict.trail.length).toBeLessThanOrEqual(rules.length * (rules.length + 1));
    }),
    { numRuns: 10 * numRuns },
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
        expect(ruling.trail.at(-1)).not.toMatchObject({ opinion: 'error' });
        expect(wrongsOf(desk.workspace, desk.overridden())).toEqual([]);
      }
      desk.seal();
      expect(stateDigest(foldAnew(desk.segments))).toBe(desk.digest);
    }),
    { numRuns },
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
