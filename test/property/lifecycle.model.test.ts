/**
 * The finite core, whole: every state, asked for in every way from every state, under every kind of fact that a rule looks
 * at. What is checked here comes from the architecture (sections 4 to 7), not from the rules. What follows from state over
 * time is walked through in lifecycle.walk.test.ts.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { isTerminal, type StateType } from '../../protocol/states.ts';
import { judge, type PolicyName } from '../../rules/judge.ts';
import { corePolicies } from '../../rules/policy.ts';
import { NOW_MS } from '../rules/fixtures.ts';
import { finiteCore, isRoot, theCourt, type Case } from '../support/finite-core.ts';

const POLICIES = Object.keys(corePolicies) as PolicyName[];

// --- what is said of a case ----------------------------------------------------------------------------------------

const moves = ({ verdict: { outcome } }: Case): boolean => outcome === 'accepted' || outcome === 'rewritten';
const takes = (one: Case): boolean => moves(one) || one.verdict.outcome === 'held';
const isForced = ({ policy }: Case): boolean => policy === 'forced';
const isFenced = ({ known: { execution } }: Case): boolean =>
  execution.asked !== undefined && execution.asked !== execution.current;
const isStale = ({ known: { version } }: Case): boolean =>
  version.basedOn !== undefined && version.basedOn !== version.current;
const isForeign = ({ asked, known }: Case): boolean => known.execution.asked === undefined && asked.by !== 'engine';
const from = ({ asked }: Case): StateType | 'NONE' => asked.from?.type ?? 'NONE';
const isRun = ({ asked }: Case): boolean => isRoot(asked.kind);
/** The engine speaks of a run as it is: it is neither fenced nor stale. */
const byEngine = (one: Case): boolean =>
  one.asked.by === 'engine' && !one.asked.report && !isFenced(one) && !isStale(one);
const leavesEnd = (one: Case): boolean => isTerminal(one.asked.from) && moves(one) && one.verdict.to !== one.asked.from;
/** Under a flow run that runs; what undoes something, under one that is being cancelled too. */
const mayBegin = ({ known: { flow, cleanup } }: Case): boolean =>
  flow?.type === 'RUNNING' || (flow?.type === 'CANCELLING' && cleanup === true);
const starts = (one: Case): boolean => !isForced(one) && moves(one) && one.verdict.to.type === 'RUNNING';
const begins = (one: Case, type: StateType): boolean => moves(one) && one.verdict.to.type === type;
const hasResult = ({ asked }: Case): boolean => asked.from?.type === 'COMPLETED' && asked.from.result !== undefined;
const claims = ({ verdict }: Case, timer: string): boolean =>
  verdict.claims.some((claim) => claim.type === 'TIMER' && claim.timer === timer);
const isLaterCall = ({ known: { ran, execution, flow } }: Case): boolean =>
  ran?.execution !== execution.current || ran.round !== flow?.round;
const rewrites = ({ verdict }: Case): string[] =>
  verdict.trail.flatMap((one) => (typeof one === 'object' && one.opinion === 'rewrite' ? [one.rule] : []));

/** Whether a case breaks the law; the name is the test's. Each is checked on every case of every policy. */
const LAWS: Readonly<Record<string, Readonly<Record<string, (one: Case) => boolean>>>> = {
  'a hearing': {
    'never ends in an error of a rule': ({ verdict: { code } }) => code === 'RULE_ERROR' || code === 'RULE_IMPURE',
    'ends: each rule rewrites at most once': (one) => new Set(rewrites(one)).size !== rewrites(one).length,
    'that refuses says which rule did, and why': ({ verdict: { outcome, code, trail } }) =>
      outcome === 'rejected' && (code === undefined || typeof trail.at(-1) !== 'object'),
  },
  'who may speak': {
    'nothing moves, and nothing waits, in the name of another execution': (one) =>
      !isForced(one) && isFenced(one) && takes(one),
    'nothing moves, and nothing waits, that rests on another version': (one) => isStale(one) && takes(one),
    'only the engine and the executing process report, and only they speak for tasks': (one) =>
      !isForced(one) && isForeign(one) && (one.asked.report || one.asked.kind === 'task') && takes(one),
    'nobody overrides without a reason': (one) => isForced(one) && one.asked.reason === undefined && takes(one),
    'what is overridden is recorded with the override': (one) =>
      isForced(one) !== (one.verdict.overrides !== undefined),
  },
  'an end': {
    'is not left without an actor and a reason, but by a resume or by a call that is made again': (one) => {
      const resumes =
        isRun(one) && one.asked.claim && ['FAILED', 'CRASHED'].includes(from(one)) && one.asked.to.type === 'RUNNING';
      const calls = !isRun(one) && one.asked.to.type === 'RUNNING' && isLaterCall(one) && !isForeign(one);
      return leavesEnd(one) && one.asked.reason === undefined && !resumes && !calls;
    },
    'is not left by a report': (one) => !isForced(one) && leavesEnd(one) && one.asked.report && isRun(one),
    'with a result is kept: it is left by an override, or to be done again in whole or in part': (one) => {
      const isRedone = (one.asked.redo === true && one.asked.reason !== undefined) || one.known.ran?.redo === true;
      return !isForced(one) && leavesEnd(one) && hasResult(one) && !isRedone;
    },
    'that is to be made again is left for a start, and for nothing else': (one) =>
      one.asked.redo === true &&
      leavesEnd(one) &&
      hasResult(one) &&
      !['RUNNING', 'SCHEDULED'].includes(one.verdict.to.type),
    'with a result is not lost by completing it again, even by force': (one) =>
      one.asked.from?.type === 'COMPLETED' &&
      one.asked.from.result !== undefined &&
      begins(one, 'COMPLETED') &&
      one.verdict.to.type === 'COMPLETED' &&
      one.verdict.to.result === undefined,
    'of a call is not left under a flow run that does not run, but for another end': (one) =>
      !isForced(one) && !isRun(one) && leavesEnd(one) && !isTerminal(one.verdict.to) && !mayBegin(one),
    'never becomes CANCELLING or PAUSED': (one) =>
      !isForced(one) && leavesEnd(one) && ['CANCELLING', 'PAUSED'].includes(one.verdict.to.type),
  },
  cancelling: {
    'leads to CANCELLED and nowhere else': (one) =>
      !isForced(one) && from(one) === 'CANCELLING' && moves(one) && one.verdict.to.type !== 'CANCELLED',
    'waits for nothing': (one) => !isForced(one) && from(one) === 'CANCELLING' && one.verdict.outcome === 'held',
    'has a grace whenever it begins': (one) => begins(one, 'CANCELLING') && !claims(one, 'grace'),
    'is refused by no rule where something has not ended: to whoever may speak, it is granted': (one) =>
      !isForced(one) &&
      one.asked.to.type === 'CANCELLING' &&
      ['SCHEDULED', 'PENDING', 'RUNNING', 'PAUSED'].includes(from(one)) &&
      !isFenced(one) &&
      !isStale(one) &&
      !(isForeign(one) && (one.asked.report || one.asked.kind === 'task')) &&
      !moves(one),
  },
  'the engine': {
    'can end as CANCELLED or CRASHED whatever has not ended': (one) =>
      !isForced(one) &&
      byEngine(one) &&
      one.asked.from !== undefined &&
      !isTerminal(one.asked.from) &&
      ['CANCELLED', 'CRASHED'].includes(one.asked.to.type) &&
      !moves(one),
    'can end by its time-out whatever runs or is paused': (one) =>
      !isForced(one) &&
      byEngine(one) &&
      ['RUNNING', 'PAUSED'].includes(from(one)) &&
      one.asked.to.type === 'FAILED' &&
      !moves(one),
  },
  'a start': {
    'of a call happens only under a flow run that runs': (one) => starts(one) && !isRun(one) && !mayBegin(one),
    'does not happen before it is due': (one) =>
      starts(one) &&
      (one.asked.from?.type === 'SCHEDULED' || one.asked.from?.type === 'PENDING') &&
      (one.asked.from.dueAtMs ?? 0) > NOW_MS,
    'takes slots only where there is room, and of every limit that is set': (one) => {
      const set = one.known.slots.filter(({ slotsMax }) => slotsMax !== undefined);
      const taken = one.verdict.claims.flatMap((claim) => (claim.type === 'SLOTS' ? claim.slots : []));
      const isCrowded = set.some(
        ({ used, wanted, slotsMax = 0, rate, ahead }) =>
          ahead > 0 ||
          (rate === undefined ? used : Math.ceil((rate.emptyAtMs - NOW_MS) / rate.everyMs)) + wanted > slotsMax,
      );
      return starts(one) && (isCrowded || taken.length !== set.length);
    },
    'of a run of its own hands it to a process, unless one waits with it in a pause': (one) =>
      starts(one) &&
      isRun(one) &&
      !one.asked.claim &&
      !(one.asked.from?.type === 'PAUSED' && one.asked.from.suspended !== true),
    'has its time-out': (one) => begins(one, 'RUNNING') && one.known.timeoutMs !== undefined && !claims(one, 'timeout'),
    'of a flow run does not happen after its pause is over': (one) =>
      starts(one) &&
      ['flow', 'subflow'].includes(one.policy) &&
      one.asked.from?.type === 'PAUSED' &&
      (one.asked.from.timeoutAtMs ?? Infinity) <= NOW_MS,
  },
  'a retry': {
    'is granted only while the budget lasts': (one) =>
      one.verdict.to.name === 'AwaitingRetry' &&
      rewrites(one).length > 0 &&
      one.known.retry.used >= one.known.retry.retriesMax,
  },
  'a pause': {
    'is of a flow run that runs, or stays one when its process dies': (one) =>
      !isForced(one) &&
      ['flow', 'subflow'].includes(one.policy) &&
      begins(one, 'PAUSED') &&
      from(one) !== 'RUNNING' &&
      !(from(one) === 'PAUSED' && one.asked.to.type === 'CRASHED'),
    'fires once': (one) =>
      !isForced(one) &&
      ['flow', 'subflow'].includes(one.policy) &&
      begins(one, 'PAUSED') &&
      one.verdict.to.type === 'PAUSED' &&
      one.verdict.to.key === 'fired',
    'has a timer if it has a time-out': (one) =>
      ['flow', 'subflow'].includes(one.policy) &&
      begins(one, 'PAUSED') &&
      one.verdict.to.type === 'PAUSED' &&
      one.verdict.to.timeoutAtMs !== undefined &&
      !claims(one, 'pause'),
    'that ends the process is of what a worker finds': (one) =>
      one.policy === 'flow' &&
      begins(one, 'PAUSED') &&
      one.verdict.to.type === 'PAUSED' &&
      one.verdict.to.suspended === true &&
      !one.known.resume.byWorker,
  },
  'a call': {
    'in place of another, or with the inputs of another, changes nothing': (one) => {
      const { inputs, recorded, expected } = one.known.call ?? {};
      const diverges = expected !== undefined || (recorded !== undefined && recorded.inputs !== inputs);
      const begins = ['SCHEDULED', 'PENDING', 'RUNNING'].includes(one.asked.to.type);
      return !isForced(one) && !isRun(one) && begins && diverges && takes(one);
    },
    'that is to be done again is answered from no record': (one) =>
      !isForced(one) && one.known.ran?.redo === true && one.verdict.to === one.asked.from && moves(one),
  },
  'a call that waits for a message': {
    'never runs: it has no code': (one) => starts(one) && one.policy === 'task' && one.known.message !== undefined,
    'is answered only with a message that is there, which leaves its mailbox': (one) => {
      const { to, claims: taken } = one.verdict;
      const isTaken = taken.some((claim) => claim.type === 'MESSAGE' && claim.id === one.known.message?.first?.id);
      const isAnswered = moves(one) && to.name === 'Received' && to !== one.asked.from;
      return isAnswered !== taken.some(({ type }) => type === 'MESSAGE') || (isAnswered && !isTaken);
    },
    'waits no longer than it says': ({ verdict: { waits }, known: { message } }) =>
      waits?.type === 'MESSAGE' && (message?.first !== undefined || (message?.untilMs ?? Infinity) <= NOW_MS),
  },
  'a kept result': {
    'answers a call only while it is fresh and wanted': (one) => {
      const { entry, refresh } = one.known.cache ?? {};
      const isFresh = entry !== undefined && (entry.expiresAtMs ?? Infinity) > NOW_MS && refresh !== true;
      return one.verdict.to.name === 'Cached' && moves(one) && one.verdict.to !== one.asked.from && !isFresh;
    },
  },
};

// --- the model -----------------------------------------------------------------------------------------------------

type Counter = { readonly asked: unknown; readonly known: unknown; readonly verdict: unknown };

describe.each(POLICIES)('by the policy %s', (policy) => {
  const broken = new Map<string, Counter>();
  let cases = 0;
  let undecided = 0;
  const outcomes = new Map<string, Set<string>>();

  beforeAll(() => {
    const laws = Object.entries(LAWS).flatMap(([of, named]) =>
      Object.entries(named).map(([law, breaks]) => ({ name: `${of} ${law}`, breaks })),
    );
    for (const one of finiteCore(policy)) {
      cases += 1;
      for (const { name, breaks } of laws) {
        if (!broken.has(name) && breaks(one))
          broken.set(name, { asked: one.asked, known: one.known, verdict: one.verdict });
      }
      if (
        cases % 13 === 0 &&
        JSON.stringify(judge(theCourt, one.asked, () => one.known)) !== JSON.stringify(one.verdict)
      )
        undecided += 1;
      const reached = outcomes.get(from(one)) ?? new Set();
      if (!isFenced(one) && !isStale(one) && moves(one)) reached.add(one.verdict.to.type);
      outcomes.set(from(one), reached);
    }
  });

  test('the model is as large as it should be', () => {
    expect(cases).toBeGreaterThan(20_000);
  });

  test('the same case gets the same verdict each time', () => {
    expect(undecided).toBe(0);
  });

  for (const [of, named] of Object.entries(LAWS)) {
    describe(of, () => {
      test.each(Object.keys(named))('%s', (law) => {
        expect(broken.get(`${of} ${law}`)).toBeUndefined();
      });
    });
  }

  test('from every state that is no end somebody can bring it to an end, and from every start to its completion', () => {
    for (const type of ['NONE', 'SCHEDULED', 'PENDING', 'RUNNING', 'PAUSED', 'CANCELLING'] as const) {
      expect([...(outcomes.get(type) ?? [])], type).toContain('CANCELLED');
      if (type !== 'CANCELLING') expect([...(outcomes.get(type) ?? [])], type).toContain('COMPLETED');
    }
  });
});
