/** What the tests of rules share: states, transitions and facts with nothing remarkable about them, and a rule's reach. */
import { describe, expect, test } from 'vitest';
import type { Digest, EpochMs, RunId } from '../../protocol/ids.ts';
import { DEFAULT_NAMES, STATE_TYPES, type State, type StateType } from '../../protocol/states.ts';
import type { Value } from '../../protocol/values.ts';
import type { Facts, FromType, Opinion, Rule, Transition } from '../../rules/rule.ts';

export { RUN_KINDS } from '../../rules/rule.ts';

export const at = (ms: number): EpochMs => ms as EpochMs;
export const NOW_MS = at(100_000);

export const FROM_TYPES: readonly FromType[] = ['NONE', ...STATE_TYPES];
export const ENDS: readonly StateType[] = ['COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED'];

export function stateOf(type: StateType): State {
  const name = DEFAULT_NAMES[type];
  return type === 'SCHEDULED' ? { type, name, dueAtMs: NOW_MS } : { type, name };
}

export const fromOf = (type: FromType): State | undefined => (type === 'NONE' ? undefined : stateOf(type));

export function transition(from: FromType | State, to: StateType | State, more: Partial<Transition> = {}): Transition {
  return {
    kind: 'task',
    from: typeof from === 'string' ? fromOf(from) : from,
    to: typeof to === 'string' ? stateOf(to) : to,
    report: false,
    claim: false,
    by: 'sdk',
    ...more,
  };
}

/** Facts under which no rule has anything to say. */
export function facts(more: Partial<Facts> = {}): Facts {
  return {
    nowMs: NOW_MS,
    execution: { current: 1, asked: 1 },
    version: { current: 3 },
    flow: { type: 'RUNNING', round: 0 },
    attempt: 1,
    run: { name: 'work', tags: [] },
    inHands: true,
    pauses: [],
    retry: { used: 0, retriesMax: 0, delaysMs: [], jitter: 0 },
    resume: { byWorker: false, used: 0 },
    chance: 0.5,
    slots: [],
    graceMs: 30_000,
    ...more,
  };
}

/** Facts at the edges of everything that a rule may look at. */
export const MANY_FACTS: readonly Facts[] = [
  facts(),
  facts({ execution: { current: 2, asked: 1 } }),
  facts({ execution: { current: 0 } }),
  facts({ version: { current: 3, basedOn: 2 } }),
  facts({ ran: { execution: 1, round: 0 } }),
  facts({ ran: { execution: 0, round: 1 }, flow: { type: 'CANCELLING', round: 1 } }),
  withoutFlow(),
  facts({ retry: { used: 1, retriesMax: 2, delaysMs: [10, 20], jitter: 1 }, chance: 0.999 }),
  facts({ retry: { used: 2, retriesMax: 2, delaysMs: [], jitter: 0 } }),
  facts({ resume: { byWorker: true, used: 0 }, timeoutMs: 500 }),
  facts({ flow: { type: 'PAUSED', round: 0 }, slots: [slot({ slotsMax: 0 })] }),
  facts({ slots: [slot({ slotsMax: 1, used: 1, heldByAncestors: 1 }), slot({})] }),
  facts({ attempt: 0, slots: [slot({ slotsMax: 1, used: 1, onFull: 'cancel-new', from: 'PENDING' })] }),
  facts({
    slots: [
      slot({
        slotsMax: 1,
        used: 1,
        onFull: 'cancel-running',
        holders: [{ run: 'x' as RunId, slots: 1, isEnding: false }],
      }),
    ],
  }),
  facts({ slots: [slot({ slotsMax: 2, by: 'acme', rate: { everyMs: 500, emptyAtMs: at(NOW_MS + 1000) } })] }),
  facts({ inHands: false, pauses: ['approval'], attempt: 3 }),
  facts({ cache: { key: 'k' } }),
  facts({ cache: { key: 'k', ttlMs: 1000, entry: { run: 'x' as RunId, expiresAtMs: at(NOW_MS + 1) } } }),
  facts({ cache: { key: 'k', refresh: true, entry: { run: 'x' as RunId } } }),
  facts({ cache: { key: 'k', entry: { run: 'x' as RunId } }, ran: { execution: 0, round: 0, redo: true } }),
  facts({ cleanup: true, flow: { type: 'CANCELLING', round: 0 } }),
  facts({ call: { key: 'mine', recorded: { inputs: 'd'.repeat(64) as Digest } } }),
  facts({ call: { key: 'work', expected: { run: 'x' as RunId, key: 'other' } } }),
  facts({ message: { mailbox: 'x message:go' } }),
  facts({ message: { mailbox: 'x message:go', untilMs: NOW_MS } }),
  facts({ message: { mailbox: 'x.call', topic: 'paid[7]', untilMs: at(NOW_MS + 1), first: { id: '4/0' } } }),
];

function withoutFlow(): Facts {
  const { flow: _, ...rest } = facts();
  return rest;
}

export function slot(more: Partial<Facts['slots'][number]>): Facts['slots'][number] {
  const none = { used: 0, heldByAncestors: 0, ahead: 0, wantedAhead: 0 };
  return { limit: 'db', from: 'RUNNING', onFull: 'enqueue', wanted: 1, ...none, ...more };
}

/** Which transitions the rule governs, and that it has a lawful opinion on each of them, whatever the facts are. */
export function testReach(rule: Rule, reach: Pick<Rule, 'on' | 'from' | 'to'>): void {
  describe(`${rule.name}: its reach`, () => {
    test('it governs what it says', () => {
      expect([...rule.on].sort()).toStrictEqual([...reach.on].sort());
      expect([...rule.from].sort()).toStrictEqual([...reach.from].sort());
      expect([...rule.to].sort()).toStrictEqual([...reach.to].sort());
    });

    test('it has a lawful opinion on every pair of states, the same one each time, and changes nothing', () => {
      const seen = new Set<string>(['PASS']);
      const wrong: unknown[] = [];
      for (const asked of everyTransition(rule)) {
        for (const known of MANY_FACTS) {
          // Frozen: whoever writes to it throws.
          const opinion = rule.judge(asked, known);
          seen.add(opinion.type);
          const isLawful = isReasoned(opinion) && isSame(rule.judge(asked, known), opinion);
          if (!isLawful && wrong.length < 3) wrong.push({ asked, known, opinion });
        }
      }
      expect(wrong).toStrictEqual([]);
      expect([...seen].sort()).toStrictEqual(['PASS', ...rule.may.map((may) => may.toUpperCase())].sort());
    });

    test('it looks at the facts that it says it needs, and at no others', () => {
      const looked = new Set<string | symbol>();
      const get = (known: Facts, fact: string | symbol): unknown => {
        looked.add(fact);
        return Reflect.get(known, fact);
      };
      const watched = MANY_FACTS.map((known) => new Proxy(known, { get }));
      for (const asked of everyTransition(rule)) for (const known of watched) rule.judge(asked, known);
      looked.delete('nowMs');
      expect([...looked].sort()).toStrictEqual([...rule.needs].sort());
    });
  });
}

const isSame = (one: unknown, other: unknown): boolean =>
  one === other || JSON.stringify(one) === JSON.stringify(other);

/** A code is a public word, a reason is a line for people. */
const isReasoned = (opinion: Opinion): boolean =>
  (opinion.type === 'PASS' ? opinion.why === undefined || /\w/.test(opinion.why) : /\w/.test(opinion.why)) &&
  (opinion.type !== 'REJECT' || /^[A-Z_]+$/.test(opinion.code));

/** A small result, or an error. */
export const VALUE: Value = { digest: 'd'.repeat(64) as Digest, size: 1, inline: '1' };
const inVariants = (type: StateType, ...ways: readonly object[]): readonly State[] => [
  stateOf(type),
  ...ways.map((way) => ({ ...stateOf(type), ...way })),
];

/** States of each type that differ in what a rule may look at. */
export const VARIANTS: Readonly<Record<StateType, readonly State[]>> = {
  SCHEDULED: inVariants(
    'SCHEDULED',
    { name: 'Late', dueAtMs: at(NOW_MS + 1) },
    { name: 'AwaitingRetry', dueAtMs: at(1) },
  ),
  PENDING: inVariants('PENDING', { name: 'Submitting', dueAtMs: at(NOW_MS + 1) }),
  RUNNING: inVariants('RUNNING', { name: 'Mine' }),
  PAUSED: inVariants(
    'PAUSED',
    { key: 'approval', timeoutAtMs: at(NOW_MS - 1) },
    { name: 'Suspended', suspended: true },
    { name: 'Sleeping', suspended: true, wakeAtMs: at(NOW_MS + 1), wakeOn: ['x message:go'] },
  ),
  CANCELLING: inVariants('CANCELLING', { message: 'enough' }),
  COMPLETED: inVariants('COMPLETED', { result: VALUE }),
  FAILED: inVariants('FAILED', { error: VALUE, message: 'no route', retriable: false }),
  CRASHED: inVariants('CRASHED'),
  CANCELLED: inVariants('CANCELLED'),
};
const variantsOf = (type: FromType): readonly (State | undefined)[] => (type === 'NONE' ? [undefined] : VARIANTS[type]);

const WAYS: readonly Partial<Transition>[] = [
  {},
  { report: true },
  { claim: true },
  { by: 'engine' },
  { by: 'engine', report: true },
  { reason: 'because' },
];

/** Every transition between the types of states that the rule governs, in their variants, asked in every way. */
export function* everyTransition(rule: Pick<Rule, 'on' | 'from' | 'to'>): Generator<Transition> {
  for (const kind of rule.on) {
    for (const from of rule.from.flatMap(variantsOf)) {
      for (const to of rule.to.flatMap((type) => VARIANTS[type])) {
        for (const way of WAYS) {
          yield Object.freeze({ kind, from, to, report: false, claim: false, by: 'sdk', ...way });
        }
        // What a rule rewrites a call to is judged once more.
        yield Object.freeze({ kind, from, to, report: false, claim: false, by: 'sdk', asked: 'RUNNING' });
        if (from !== undefined && from === to) {
          yield Object.freeze({
            kind,
            from,
            to,
            report: false,
            claim: false,
            by: 'sdk',
            asked: 'RUNNING',
            stays: true,
          });
        }
      }
    }
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}
deepFreeze(MANY_FACTS);
deepFreeze(VARIANTS);
