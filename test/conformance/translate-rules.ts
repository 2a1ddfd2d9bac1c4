/**
 * Prefect's rules and policies in ours. A case in rule mode is about a few of Prefect's rules alone: it is judged by what
 * stands for them here, and by nothing else. Bookkeeping is the fold's with us, whatever the rules: a rule of Prefect's
 * that only keeps books stands for no rule of ours, and what it keeps is compared after the fold.
 */
import { corePolicies } from '../../rules/policy.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { TERMINAL_TYPES } from '../../protocol/states.ts';
import type { Rule, RunKind } from '../../rules/rule.ts';
import type { PrefectPolicy, Scope, TransitionCase } from './cases.ts';
import { isSynthetic, synthesisProblem, syntheticRule } from './translate-synthetic.ts';

/** A rule of our policies, by its name. */
function ours(name: string): Rule {
  const found = Object.values(corePolicies)
    .flatMap(({ rules }) => rules)
    .find((rule) => rule.name === name);
  if (found === undefined) throw new Error(`there is no rule '${name}'`);
  return found;
}

/** What a rule says of some transitions only. */
const only = (rule: Rule, part: Partial<Pick<Rule, 'from' | 'to'>>): Rule => ({ ...rule, ...part });

const RULES: Readonly<Record<string, readonly Rule[]>> = {
  // An answered proposal is not judged at all: the arbiter answers it from the record.
  PreventDuplicateTransitions: [],
  HandleFlowTerminalStateTransitions: [ours('keep-terminal-states')],
  // With Prefect, one rule also renames what runs again in a later attempt of its flow.
  HandleTaskTerminalStateTransitions: [
    ours('reuse-completed-task'),
    ours('keep-terminal-states'),
    only(ours('rename-reruns'), { from: TERMINAL_TYPES }),
  ],
  EnforceCancellingToCancelledTransition: [
    only(ours('follow-lifecycle'), { from: ['CANCELLING'] }),
    ours('finish-cancelling'),
  ],
  BypassCancellingFlowRunsWithNoInfra: [ours('cancel-idle-runs')],
  // It also copies the time that the run is due at from one PENDING state to the next.
  PreventPendingTransitions: [ours('keep-pending-claim'), only(ours('keep-due-time'), { from: ['PENDING'] })],
  ValidateDeploymentConcurrencyAtRunning: [only(ours('take-slots'), { from: ['PENDING'], to: ['RUNNING'] })],
  SecureFlowConcurrencySlots: [ours('take-slots')],
  SecureTaskConcurrencySlots: [ours('take-slots')],
  EnsureOnlyScheduledFlowsMarkedLate: [ours('mark-late-once')],
  EnforceDeploymentConcurrencyOnLate: [ours('cancel-late-when-full')],
  HandlePausingFlows: [ours('pause-running-flow')],
  HandleResumingPausedFlows: [ours('resume-paused-flow')],
  CopyScheduledTime: [ours('keep-due-time')],
  WaitForScheduledTime: [ours('wait-for-due-time')],
  RetryFailedFlows: [ours('retry-failed-flow')],
  RetryFailedTasks: [ours('retry-failed-task')],
  CacheRetrieval: [ours('retrieve-cached-result')],
  CacheInsertion: [ours('store-cached-result')],
  PreventRunningTasksFromStoppedFlows: [ours('stopped-flow-starts-no-task')],
  RenameReruns: [ours('rename-reruns')],
  PreventResultDataLoss: [ours('keep-results')],
  // Bookkeeping: by the fold.
  ReleaseFlowConcurrencySlots: [],
  ReleaseTaskConcurrencySlots: [],
  UpdateFlowRunTrackerOnTasks: [],
  EnqueueScheduledTasks: [],
  InstrumentFlowRunStateTransitions: [],
  SetRunStateType: [],
  SetRunStateName: [],
  SetRunStateTimestamp: [],
  SetStartTime: [],
  SetEndTime: [],
  IncrementRunTime: [],
  SetExpectedStartTime: [],
  SetNextScheduledStartTime: [],
  UpdateSubflowParentTask: [],
  CopyTaskParametersID: [],
  RemoveResumingIndicator: [],
  IncrementFlowRunCount: [],
  IncrementTaskRunCount: [],
};

/** Rules that are about something that we do not have, and why we do not miss it. */
const WITHOUT_COUNTERPART: Readonly<Record<string, string>> = {
  UpdateStateDetails: 'a ruling names its run: no state repeats it',
  UpdateSubflowStateDetails: 'a subflow is a call itself: there is no tracking task that it names',
  PreserveDeploymentConcurrencyLeaseId: 'slots are held by the run in the fold: no state carries a lease',
  RemoveDeploymentConcurrencyLeaseForOldClientVersions: 'one protocol, one version: no client takes slots by itself',
  EnsureFlowRunStateTimestampIsUnique: 'the ledger gives times and an order: two rulings never share a place',
};

/** Prefect's lists of these versions took slots in the worker. */
const CLIENTS_WITH_OWN_SLOTS = /^3\.0\.(0rc20|0|1|2|3)$/;
/** Clients before this one kept the pauses of a run that was opened again. */
const API_WITH_POLICIES = '0.8.4';

/** Why a case cannot be asked of us; undefined when it can. */
export function withoutCounterpart({ rule, mode, rules = [], given, propose }: TransitionCase): string | undefined {
  const missing = (mode === 'rule' ? rules : [rule]).find((name) => name in WITHOUT_COUNTERPART);
  if (missing !== undefined) return WITHOUT_COUNTERPART[missing];
  const unknown = rules.find((name) => !isSynthetic(name) && !(name in RULES));
  if (unknown !== undefined) return `the rule ${unknown} is not translated`;
  const problem = synthesisProblem(rules);
  if (problem !== undefined) return problem;
  const { clientVersion, apiVersion } = given.run;
  if (clientVersion && CLIENTS_WITH_OWN_SLOTS.test(clientVersion)) return 'clients that took slots by themselves';
  if (apiVersion && compareVersions(apiVersion, API_WITH_POLICIES) < 0) return 'a version of the protocol before ours';
  const keys = [given.initial?.details?.cacheKey, propose.details?.cacheKey];
  if (keys.some((key) => (key?.length ?? 0) > LIMITS.cacheKeyMax)) {
    return 'a cache key that is too long: such a call is refused when it is made, and never completes';
  }
  if (given.world.deployment?.exists === false) return 'a deployment is a name: there is none that does not exist';
  return undefined;
}

function compareVersions(one: string, other: string): number {
  return one.localeCompare(other, 'en', { numeric: true });
}

const KINDS: Readonly<Record<PrefectPolicy, RunKind>> = {
  CoreFlowPolicy: 'flow',
  MinimalFlowPolicy: 'flow',
  MarkLateRunsPolicy: 'flow',
  CoreTaskPolicy: 'task',
  BackgroundTaskPolicy: 'background',
  MinimalTaskPolicy: 'task',
};

/** Rules that only Prefect's policy for background tasks has, of those that are about tasks. */
const BACKGROUND_RULES = ['PreventPendingTransitions', 'CopyTaskParametersID'];

export type About = {
  readonly scope: Scope;
  readonly policy?: PrefectPolicy | undefined;
  readonly rules?: readonly string[] | undefined;
  readonly isDeferred: boolean;
  readonly isSubflow: boolean;
  /** The case says that the task has no flow run. */
  readonly isAlone: boolean;
};

/** What kind of run a case is about. Prefect takes every deferred task for a background task, whatever was asked for. */
export function kindOf({ scope, policy, rules = [], isDeferred, isSubflow, isAlone }: About): RunKind {
  if (scope === 'flow') return isSubflow ? 'subflow' : 'flow';
  if (isDeferred) return 'background';
  // What is not deferred is no background task, though a case may ask the rule that queues them about it.
  if (rules.includes('EnqueueScheduledTasks')) return 'task';
  if (isAlone || rules.some((name) => BACKGROUND_RULES.includes(name))) return 'background';
  return policy === undefined ? 'task' : KINDS[policy];
}

/** What stands here for a list of Prefect's rules. `holdsSlots`: a slot that is held is kept by claiming it again. */
export function rulesOf(names: readonly string[], holdsSlots: boolean): readonly Rule[] {
  const rules = names.flatMap((name, index) =>
    isSynthetic(name) ? (syntheticRule(name, index) ?? []) : (RULES[name] ?? []),
  );
  const keeping = holdsSlots ? [ours('take-slots')] : [];
  return [...new Set([...rules, ...keeping])];
}
