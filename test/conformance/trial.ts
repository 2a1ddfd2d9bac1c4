/** One case tried: staged, proposed, ruled on by our rules, folded by our fold, compared. */
import type { EpochMs } from '../../protocol/ids.ts';
import { isTerminal, type State } from '../../protocol/states.ts';
import { court, type Court } from '../../rules/judge.ts';
import { corePolicies } from '../../rules/policy.ts';
import type { TransitionCase } from './cases.ts';
import {
  checkCache,
  checkCall,
  checkEvents,
  checkParameters,
  checkQueued,
  checkRun,
  checkSince,
  checkSlots,
  checkState,
  checkVerdict,
  checkWait,
  differencesOf,
  type Answer,
  type Difference,
} from './compare.ts';
import type { Stage } from './stage.ts';
import { callAgainOf, lateReportOf, proposalOf } from './translate-proposal.ts';
import { kindOf, rulesOf } from './translate-rules.ts';
import { epochMs, NOW } from './translate-state.ts';
import { stageOf, subjectOf, type Subject } from './translate-world.ts';

const core = court(corePolicies);

export function tryTransition(one: TransitionCase): readonly Difference[] {
  return [...trySaid(one), ...tryUnknowing(one)];
}

type Set = { readonly subject: Subject; readonly stage: Stage; readonly court: Court };

function setUp(one: TransitionCase): Set {
  const { scope, policy, rules, given, propose } = one;
  const kind = kindOf({
    scope,
    policy,
    rules,
    isDeferred: propose.details?.deferred === true || given.initial?.details?.deferred === true,
    isSubflow: Boolean(given.run.parentTaskRunId),
    isAlone: scope === 'task' && given.world.flowRun === null,
  });
  const details = { ...given.initial?.details, ...propose.details };
  const subject = subjectOf(kind, given, details);
  const stage = stageOf(subject, given, propose);
  if (one.mode === 'policy') return { subject, stage, court: core };
  const holdsSlots = (stage.workspace.runs.get(subject.run)?.slots.length ?? 0) > 0;
  return { subject, stage, court: court({ [kind]: { name: one.rule, rules: rulesOf(rules ?? [], holdsSlots) } }) };
}

/** As whoever would ask for it asks (translate-proposal.ts). */
function trySaid(one: TransitionCase): readonly Difference[] {
  const { subject, stage, court } = setUp(one);
  const { expect, given, propose } = one;
  const before = stage.workspace.runs.get(subject.run);
  const proposal = proposalOf(stage, subject, propose, one.policy);
  // A state that a client stamps is ruled on at that time: the times of a ledger are its own.
  const atMs = propose.timestamp === undefined ? NOW : epochMs(propose.timestamp);
  const answer: Answer = stage.isAnswered(proposal) ? { outcome: 'answered' } : judged(stage, proposal, court, atMs);
  const after = stage.workspace.runs.get(subject.run);
  const stays = answer.ruling?.outcome === 'rewritten' && isSame(answer.ruling.state, before?.state);
  // A case that is not committed tells the proposal as the rules left it; ours is folded all the same.
  const committed = one.commit !== false;
  const state = committed ? expect.state : expect.proposed;
  const written = committed ? expect.written : true;
  const rules = one.mode === 'rule' ? one.rules : undefined;
  const kept = {
    rules,
    proposed: propose,
    before: { state: before?.state, runCount: given.run.runCount ?? 0 },
    isCountedAnew: rules?.includes('HandleTaskTerminalStateTransitions') ?? one.policy !== 'MinimalTaskPolicy',
  };
  return differencesOf([
    checkVerdict({ ...expect, written }, answer, stays),
    ...checkWait(expect, answer),
    ...checkState(state ?? null, after?.state, { proposed: propose, range: expect.scheduledTimeRange }),
    ...checkRun(expect.run ?? {}, after, kept),
    ...(expect.world === undefined || givesBackUnasked(rules, after?.state)
      ? []
      : checkSlots(expect.world, stage, given.world)),
    ...(expect.queued === undefined ? [] : [checkQueued(expect.queued, stage, subject.run)]),
    ...checkParameters(state ?? null, after),
    ...checkCall(expect.parentTaskRun, after),
    ...checkSince(expect.stateTimestamp, after),
    ...(isCaching(one) ? checkCache(propose, stage, after) : []),
    ...checkEvents(expect.events, before, after, stays),
  ]);
}

function judged(stage: Stage, proposal: ReturnType<typeof proposalOf>, court: Court, atMs: EpochMs): Answer {
  const ruling = stage.judge(proposal, court, atMs);
  return { outcome: ruling.outcome, ruling };
}

/** Whether a rule of the case keeps results. */
const isCaching = ({ mode, policy, rules = [] }: TransitionCase): boolean =>
  mode === 'rule' ? rules.includes('CacheInsertion') : policy === 'CoreTaskPolicy' || policy === 'BackgroundTaskPolicy';

const isSame = (one: State | undefined, other: State | undefined): boolean =>
  JSON.stringify(one) === JSON.stringify(other);

/** Our fold gives back what a run no longer needs; Prefect does by a rule, which a case in rule mode may leave out. */
function givesBackUnasked(rules: readonly string[] | undefined, after: State | undefined): boolean {
  if (rules === undefined || rules.some((name) => name.startsWith('Release'))) return false;
  return after?.type !== 'PENDING' && after?.type !== 'RUNNING' && after?.type !== 'CANCELLING';
}

/**
 * Where Prefect lets an end be left, we tell two things apart: somebody who corrects it and says why (above), and a
 * process that does not know of the end. It reports too late, or makes the call again: its word changes nothing.
 */
function tryUnknowing(one: TransitionCase): readonly Difference[] {
  const { given, propose, policy, rules = [] } = one;
  const isForced = policy === 'MinimalFlowPolicy' || policy === 'MinimalTaskPolicy' || policy === 'MarkLateRunsPolicy';
  const isAsked = one.mode === 'policy' ? !isForced : rules.some((name) => /^Handle(Flow|Task)Terminal/.test(name));
  if (!isAsked || given.initial === null || !isTerminal(given.initial)) return [];
  const { subject, stage, court } = setUp(one);
  const proposal = lateReportOf(stage, subject, propose) ?? callAgainOf(stage, subject, propose);
  if (proposal === undefined) return [];
  const before = stage.workspace.runs.get(subject.run);
  const { outcome } = stage.judge(proposal, court);
  const after = stage.workspace.runs.get(subject.run);
  return differencesOf([
    { field: 'unknowing: outcome', expected: 'no', actual: outcome === 'accepted' ? 'accepted' : 'no' },
    { field: 'unknowing: state', expected: JSON.stringify(before?.state), actual: JSON.stringify(after?.state) },
    { field: 'unknowing: end', expected: before?.endedMs, actual: after?.endedMs },
  ]);
}
