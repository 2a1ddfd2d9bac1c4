/**
 * How a rule's author asks: given what happened, what do the rules say to this proposal, and why? Knows no test runner:
 * what was not expected is an AssertionError that tells which rule said what.
 */
import type { RejectCode, TrailEntry, Waits } from '../../protocol/rulings.ts';
import type { State, StateType } from '../../protocol/states.ts';
import type { Verdict } from '../../rules/judge.ts';
import { expectOutcome, type Expected } from './expectation.ts';
import type { FactsGiven } from './facts.ts';
import { hearAfter, hearAfterState, type Hearing, type How, type Step } from './hearing.ts';
import type { StateGiven } from './states.ts';
import { kindUnder, policiesUnder, type Under } from './under.ts';

/** What happened before. */
export interface Given {
  /** Asks for a state, or says that it was reached. An end of a running run is a report, unless `how` says otherwise. */
  propose(state: StateGiven, how?: How): Proposed;
}

/** A proposal, and what the rules say to it. Each method returns a new one or throws. */
export interface Proposed {
  /** In the place of the facts that the history gives, or that are nothing remarkable. */
  with(facts: FactsGiven): Proposed;
  /** Default: the policies of the core. */
  under(rules: Under): Proposed;
  expectAccepted(): Proposed;
  /** To a state of this type, or with these fields. */
  expectRewritten(to?: StateType | (Partial<State> & object)): Proposed;
  /** Until this happens, or with these fields. */
  expectHeld(waits?: Waits['type'] | (Partial<Waits> & object)): Proposed;
  expectRejected(code?: RejectCode): Proposed;
  readonly verdict: Verdict;
  /** Which rules were asked, in order, and what they said. */
  readonly trail: readonly TrailEntry[];
  /** The trail in words, one line for each rule. */
  readonly words: string;
}

/**
 * Begins a question about rules: `given` a state that a run is in (or none: it does not exist yet), or a history of
 * proposals, which the real rules and the real fold make what they make of it.
 *
 * @example
 * import { defineRule, pass, reject } from 'assent/rules';
 * import { asked, failed, given, limitSet, running } from 'assent/testing';
 *
 * const noFridays = defineRule({
 *   name: 'no-fridays', summary: 'Starts nothing on a Friday.',
 *   on: ['flow'], from: ['NONE', 'PENDING'], to: ['RUNNING'], needs: [], may: ['reject'],
 *   judge: (_, { nowMs }) => (Math.floor(nowMs / 86_400_000) % 7 === 1 ? reject('FRIDAY', 'it is Friday') : pass()),
 * });
 * given().propose(running()).with({ nowMs: Date.parse('2026-01-02') }).under(noFridays).expectRejected('FRIDAY');
 * given(running()).propose(failed('boom')).with({ retry: { retriesMax: 1 } }).expectRewritten({ name: 'AwaitingRetry' });
 *
 * const full = given([limitSet('db', 1), asked(running(), { run: 'first', create: { limits: [{ limit: 'db', slots: 1 }] } })]);
 * const second = full.propose(running(), { run: 'second', create: { limits: [{ limit: 'db', slots: 1 }] } });
 * console.log(second.expectHeld('SLOTS').verdict.outcome); // held
 */
export function given(history?: StateGiven | readonly Step[]): Given {
  return { propose: (state, how = {}) => new Question({ history, state, how, facts: {}, rules: undefined }) };
}

type Asked = {
  readonly history: StateGiven | readonly Step[] | undefined;
  readonly state: StateGiven;
  readonly how: How;
  readonly facts: FactsGiven;
  readonly rules: Under | undefined;
};

class Question implements Proposed {
  readonly #asked: Asked;
  #heard: Hearing | undefined;

  constructor(asked: Asked) {
    this.#asked = asked;
  }

  with(facts: FactsGiven): Proposed {
    return new Question({ ...this.#asked, facts: { ...this.#asked.facts, ...facts } });
  }

  under(rules: Under): Proposed {
    return new Question({ ...this.#asked, rules });
  }

  get verdict(): Verdict {
    return this.#hearing.verdict;
  }

  get trail(): readonly TrailEntry[] {
    return this.verdict.trail;
  }

  get words(): string {
    return this.#hearing.words.join('\n');
  }

  expectAccepted(): Proposed {
    return this.#expect({ outcome: 'accepted' }, 'expectAccepted');
  }

  expectRewritten(to?: StateType | (Partial<State> & object)): Proposed {
    const state = typeof to === 'string' ? { type: to } : to;
    return this.#expect({ outcome: 'rewritten', ...(state === undefined ? {} : { to: state }) }, 'expectRewritten');
  }

  expectHeld(waits?: Waits['type'] | (Partial<Waits> & object)): Proposed {
    const until = typeof waits === 'string' ? { type: waits } : waits;
    return this.#expect({ outcome: 'held', ...(until === undefined ? {} : { waits: until }) }, 'expectHeld');
  }

  expectRejected(code?: RejectCode): Proposed {
    return this.#expect({ outcome: 'rejected', ...(code === undefined ? {} : { code }) }, 'expectRejected');
  }

  #expect(expected: Expected, caller: keyof Proposed): Proposed {
    expectOutcome(this.#hearing, expected, Reflect.get(this, caller) as () => unknown);
    return this;
  }

  get #hearing(): Hearing {
    const { history, state, how, facts, rules } = this.#asked;
    const kind = how.kind ?? kindUnder(rules);
    const question = { state, how: kind === undefined ? how : { ...how, kind }, facts, policies: policiesUnder(rules) };
    return (this.#heard ??= Array.isArray(history)
      ? hearAfter(history as readonly Step[], question)
      : hearAfterState(history as StateGiven | undefined, question));
  }
}
