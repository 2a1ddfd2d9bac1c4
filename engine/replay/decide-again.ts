/**
 * Decides again from the folded workspace, facts and all: what the arbiter would have recorded, had it been at this point
 * of the ledger. Only what the ledger cannot know (the time, the chance that was drawn, the settings) is taken from the
 * record. What comes out otherwise was decided on something that is not on the ledger.
 */
import type { RejectCode, Ruling } from '../../protocol/rulings.ts';
import type { Court } from '../../rules/judge.ts';
import { decide, type Special } from '../arbiter/decide.ts';
import type { Workspace } from '../fold/workspace.ts';
import { isArbiters, withRecordedErrors } from './rejudge.ts';

/** Refusals by the arbiter that have their cause outside the ledger: what became of a thread, what the store has. */
const TOLD: ReadonlySet<RejectCode> = new Set(['POISON', 'POLICY_MISSING', 'RULE_ERROR']);

/** `workspace` is folded up to just before the ruling, and stays as it is. */
export function decideAgain(workspace: Workspace, ruling: Ruling, court: Court): Ruling {
  const { proposal, atMs, policy, selection, facts, heldAt } = ruling;
  const given = (name: string): number => (typeof facts[name] === 'number' ? facts[name] : Number.NaN);
  const context = {
    nowMs: atMs,
    chance: () => given('chance'),
    graceMs: given('graceMs'),
    court: withRecordedErrors(court, ruling),
    policy,
    selection,
    epoch: workspace.meta.epoch,
  };
  const refuse = toldRefusal(ruling);
  return decide(workspace, proposal, context, {
    ...(heldAt === undefined ? {} : { heldAt }),
    ...(refuse === undefined ? {} : { refuse }),
  });
}

function toldRefusal(ruling: Ruling): Special['refuse'] {
  const [first, second] = ruling.trail;
  if (typeof first !== 'object' || !isArbiters(ruling)) return undefined;
  const { code, why } = first;
  if (code === undefined || !TOLD.has(code)) return undefined;
  return { code, why, ...(typeof second === 'object' ? { rule: { name: second.rule, why: second.why } } : {}) };
}
