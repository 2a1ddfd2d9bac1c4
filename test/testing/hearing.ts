/**
 * Hears one proposal, after a state that a test names or after a history that the real engine folds.
 *
 * H1 A history goes through the engine's own docket, decider and fold under the core policies; the proposal in question
 *    is judged by its decider and changes nothing.
 * H2 What rules are given is frozen, as in the engine: one that changes it is in error.
 */
import { freeze } from 'immer';
import type { Selectable } from '../../engine/policy/loaded-policy.ts';
import { decide, kindOf } from '../../engine/arbiter/decide.ts';
import { evolve } from '../../engine/fold/evolve.ts';
import type { EpochMs, RunId } from '../../protocol/ids.ts';
import {
  parentId,
  proposalId,
  rootOf,
  type RunDefinition,
  type TransitionProposal,
  type WorkspaceEvent,
} from '../../protocol/proposals.ts';
import { stateAfter, type Ruling } from '../../protocol/rulings.ts';
import { encodeEntry } from '../../protocol/segment.ts';
import type { State, StateType } from '../../protocol/states.ts';
import { parseDuration, type Duration } from '../../sdk/durations.ts';
import { court, judge, type Court, type Governing, type Policies, type Verdict } from '../../rules/judge.ts';
import type { Facts, RunKind, Transition } from '../../rules/rule.ts';
import { Desk, runId } from '../support/worlds.ts';
import { plainFacts, withFacts, type FactsGiven } from './facts.ts';
import { wholeState, type StateGiven } from './states.ts';
import type { PoliciesFor } from './under.ts';
import { rulingWords, stateWords, trailWords } from './words.ts';

/** How something is asked, where it matters. */
export type How = {
  /** After a state: what kind of run it is. Default: the first that the rule under test is about, or `flow`. */
  readonly kind?: RunKind;
  /**
   * In a history: which run, by a name that the test chooses, or its id. `'a.b'` is called by `'a'`. Default `'flow'`; of
   * recorded rulings, the run that they begin with.
   */
  readonly run?: string;
  /** In a history: what the run is, if this is the first that is heard of it. */
  readonly create?: Partial<RunDefinition>;
  /** It says what happened. Default: of COMPLETED, FAILED and CRASHED. */
  readonly report?: boolean;
  /** The asker becomes the process that executes the run. Default: when a run of its own is to run, and was not paused. */
  readonly claim?: boolean;
  /** The user. Default `'sdk'`. */
  readonly by?: string;
  readonly onBehalfOf?: string;
  readonly reason?: string;
  /** An operator's override. */
  readonly force?: true;
  /** In a history: in whose name it is asked. Default: the current execution; of another user, none. */
  readonly execution?: number;
  readonly basedOn?: number;
};

/** One step of a history: what is asked, what comes about, or a ruling that was recorded somewhere else. */
export type Step =
  | Ruling
  | { readonly type: 'ASKED'; readonly state: StateGiven; readonly how: How }
  | { readonly type: 'EVENT'; readonly event: WorkspaceEvent }
  | { readonly type: 'TIME'; readonly duration: Duration };

/**
 * Somebody asks for a state, or says that it was reached, in a history.
 *
 * @example
 * import { asked, failed, given, running, timePassed } from 'assent/testing';
 *
 * const retry = { retriesMax: 1, delaysMs: [1000], jitter: 0 };
 * given([asked(running(), { create: { retry } }), asked(failed('once')), timePassed('1s'), asked(running())])
 *   .propose(failed('twice'))
 *   .expectAccepted();
 */
export const asked = (state: StateGiven, how: How = {}): Step => ({ type: 'ASKED', state, how });

/**
 * A named limit is set, in a history.
 *
 * @example
 * import { given, limitSet, running } from 'assent/testing';
 *
 * const create = { limits: [{ limit: 'db', slots: 1 }] };
 * given([limitSet('db', 0)]).propose(running(), { create }).expectHeld('SLOTS');
 */
export const limitSet = (limit: string, slotsMax: number): Step => ({
  type: 'EVENT',
  event: { type: 'LIMIT_SET', limit, slotsMax },
});

/**
 * Time passes, in a history, and what is due happens.
 *
 * @example
 * import { asked, given, pending, running, timePassed } from 'assent/testing';
 *
 * const create = { timeoutMs: 60_000 };
 * const late = given([asked(running(), { create }), timePassed('2m')]).propose({ type: 'COMPLETED' });
 * console.log(late.expectRejected('ALREADY_ENDED').verdict.outcome); // rejected
 */
export const timePassed = (duration: Duration): Step => ({ type: 'TIME', duration });

/** What was asked, what the rules said, and how to say it. */
export type Hearing = { readonly verdict: Verdict; readonly asked: string; readonly words: readonly string[] };

export type QuestionAsked = {
  readonly state: StateGiven;
  readonly how: How;
  readonly facts: FactsGiven;
  readonly policies: PoliciesFor;
};

/** Who asks for a run of its own to run does so to execute it; one that was paused is executed already. */
const isClaim = (from: { readonly type: StateType } | undefined, to: StateGiven, isOwn: boolean): boolean =>
  isOwn && to.type === 'RUNNING' && from?.type !== 'RUNNING' && from?.type !== 'PAUSED';
const isReport = (state: StateGiven): boolean => ['COMPLETED', 'FAILED', 'CRASHED'].includes(state.type);

/** What is new, or was only ever waiting, has not entered RUNNING. */
const hasRun = (from: StateGiven | undefined): boolean =>
  from !== undefined && (!['SCHEDULED', 'PENDING'].includes(from.type) || from.name === 'AwaitingRetry');

export function hearAfterState(from: StateGiven | undefined, question: QuestionAsked): Hearing {
  const { how } = question;
  const facts = freeze(plainFacts({ ...(hasRun(from) ? {} : { attempt: 0 }), ...question.facts }), true);
  const kind = how.kind ?? 'flow';
  const isFlow = kind === 'flow' || kind === 'subflow';
  const policies = question.policies([{ isFlow, name: facts.run.name, tags: facts.run.tags }]);
  const transition: Transition = {
    kind,
    from: from === undefined ? undefined : wholeState(from, facts.nowMs),
    to: wholeState(question.state, facts.nowMs),
    report: how.report ?? isReport(question.state),
    claim: how.claim ?? isClaim(from, question.state, kind === 'flow' || kind === 'background'),
    by: how.by ?? 'sdk',
    ...(how.onBehalfOf === undefined ? {} : { onBehalfOf: how.onBehalfOf }),
    ...(how.reason === undefined ? {} : { reason: how.reason }),
    ...(how.force === undefined ? {} : { forced: how.force }),
  };
  const verdict = judge(court(policies), freeze(transition, true), () => facts);
  return heard({ verdict, kind, from: transition.from, to: transition.to, policies, history: [] });
}

export function hearAfter(history: readonly Step[], question: QuestionAsked): Hearing {
  const { state, how, facts } = question;
  const desk = new Desk();
  const past: Ruling[] = [];
  for (const step of history) {
    const known = desk.ruled.length;
    take(desk, step);
    past.push(...(step.type === 'RULING' ? [step] : []), ...desk.ruled.slice(known).map(({ ruling }) => ruling));
  }
  const recorded = history.some(({ type }) => type === 'RULING') ? desk.runs()[0]?.id : undefined;
  const proposal = proposalOf(desk, state, recorded === undefined ? how : { run: recorded, ...how });
  const before = desk.run(proposal.run);
  const policies = question.policies(around(desk, before ?? proposal.create));
  const nowMs = (facts.nowMs ?? desk.nowMs) as EpochMs;
  const context = {
    nowMs,
    chance: () => 0.5,
    graceMs: desk.graceMs,
    court: overriding(court(policies), facts),
    policy: '0'.repeat(16),
    epoch: desk.epoch,
  };
  const ruling = decide(desk.workspace, proposal, context);
  return heard({
    verdict: verdictOf(ruling, proposal.to),
    kind: kindOf(before ?? proposal.create),
    from: before?.state,
    to: proposal.to,
    policies,
    history: past,
  });
}

type Named = Pick<RunDefinition, 'kind' | 'name' | 'tags' | 'parent'>;

/** A run, and the flow runs around it. */
function* around(desk: Desk, run: Named | undefined): Generator<Selectable> {
  for (let one = run; one !== undefined; one = one.parent === undefined ? undefined : desk.run(one.parent)) {
    yield { isFlow: one.kind === 'flow', name: one.name, tags: one.tags ?? [] };
  }
}

function take(desk: Desk, step: Step): void {
  switch (step.type) {
    case 'ASKED':
      desk.hear(proposalOf(desk, step.state, step.how));
      break;
    case 'EVENT':
      desk.ask('given-operator', { kind: 'workspace', event: step.event });
      break;
    case 'RULING':
      // What was ruled has happened; the fold takes it as it is.
      desk.nowMs = step.atMs;
      evolve(desk.workspace, step, encodeEntry(step), { seq: desk.segments.length + 1, index: desk.ruled.length });
      break;
    case 'TIME':
      desk.pass(parseDuration(step.duration) ?? Number.NaN);
      break;
  }
}

function proposalOf(desk: Desk, state: StateGiven, how: How): TransitionProposal {
  const run = idOf(how.run ?? 'flow');
  const known = desk.run(run);
  const parent = parentId(run);
  const create: RunDefinition = {
    kind: parent === '' || how.kind === 'subflow' ? 'flow' : 'task',
    name: how.run ?? 'flow',
    ...(parent === '' ? {} : { parent: parent as RunId }),
    ...how.create,
  };
  const { kind } = known ?? create;
  const by = how.by ?? 'sdk';
  const claim = how.claim ?? isClaim(known?.state, state, parent === '');
  const current = by === 'sdk' && !claim ? desk.run(rootOf(run))?.execution : undefined;
  const execution = how.execution ?? current;
  const session = `given-${by}`;
  return {
    id: proposalId(session, counterOf(desk, session)),
    by,
    kind,
    run,
    to: wholeState(state, desk.nowMs),
    ...((how.report ?? isReport(state)) ? { report: true } : {}),
    ...(claim ? { claim } : {}),
    ...(execution === undefined ? {} : { execution }),
    ...(known === undefined ? { create } : {}),
    ...(how.onBehalfOf === undefined ? {} : { onBehalfOf: how.onBehalfOf }),
    ...(how.reason === undefined ? {} : { reason: how.reason }),
    ...(how.force === undefined ? {} : { force: how.force }),
    ...(how.basedOn === undefined ? {} : { basedOn: how.basedOn }),
  };
}

const counterOf = (desk: Desk, session: string): number => desk.workspace.sessions.get(session)?.next ?? 0;

/** Ids as the engine has them: sixteen characters for a run of its own. */
function idOf(name: string): RunId {
  const [root = '', ...calls] = name.split('.');
  return [runId(root), ...calls].join('.') as RunId;
}

/** The court's rules, asked with these facts in the place of what was found. */
function overriding(of: Court, facts: FactsGiven): Court {
  if (Object.keys(facts).length === 0) return of;
  const withThem = ({ rules, needs }: Governing): Governing => ({
    needs,
    rules: rules.map((rule) => ({
      ...rule,
      judge: (transition: Transition, known: Facts) => rule.judge(transition, freeze(withFacts(known, facts), true)),
    })),
  });
  return { governing: (...asked) => withThem(of.governing(...asked)) };
}

function verdictOf(ruling: Ruling, wanted: State): Verdict {
  const { outcome, trail, claims = [], waits } = ruling;
  const last = trail.at(-1);
  const code = outcome === 'rejected' && typeof last === 'object' ? last.code : undefined;
  return {
    outcome,
    to: stateAfter(ruling) ?? wanted,
    trail,
    claims,
    ...(waits === undefined ? {} : { waits }),
    ...(code === undefined ? {} : { code }),
  };
}

type Heard = {
  readonly verdict: Verdict;
  readonly kind: RunKind;
  readonly from: State | undefined;
  readonly to: State;
  readonly policies: Partial<Policies>;
  readonly history: readonly Ruling[];
};

/** Above this, the rules that were not asked are not worth naming. */
const NAMED_MAX = 5;

function heard({ verdict, kind, from, to, policies, history }: Heard): Hearing {
  const asked = `${stateWords(from)} -> ${stateWords(to)} of a ${kind}`;
  const silent = (policies[kind]?.rules ?? []).filter((rule) => !wasAsked(rule.name, verdict));
  const notAsked = silent.length > NAMED_MAX ? [] : silent.map(notAskedWords);
  const before = history.length === 0 ? [] : ['Before that:', ...history.flatMap(rulingWords)];
  return { verdict, asked, words: [...trailWords(verdict.trail), ...notAsked, ...before] };
}

const wasAsked = (name: string, { trail }: Verdict): boolean =>
  trail.some((entry) => (typeof entry === 'string' ? entry : entry.rule) === name);

const notAskedWords = ({ name, on, from, to }: Policies['flow']['rules'][number]): string =>
  `${name} was not asked: it governs ${on.join(', ')}, from ${from.join(', ')} to ${to.join(', ')}`;
