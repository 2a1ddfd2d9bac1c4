/**
 * What is refused without asking the rules, because of what happened when they were asked, or because the answer could
 * not be carried out.
 *
 * X1 A proposal that a rule never answered is refused in that rule's name at once: the thread that asked was ended for it.
 * X2 One that two arbiters in a row ended on, and nobody knows of what, is poison.
 */
import type { Position } from '../../protocol/rulings.ts';
import type { Matter } from './docket.ts';
import type { Special } from './decide.ts';
import type { PolicyInForce } from './policy-in-force.ts';

/** A judgment that did not end: a client's proposal by its place in PROPOSALS, any other by its id. */
export type Endless = {
  readonly at?: Position;
  readonly proposal?: string;
  readonly rule: string;
  readonly why: string;
};

/** In the words on a rule that had to be ended: no replay hears them again. */
export const NO_ANSWER = 'did not answer';

const POISON = { code: 'POISON', why: 'two arbiters in a row ended while they judged it' } as const;

export class Unjudged {
  readonly #poison: Position | undefined;
  readonly #endless: Endless | undefined;
  readonly #policy: PolicyInForce;

  constructor(endedAt: readonly (Position | undefined)[], endless: Endless | undefined, policy: PolicyInForce) {
    const [last, before] = endedAt;
    this.#poison = last !== undefined && isAt(last, before) ? last : undefined;
    this.#endless = endless;
    this.#policy = policy;
  }

  /** It is refused whatever becomes of the policy: nobody has to note that it is judged. */
  isKnown(matter: Matter): boolean {
    return this.#isPoison(matter) || this.#isEndless(matter);
  }

  of(matter: Matter): Pick<Special, 'refuse'> {
    const endless = this.#endless;
    if (endless !== undefined && this.#isEndless(matter)) {
      const { rule: name, why } = endless;
      return { refuse: { code: 'RULE_ERROR', why: `the rule ${name} ${NO_ANSWER}`, rule: { name, why } } };
    }
    if (this.#isPoison(matter)) return { refuse: POISON };
    const { proposal } = matter;
    if (proposal.kind !== 'workspace' || proposal.event.type !== 'POLICY_SET') return {};
    if (this.#policy.of(proposal.event) !== undefined) return {};
    return {
      refuse: { code: 'POLICY_MISSING', why: `no source of the policy ${proposal.event.policy} is to be had` },
    };
  }

  #isPoison({ from }: Matter): boolean {
    return isAt(from, this.#poison);
  }

  #isEndless({ from, proposal }: Matter): boolean {
    const endless = this.#endless;
    return endless !== undefined && (isAt(from, endless.at) || proposal.id === endless.proposal);
  }
}

const isAt = (one: Position | undefined, other: Position | undefined): boolean =>
  one !== undefined && one.seq === other?.seq && one.index === other.index;
