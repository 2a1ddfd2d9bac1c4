/**
 * Loads a policy from the source of its bundle, into a realm of its own (realm.ts).
 *
 * Q1 A rule of a bundle is given frozen copies of what it asked for, and nothing else; what it says is copied before it is
 *    looked at.
 * Q2 Each rule is asked twice for the first few times and now and then after that: who says two things about the same is
 *    impure. A wrong guess is not possible, because both times are given the very same.
 * Q3 Which rule is being asked is noted before it is asked, for the case that it never answers.
 * Q4 Whatever keeps a source from being loaded is a PolicyProblem: it cannot be loaded.
 */
import type { Digest } from '../../protocol/ids.ts';
import type { Claim } from '../../protocol/rulings.ts';
import { sha256 } from '../../protocol/segment.ts';
import { AssentError } from '../../protocol/errors.ts';
import { ImpureRule } from '../../rules/judge.ts';
import { pass, type Facts, type Opinion, type Rule, type Transition } from '../../rules/rule.ts';
import { loadedPolicy, type LoadedPolicy } from './loaded-policy.ts';
import { createRealm, type Realm } from './realm.ts';
import { PolicyProblem, policySets } from './shape.ts';

export type LoadOptions = {
  /** False: the source comes from elsewhere, and is not executed. */
  readonly trusted: boolean;
  /** Q3: the number of the rule, its place in `rules` of what is loaded; -1: none. */
  readonly asking?: (rule: number) => void;
  /** Each rule is asked twice whenever it is asked. */
  readonly alwaysTwice?: boolean;
  /** Why a rule is not asked; undefined: it is. */
  readonly muted?: (rule: string) => string | undefined;
  /** What rules throw says where: for sources of one's own alone (realm.ts, R3). */
  readonly withPlaces?: boolean;
};

/** The file name of a bundle in the stacks of what its rules throw. */
export const BUNDLE_FILE = 'policy-bundle.js';

/** @throws PolicyProblem, its cause being what the module threw; AssentError POLICY_UNTRUSTED. */
export function loadBundle(source: string, options: LoadOptions): LoadedPolicy {
  const digest = sha256(source);
  if (!options.trusted) {
    throw new AssentError(
      'POLICY_UNTRUSTED',
      `The policy ${digest.slice(0, 16)} is not from here; its source was not run.`,
    );
  }
  try {
    return loaded(source, digest, options);
  } catch (error) {
    if (error instanceof PolicyProblem) throw error;
    throw new PolicyProblem(messageOf(error), { cause: error });
  }
}

function loaded(source: string, digest: Digest, options: LoadOptions): LoadedPolicy {
  const realm = createRealm({ withPlaces: options.withPlaces === true });
  const given = realm.run(source, BUNDLE_FILE) as
    { readonly format?: unknown; readonly policies?: unknown } | undefined;
  if (given?.format !== 1) throw new PolicyProblem('this is no policy bundle, or one of a later version');
  const bench = new Bench(realm, options);
  const sets = policySets(given.policies, (rule) => bench.adopt(rule));
  return { ...loadedPolicy(digest, sets), rules: bench.names };
}

/** What was thrown may be anything at all. */
function messageOf(error: unknown): string {
  try {
    const { message } = (error ?? {}) as { message?: unknown };
    return typeof message === 'string' ? message : String(error);
  } catch {
    return 'what it threw cannot be shown';
  }
}

/** So many times each rule is asked twice at first, and one time in so many after that. */
const TWICE_AT_FIRST = 8;
const TWICE_IN = 16;

class Bench {
  readonly names: string[] = [];
  readonly #realm: Realm;
  readonly #asking: (rule: number) => void;
  readonly #alwaysTwice: boolean;
  readonly #muted: (rule: string) => string | undefined;
  readonly #adopted = new Map<unknown, Rule>();
  /** What was copied last: the rules of one hearing are asked about the same. */
  #transition: Transition | undefined;
  #copy: Transition | undefined;
  #facts: Facts | undefined;
  #known: Facts | undefined;

  constructor(realm: Realm, { asking = () => undefined, muted = () => undefined, alwaysTwice = false }: LoadOptions) {
    this.#alwaysTwice = alwaysTwice;
    this.#realm = realm;
    this.#asking = asking;
    this.#muted = muted;
  }

  /** One of ours for one of the module's, which may stand in many lists. */
  adopt(rule: Rule): Rule {
    const known = this.#adopted.get(rule.judge);
    if (known?.name === rule.name && known.needs.join() === rule.needs.join()) return { ...rule, judge: known.judge };
    const adopted = { ...rule, judge: this.#judgeOf(rule, this.names.push(rule.name) - 1) };
    this.#adopted.set(rule.judge, adopted);
    return adopted;
  }

  #judgeOf({ name, needs, may, judge }: Rule, number: number): Rule['judge'] {
    let asked = 0;
    const ask = (copy: Transition, known: Facts, given: Transition): Opinion => {
      const said = heard(judge(copy, known), copy, given);
      const power = POWERS[said.type];
      if (power !== undefined && !may.includes(power))
        throw new Error(`it may not ${power}: its 'may' does not say so`);
      return said;
    };
    return (transition, facts) => {
      const muted = this.#muted(name);
      if (muted !== undefined) throw new Error(muted);
      const copy = this.#transitionCopy(transition);
      const known = this.#factsFor(facts, needs);
      this.#asking(number);
      try {
        const said = ask(copy, known, transition);
        asked += 1;
        if (asked > TWICE_AT_FIRST && asked % TWICE_IN !== 0 && !this.#alwaysTwice) return said;
        const again = ask(copy, known, transition);
        return said === again ? said : agreed(said, again);
      } finally {
        this.#asking(-1);
      }
    };
  }

  #transitionCopy(transition: Transition): Transition {
    if (this.#copy === undefined || !isSame(transition, this.#transition)) {
      this.#transition = transition;
      this.#copy = this.#realm.admit(transition);
    }
    return this.#copy;
  }

  #factsFor(facts: Facts, needs: Rule['needs']): Facts {
    if (this.#known === undefined || facts !== this.#facts) {
      this.#facts = facts;
      this.#known = this.#realm.admit(facts);
    }
    return this.#realm.select(this.#known, needs);
  }
}

function isSame(one: Transition, other: Transition | undefined): boolean {
  return (
    other !== undefined &&
    one.from === other.from &&
    one.to === other.to &&
    one.kind === other.kind &&
    one.stays === other.stays &&
    one.asked === other.asked &&
    one.report === other.report &&
    one.claim === other.claim &&
    one.by === other.by &&
    one.onBehalfOf === other.onBehalfOf &&
    one.reason === other.reason &&
    one.forced === other.forced
  );
}

const PASS = pass();

const POWERS: Readonly<Partial<Record<string, Rule['may'][number]>>> = {
  REWRITE: 'rewrite',
  REJECT: 'reject',
  HOLD: 'hold',
};

/** Ours for what a rule said. States that it was given are handed back as the very objects that they stand for. */
function heard(said: unknown, copy: Transition, given: Transition): Opinion {
  if (typeof said !== 'object' || said === null) throw new Error('it returned something that is no opinion');
  const { type, claims, why, then } = said as {
    type?: unknown;
    claims?: readonly Claim[];
    why?: unknown;
    then?: unknown;
  };
  if (typeof then === 'function') throw new Error('it returned a promise: a rule answers at once');
  if (type === 'PASS' && claims === undefined && why === undefined) return PASS;
  let left = VALUES_MAX;
  const ours = (value: unknown): unknown => {
    left -= typeof value === 'string' ? 1 + value.length / 64 : 1;
    if (left < 0) throw new Error('its opinion is too large');
    if (typeof value !== 'object' || value === null) return value;
    if (value === copy.to) return given.to;
    if (value === copy.from) return given.from;
    if (Array.isArray(value)) return Array.from(value, ours);
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, ours(one)]));
  };
  return ours(said) as Opinion;
}

/** Values in one opinion, 64 characters counting as one: 128 KiB of text. */
const VALUES_MAX = 2048;

function agreed(said: Opinion, again: Opinion): Opinion {
  const [first, second] = [JSON.stringify(said), JSON.stringify(again)];
  if (first === second) return said;
  throw new ImpureRule(`asked twice about the same, the rule said ${cut(first)} and ${cut(second)}`);
}

/** Of what is no JSON at all, nothing is left. */
const cut = (text: string | undefined): string => (text ?? 'nothing').slice(0, 160);
