/**
 * The finite core of the rulebook, whole: for each policy every state that a run can be in, as it matters to rules (with
 * and without a result, suspended, timed out, late, not yet due), every state that can be wanted, asked in every way
 * (report, claim, reason, override, by whom), under every combination of the facts that the governing rules need, at the
 * edges of what those facts can be.
 */
import type { RunId } from '../../protocol/ids.ts';
import { isTerminal, STATE_TYPES, type State } from '../../protocol/states.ts';
import type { Value } from '../../protocol/values.ts';
import { court, judge, type PolicyName, type Verdict } from '../../rules/judge.ts';
import { corePolicies } from '../../rules/policy.ts';
import { RUN_KINDS, type Facts, type Need, type RunKind, type Transition } from '../../rules/rule.ts';
import { at, facts, NOW_MS, slot, stateOf } from '../rules/fixtures.ts';

export type Case = {
  readonly policy: PolicyName;
  readonly asked: Transition;
  readonly known: Facts;
  readonly verdict: Verdict;
};

const result: Value = { digest: 'a'.repeat(64), size: 1, inline: '1' } as Value;
const named = (state: State, name: string): State => ({ ...state, name });
const scheduled = (inMs: number): State => ({ ...stateOf('SCHEDULED'), dueAtMs: at(NOW_MS + inMs) }) as State;
const paused = (more: object): State => ({ ...stateOf('PAUSED'), ...more });

/** Of each type the states that differ for a rule. */
export const FROM_STATES: readonly (State | undefined)[] = [
  undefined,
  ...STATE_TYPES.map(stateOf),
  scheduled(1),
  named(scheduled(-1), 'Late'),
  named(scheduled(1), 'AwaitingRetry'),
  { ...stateOf('PENDING'), dueAtMs: at(NOW_MS + 1) } as State,
  paused({ suspended: true }),
  paused({ timeoutAtMs: NOW_MS }),
  paused({ suspended: true, timeoutAtMs: at(NOW_MS + 1) }),
  { ...stateOf('COMPLETED'), result } as State,
];

const TO_STATES: readonly State[] = [
  ...STATE_TYPES.map(stateOf),
  named(scheduled(-1), 'Late'),
  named(stateOf('PENDING'), 'Submitting'),
  paused({ key: 'fired' }),
  paused({ key: 'fresh', timeoutAtMs: at(NOW_MS + 1) }),
  paused({ suspended: true }),
  { ...stateOf('COMPLETED'), result } as State,
  { ...stateOf('FAILED'), retriable: false } as State,
];

const full = { slotsMax: 1, used: 1 };
const holder = { run: 'other' as RunId, slots: 1, isEnding: false };
const entry = { run: 'other' as RunId, result };

/** What each fact can be, at its edges. `execution` and `version` also have wrong values: see `wrong`. */
const EDGES: { readonly [N in Need]?: readonly (Facts[N] | undefined)[] } = {
  execution: [{ current: 2, asked: 2 }, { current: 2 }],
  flow: [undefined, ...(['RUNNING', 'PAUSED', 'CANCELLING', 'COMPLETED'] as const).map((type) => ({ type, round: 1 }))],
  ran: [
    undefined,
    { execution: 2, round: 1 },
    { execution: 1, round: 1 },
    { execution: 2, round: 0 },
    { execution: 1, round: 1, redo: true },
  ],
  retry: [0, 1].map((used) => ({ used, retriesMax: 1, delaysMs: [5], jitter: 0 })),
  inHands: [true, false],
  attempt: [0, 2],
  pauses: [['fired']],
  cache: [
    undefined,
    { key: 'k', ttlMs: 5 },
    { key: 'k', entry: { ...entry, expiresAtMs: at(NOW_MS + 1) } },
    { key: 'k', entry: { ...entry, expiresAtMs: NOW_MS } },
    { key: 'k', refresh: true, entry },
  ],
  message: [
    undefined,
    { mailbox: 'm' },
    { mailbox: 'm', untilMs: NOW_MS },
    { mailbox: 'm', untilMs: at(NOW_MS + 1) },
    { mailbox: 'm', untilMs: NOW_MS, first: { id: '4/0', value: result } },
  ],
  resume: [
    { byWorker: false, used: 0 },
    { byWorker: true, used: 0 },
    { byWorker: true, used: 20 },
  ],
  timeoutMs: [undefined, 500],
  cleanup: [undefined, true],
  call: [
    undefined,
    { key: 'mine', recorded: {} },
    { key: 'mine', recorded: { inputs: result.digest } },
    { key: 'work', expected: { run: 'other' as RunId, key: 'other' } },
  ],
  slots: [
    [],
    [slot({ slotsMax: 1 }), slot({ limit: 'unset' })],
    [slot(full)],
    [slot({ slotsMax: 1, ahead: 1 })],
    [slot({ slotsMax: 1, wanted: 2 })],
    [slot({ ...full, heldByAncestors: 1 })],
    [slot({ ...full, onFull: 'cancel-new' })],
    [slot({ ...full, onFull: 'cancel-running', holders: [holder] })],
    [slot({ slotsMax: 1, by: 'acme', rate: { everyMs: 3.3, emptyAtMs: at(NOW_MS + 1) } })],
    [slot({ slotsMax: 1, from: 'PENDING' }), slot({ ...full, from: 'PENDING', limit: 'deployment:d' })],
  ],
};

/** Asked in the name of a fenced execution, or resting on another version: nothing else can make that right. */
const wrong: readonly Partial<Facts>[] = [
  {},
  { execution: { current: 2, asked: 1 } },
  { version: { current: 3, basedOn: 2 } },
];

export const isRoot = (kind: RunKind): boolean => kind === 'flow' || kind === 'background';

export const theCourt = court(corePolicies);

/** Every case of a policy; the one for overrides is gone through for every kind of run. */
export function* finiteCore(policy: PolicyName): Generator<Case> {
  for (const kind of policy === 'forced' ? RUN_KINDS : [policy]) {
    for (const from of FROM_STATES) {
      for (const to of TO_STATES) {
        const combinations = [...factsFor(policy, kind, from, to)];
        for (const asked of askings(policy, { kind, from, to })) {
          for (const known of combinations) {
            yield { policy, asked, known, verdict: judge(theCourt, asked, () => known) };
          }
        }
      }
    }
  }
}

function* askings(policy: PolicyName, what: Pick<Transition, 'kind' | 'from' | 'to'>): Generator<Transition> {
  for (const report of [false, true]) {
    for (const claim of what.to.type === 'RUNNING' && isRoot(what.kind) ? [false, true] : [false]) {
      for (const by of ['sdk', 'engine']) {
        for (const reason of reasons(policy, what)) {
          const forced = policy === 'forced' ? { forced: true as const } : {};
          yield { ...what, report, claim, by, ...reason, ...forced };
        }
      }
    }
  }
}

/** To leave an end it takes a reason; and what is to be done again may be said of a flow run of its own. */
function reasons(
  policy: PolicyName,
  { kind, from }: Pick<Transition, 'kind' | 'from'>,
): readonly Partial<Transition>[] {
  if (policy !== 'forced' && !isTerminal(from)) return [{}];
  const again = kind === 'flow' && policy !== 'forced' ? [{ redo: true as const, reason: 'it must be' }] : [];
  return [{}, { reason: 'it must be' }, ...again];
}

/** Every combination of the facts that any rule needs that may be asked about this; the others as they usually are. */
function* factsFor(policy: PolicyName, kind: RunKind, from: State | undefined, to: State): Generator<Facts> {
  const governing = theCourt.governing(policy, kind, from?.type ?? 'NONE', to.type);
  const needs = governing.needs.filter(
    (need) => need in EDGES && (!isRoot(kind) || (need !== 'flow' && need !== 'ran')),
  );
  for (const more of combined(needs)) {
    const { flow, ran, cache, message, timeoutMs, cleanup, call, ...rest } = {
      ...facts({ version: { current: 3 }, pauses: ['fired'] }),
      ...more,
    };
    const known: Facts = {
      ...rest,
      ...(flow === undefined || isRoot(kind) ? {} : { flow }),
      ...(ran === undefined ? {} : { ran }),
      ...(cache === undefined ? {} : { cache }),
      ...(message === undefined ? {} : { message }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(cleanup === undefined ? {} : { cleanup }),
      ...(call === undefined ? {} : { call }),
    };
    yield known;
  }
  for (const more of wrong.slice(1)) yield facts(more);
}

/** Facts that only one rule looks at, and alone: each is varied while the others of them are as they usually are. */
const ALONE: ReadonlySet<Need> = new Set(['attempt', 'timeoutMs', 'cache', 'message', 'call', 'cleanup']);

function* combined(needs: readonly Need[]): Generator<Record<string, unknown>> {
  const together = needs.filter((need) => !ALONE.has(need));
  for (const more of product(together)) {
    yield more;
    for (const need of needs.filter((one) => ALONE.has(one))) {
      for (const edge of EDGES[need]?.slice(1) ?? []) yield { ...more, [need]: edge };
    }
  }
}

function* product(needs: readonly Need[]): Generator<Record<string, unknown>> {
  const [need, ...rest] = needs;
  if (need === undefined) {
    yield {};
    return;
  }
  for (const edge of EDGES[need] ?? []) for (const more of product(rest)) yield { [need]: edge, ...more };
}
