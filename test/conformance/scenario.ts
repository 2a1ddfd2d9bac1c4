/**
 * A life cycle: proposals one after the other about one run, each compared as a transition is.
 *
 * Prefect's client that is told to wait asks again later; with us its proposal is held and judged again by itself. So that
 * the next step of the case is the next thing that happens, the asker goes away, and its held proposal with it.
 */
import { sessionOf } from '../../protocol/proposals.ts';
import { court } from '../../rules/judge.ts';
import { corePolicies } from '../../rules/policy.ts';
import type { Expectation, PrefectState, ScenarioCase } from './cases.ts';
import {
  checkRun,
  checkSlots,
  checkState,
  checkVerdict,
  checkWait,
  differencesOf,
  type Answer,
  type Difference,
} from './compare.ts';
import type { Seen } from './deviations.ts';
import type { Stage } from './stage.ts';
import { proposalOf } from './translate-proposal.ts';
import { kindOf } from './translate-rules.ts';
import { beginFlow, beginsAgain, cacheOf, stageOf, subjectOf, type Subject } from './translate-world.ts';

const core = court(corePolicies);

/** The first step that differs, if any: from there on the two lives are not the same. */
export type Departure = { readonly step: number; readonly seen: Seen; readonly differences: readonly Difference[] };

export function tryScenario(one: ScenarioCase): Departure | undefined {
  const { scope, given, steps } = one;
  const initial = given.initial ?? null;
  const kind = kindOf({
    scope,
    policy: steps[0]?.policy,
    isDeferred: steps.some(({ propose }) => propose.details?.deferred === true),
    isSubflow: Boolean(given.run.parentTaskRunId),
    isAlone: scope === 'task' && given.world.flowRun === null,
  });
  const subject = subjectOf(kind, given, steps[0]?.propose.details ?? {});
  const stage = stageOf(subject, { ...given, initial }, undefined);
  for (const [index, step] of steps.entries()) {
    const from = stage.workspace.runs.get(subject.run)?.state.type ?? 'NONE';
    const differences = tryStep(stage, subject, one, step);
    if (differences.length === 0) continue;
    const seen: Seen = {
      scope,
      mode: 'scenario',
      policy: step.policy,
      from,
      to: step.propose.type,
      case: {
        given: { ...given, initial: { type: from } },
        propose: step.propose,
        expect: { ...step.expect, verdict: step.expect.status.toLowerCase(), written: step.expect.status === 'ACCEPT' },
      },
    };
    return { step: index, seen, differences };
  }
  return undefined;
}

type Step = ScenarioCase['steps'][number];

function tryStep(stage: Stage, subject: Subject, { given }: ScenarioCase, step: Step): readonly Difference[] {
  const { propose, expect, policy } = step;
  prepare(stage, subject, propose);
  const before = stage.workspace.runs.get(subject.run);
  const proposal = proposalOf(stage, subject, propose, policy);
  const answer = answerOf(stage, proposal);
  const after = stage.workspace.runs.get(subject.run);
  const asker = sessionOf(proposal.id)?.session;
  if (answer.outcome === 'held' && asker !== undefined) stage.close(asker);
  const stays = JSON.stringify(answer.ruling?.state) === JSON.stringify(before?.state);
  const kept = {
    rules: undefined,
    proposed: propose,
    before: { state: before?.state, runCount: 0 },
    isCountedAnew: policy !== 'MinimalTaskPolicy',
  };
  return differencesOf([
    checkVerdict(verdictOf(expect, before?.state, after?.version !== before?.version && !stays), answer, stays),
    ...checkWait(expect, answer),
    ...checkState(expect.state ?? null, after?.state, { proposed: propose }),
    ...checkRun(expect.run ?? {}, after, kept),
    ...(expect.world === undefined ? [] : checkSlots(expect.world, stage, given.world)),
  ]);
}

/** What a call's own history makes of a proposal: it is called again by a later execution; its key is the new call's. */
function prepare(stage: Stage, subject: Subject, propose: PrefectState): void {
  const run = stage.workspace.runs.get(subject.run);
  if (run === undefined) return;
  const isCall = subject.definition.parent !== undefined;
  if (isCall && propose.type === 'RUNNING' && beginsAgain(run.state)) beginFlow(stage);
  const cache = cacheOf(propose.details ?? {});
  if (cache.cache !== undefined) stage.amend(subject.run, (row) => ({ ...row, ...cache }));
}

function answerOf(stage: Stage, proposal: ReturnType<typeof proposalOf>): Answer {
  if (stage.isAnswered(proposal)) return { outcome: 'answered' };
  const ruling = stage.judge(proposal, core);
  return { outcome: ruling.outcome, ruling };
}

/** A scenario says REJECT with and without a replacement alike: whether there is one is seen from the state. */
function verdictOf(
  { status, state }: Step['expect'],
  before: { readonly type: string; readonly name: string } | undefined,
  moved: boolean,
): Pick<Expectation, 'verdict' | 'written'> {
  switch (status) {
    case 'ACCEPT':
      return { verdict: 'rewrite', written: true };
    case 'WAIT':
      return { verdict: 'wait', written: false };
    case 'ABORT':
      return { verdict: 'abort', written: false };
    case 'REJECT': {
      const isSame = state?.type === before?.type && (state?.name ?? before?.name) === before?.name;
      return { verdict: 'reject', written: !isSame || moved };
    }
  }
}
