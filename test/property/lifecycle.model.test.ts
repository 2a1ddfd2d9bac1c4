/**
 * The finite core, whole: every pair of states, asked in every way, under every kind of fact that a rule looks at. What
 * is checked here comes from the architecture (sections 4 to 7), not from the rules.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { isTerminal, STATE_TYPES, type StateType } from '../../protocol/states.ts';
import { court, judge, type Verdict } from '../../rules/judge.ts';
import { corePolicies } from '../../rules/policy.ts';
import type { Facts, FromType, Transition } from '../../rules/rule.ts';
import { at, facts, FROM_TYPES, NOW_MS, RUN_KINDS, slot, stateOf, transition } from '../rules/fixtures.ts';

type Case = { readonly asked: Transition; readonly known: Facts; readonly verdict: Verdict };

const EXECUTIONS: readonly Facts['execution'][] = [{ current: 2, asked: 2 }, { current: 2, asked: 1 }, { current: 2 }];
const VERSIONS: readonly Facts['version'][] = [{ current: 3, basedOn: 3 }, { current: 3, basedOn: 2 }, { current: 3 }];
const FLOWS: readonly Facts['flow'][] = [
  undefined,
  ...(['RUNNING', 'PAUSED', 'CANCELLING', 'SCHEDULED', 'FAILED', 'COMPLETED'] as const).map((type) => ({
    type,
    round: 1,
  })),
];
const RANS: readonly Facts['ran'][] = [undefined, ran(2, 1), ran(1, 1), ran(2, 0)];
const SLOTS: readonly Facts['slots'][] = [
  [],
  [slot({ slotsMax: 1 })],
  [slot({ slotsMax: 1, used: 1 })],
  [slot({ slotsMax: 1, wanted: 2 })],
  [slot({ slotsMax: 1, used: 1, heldByAncestors: 1 })],
];
const RETRIES: readonly Facts['retry'][] = [0, 1, 2].map((used) => ({ used, retriesMax: 2, delaysMs: [5], jitter: 0 }));

function ran(execution: number, round: number): Facts['ran'] {
  return { execution, round };
}

/** The facts that matter to what is asked, in every combination; the others as they usually are. */
function* factsFor({ from, to, kind }: Transition): Generator<Facts> {
  const called = kind !== 'flow';
  for (const execution of EXECUTIONS) {
    for (const version of VERSIONS) {
      for (const flow of called ? FLOWS : [undefined]) {
        for (const itsRan of called && (isTerminal(from) || from?.type === 'RUNNING') ? RANS : [undefined]) {
          for (const slots of to.type === 'RUNNING' ? SLOTS : [[]]) {
            for (const retry of to.type === 'FAILED' ? RETRIES : RETRIES.slice(0, 1)) {
              const { flow: _, ...rest } = facts({ execution, version, slots, retry });
              yield { ...rest, ...(flow && { flow }), ...(itsRan && { ran: itsRan }) };
            }
          }
        }
      }
    }
  }
}

function* everyAsking(from: FromType, to: StateType): Generator<Transition> {
  for (const kind of RUN_KINDS) {
    for (const claim of kind === 'flow' && to === 'RUNNING' ? [false, true] : [false]) {
      for (const report of [false, true]) {
        for (const by of ['sdk', 'engine']) {
          for (const start of from === 'SCHEDULED' ? [due(-1), due(0), due(1)] : [from]) {
            yield transition(start, to, { kind, claim, report, by });
          }
        }
      }
    }
  }
}

const due = (inMs: number): Transition['to'] =>
  ({ ...stateOf('SCHEDULED'), dueAtMs: at(NOW_MS + inMs) }) as Transition['to'];

const cases: Case[] = [];
beforeAll(() => {
  const theCourt = court(corePolicies);
  for (const from of FROM_TYPES) {
    for (const to of STATE_TYPES) {
      for (const asked of everyAsking(from, to)) {
        for (const known of factsFor(asked)) cases.push({ asked, known, verdict: judge(theCourt, asked, () => known) });
      }
    }
  }
});

const moves = ({ verdict: { outcome } }: Case): boolean => outcome === 'accepted' || outcome === 'rewritten';
const takes = (one: Case): boolean => moves(one) || one.verdict.outcome === 'held';
/** The first counterexample, in a form that can be read. */
function firstOf(wrong: (one: Case) => boolean): unknown {
  const found = cases.find(wrong);
  return found && { asked: found.asked, known: found.known, verdict: found.verdict };
}

test('the model is as large as it should be', () => {
  expect(cases.length).toBeGreaterThan(50_000);
});

test('no rule fails', () => {
  expect(firstOf(({ verdict }) => verdict.code === 'RULE_ERROR')).toBeUndefined();
});

describe('who may speak', () => {
  test('nothing moves, and nothing waits, that was asked in the name of another execution', () => {
    expect(firstOf((one) => one.known.execution.asked === 1 && takes(one))).toBeUndefined();
  });
  test('nothing moves, and nothing waits, that rests on another version', () => {
    expect(firstOf((one) => one.known.version.basedOn === 2 && takes(one))).toBeUndefined();
  });
  test('only the engine and the executing process report, and only they speak for tasks', () => {
    const foreign = ({ asked, known }: Case): boolean => known.execution.asked === undefined && asked.by !== 'engine';
    expect(
      firstOf((one) => foreign(one) && (one.asked.report || one.asked.kind === 'task') && takes(one)),
    ).toBeUndefined();
  });
});

describe('an end', () => {
  const leaves = (one: Case): boolean => isTerminal(one.asked.from) && moves(one) && one.verdict.to !== one.asked.from;

  test('of a flow run is left only by a claim, and only after a failure or a crash', () => {
    const lawful = ({ asked: { from, claim }, verdict: { to } }: Case): boolean =>
      claim && to.type === 'RUNNING' && (from?.type === 'FAILED' || from?.type === 'CRASHED');
    expect(firstOf((one) => one.asked.kind === 'flow' && leaves(one) && !lawful(one))).toBeUndefined();
  });
  test('of a call is left only by running it again, in a later execution or round of its flow run', () => {
    const lawful = ({ asked, known, verdict: { to } }: Case): boolean =>
      to.type === 'RUNNING' &&
      !asked.report &&
      (known.ran?.execution !== known.execution.current || known.ran.round !== known.flow?.round);
    expect(firstOf((one) => one.asked.kind !== 'flow' && leaves(one) && !lawful(one))).toBeUndefined();
  });
  test('of a call that completed is never left', () => {
    const completed = ({ asked }: Case): boolean => asked.kind !== 'flow' && asked.from?.type === 'COMPLETED';
    expect(firstOf((one) => completed(one) && leaves(one))).toBeUndefined();
  });
});

describe('cancelling', () => {
  test('leads to an end and nowhere else, and waits for nothing', () => {
    const cancelling = (one: Case): boolean => one.asked.from?.type === 'CANCELLING';
    expect(firstOf((one) => cancelling(one) && moves(one) && !isTerminal(one.verdict.to))).toBeUndefined();
    expect(firstOf((one) => cancelling(one) && one.verdict.outcome === 'held')).toBeUndefined();
  });
  test('never leads to COMPLETED or FAILED', () => {
    const uncancelled = ({ verdict: { to } }: Case): boolean => to.type === 'COMPLETED' || to.type === 'FAILED';
    expect(firstOf((one) => one.asked.from?.type === 'CANCELLING' && moves(one) && uncancelled(one))).toBeUndefined();
  });
  test('has a grace whenever it begins', () => {
    const begins = (one: Case): boolean => moves(one) && one.verdict.to.type === 'CANCELLING';
    expect(cases.some(begins)).toBe(true);
    const bounded = ({ verdict }: Case): boolean =>
      verdict.claims.some((claim) => claim.type === 'TIMER' && claim.timer === 'grace');
    expect(firstOf((one) => begins(one) && !bounded(one))).toBeUndefined();
  });
});

describe('the engine', () => {
  const fresh = ({ asked, known }: Case): boolean =>
    asked.by === 'engine' && !asked.report && known.execution.asked === undefined && known.version.basedOn === 3;

  test.each(['CANCELLED', 'CRASHED'] as const)(
    'can end as %s whatever has not ended, whatever the facts are',
    (end) => {
      const open = (one: Case): boolean => one.asked.from !== undefined && !isTerminal(one.asked.from);
      const refused = (one: Case): boolean => fresh(one) && open(one) && one.asked.to.type === end && !moves(one);
      expect(firstOf(refused)).toBeUndefined();
    },
  );
  test('can end by its time-out whatever runs', () => {
    const timedOut = (one: Case): boolean =>
      fresh(one) && one.asked.from?.type === 'RUNNING' && one.asked.to.type === 'FAILED';
    expect(firstOf((one) => timedOut(one) && !moves(one))).toBeUndefined();
  });
});

describe('a start', () => {
  const starts = (one: Case): boolean => moves(one) && one.verdict.to.type === 'RUNNING';
  test('of a call happens only under a flow run that runs', () => {
    expect(
      firstOf((one) => starts(one) && one.asked.kind !== 'flow' && one.known.flow?.type !== 'RUNNING'),
    ).toBeUndefined();
  });
  test('does not happen before it is due', () => {
    const early = ({ asked: { from } }: Case): boolean => from?.type === 'SCHEDULED' && from.dueAtMs > NOW_MS;
    expect(firstOf((one) => starts(one) && early(one))).toBeUndefined();
  });
  test('takes slots only where there is room', () => {
    const crowded = ({ known: { slots } }: Case): boolean =>
      slots.some(({ used, wanted, slotsMax = 9 }) => used + wanted > slotsMax);
    expect(firstOf((one) => starts(one) && crowded(one))).toBeUndefined();
  });
  test('of a flow run hands it to a process', () => {
    // A flow run that runs without one could neither be fenced nor found dead: it would run for ever.
    const handed = ({ asked, known }: Case): boolean =>
      asked.claim || (asked.from?.type === 'PAUSED' && known.execution.asked === known.execution.current);
    expect(firstOf((one) => one.asked.kind === 'flow' && starts(one) && !handed(one))).toBeUndefined();
  });
});

test('a retry is granted only while the budget lasts', () => {
  const retried = (one: Case): boolean => one.verdict.to.name === 'AwaitingRetry' && moves(one);
  expect(cases.some(retried)).toBe(true);
  expect(firstOf((one) => retried(one) && one.known.retry.used >= one.known.retry.retriesMax)).toBeUndefined();
});

test('from every state that is no end, the process that executes can go on, or has somebody to wait for', () => {
  for (const kind of RUN_KINDS) {
    for (const from of STATE_TYPES.filter((type) => !isTerminal(stateOf(type)))) {
      const asks = cases.filter(
        ({ asked, known }) =>
          asked.kind === kind && asked.from?.type === from && asked.by === 'sdk' && known.execution.asked === 2,
      );
      expect(asks.some(moves), `${kind} ${from}`).toBe(true);
    }
  }
});
