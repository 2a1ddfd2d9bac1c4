/** What the tests of rules share: states, transitions and facts with nothing remarkable about them, and a rule's reach. */
import { describe, expect, test } from 'vitest';
import type { EpochMs } from '../../protocol/ids.ts';
import { DEFAULT_NAMES, STATE_TYPES, type State, type StateType } from '../../protocol/states.ts';
import type { Facts, FromType, Opinion, Rule, RunKind, Transition } from '../../rules/rule.ts';

export const at = (ms: number): EpochMs => ms as EpochMs;
export const NOW_MS = at(100_000);

export const RUN_KINDS: readonly RunKind[] = ['flow', 'subflow', 'task'];
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
];

function withoutFlow(): Facts {
  const { flow: _, ...rest } = facts();
  return rest;
}

export function slot(more: Partial<Facts['slots'][number]>): Facts['slots'][number] {
  return { limit: 'db', wanted: 1, used: 0, heldByAncestors: 0, ahead: 0, wantedAhead: 0, ...more };
}

/** Which transitions the rule governs, and that it has a lawful opinion on each of them, whatever the facts are. */
export function testReach(rule: Rule, reach: Pick<Rule, 'on' | 'from' | 'to'>): void {
  describe(`${rule.name}: its reach`, () => {
    test('it governs what it says', () => {
      expect([...rule.on].sort()).toEqual([...reach.on].sort());
      expect([...rule.from].sort()).toEqual([...reach.from].sort());
      expect([...rule.to].sort()).toEqual([...reach.to].sort());
    });

    test('it has an opinion on every pair of states, the same one each time, and changes nothing', () => {
      for (const asked of everyTransition(rule)) {
        for (const known of MANY_FACTS) {
          const before = structuredClone({ asked, known });
          const opinion = rule.judge(asked, known);
          expect(opinionsOf(rule)).toContain(opinion.type);
          expect(rule.judge(asked, known)).toEqual(opinion);
          expect({ asked, known }).toEqual(before);
        }
      }
    });
  });
}

const opinionsOf = (rule: Rule): readonly Opinion['type'][] => [
  'PASS',
  ...rule.may.map((may) => may.toUpperCase() as Opinion['type']),
];

/** Every transition between the types of states that the rule governs, asked in every way. */
export function* everyTransition(rule: Pick<Rule, 'on' | 'from' | 'to'>): Generator<Transition> {
  for (const kind of rule.on) {
    for (const from of rule.from) {
      for (const to of rule.to) {
        for (const report of [false, true]) {
          for (const claim of [false, true]) {
            for (const by of ['sdk', 'engine']) yield transition(from, to, { kind, report, claim, by });
          }
        }
      }
    }
  }
}
