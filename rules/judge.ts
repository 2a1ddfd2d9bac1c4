/**
 * The hearing: asks the rules of a policy in order and makes one verdict of their opinions.
 *
 * J1 The first rejection or hold ends the hearing.
 * J2 A rewrite starts it again from the top, so that every rule sees the final transition; a rule rewrites at most once,
 *    which bounds the hearing by the length of the policy.
 * J3 Claims count only from the last pass over the policy: the one that every rule let through.
 * J4 A rule that throws or says something that is no opinion is an error in the trail, and the proposal is rejected.
 * J5 Shadow rules are asked after the verdict, about the transition as it was asked for and as it came out; whatever they
 *    say or throw, the verdict stands. Without shadow rules nothing is done for them.
 */
import type { Claim, Outcome, RejectCode, Ruling, TrailEntry, Waits } from '../protocol/rulings.ts';
import type { State, StateType } from '../protocol/states.ts';
import { isOpinion } from './opinions.ts';
import type { Facts, FromType, Need, Opinion, Rule, RunKind, Transition } from './rule.ts';

/** An ordered list of rules. */
export type Policy = {
  readonly name: string;
  readonly rules: readonly Rule[];
  /** Asked beside the others and recorded, never enforced. */
  readonly shadow?: readonly Rule[];
};

/** One policy for each kind of run, and the one by which an operator's overrides are judged, whatever the kind. */
export type PolicyName = RunKind | 'forced';
/** Every policy, by its name. */
export type Policies = Readonly<Record<PolicyName, Policy>>;

/** What a hearing comes to: the opinions of the rules that govern, made into one. */
export type Verdict = {
  readonly outcome: Outcome;
  /** The state that the run goes to; for a rejection or a hold, the one that was wanted last. */
  readonly to: State;
  readonly trail: readonly TrailEntry[];
  readonly claims: readonly Claim[];
  readonly waits?: Waits;
  readonly code?: RejectCode;
  /** Of an override: what the rules would have said without it. */
  readonly overrides?: Ruling['overrides'];
  /** What the shadow rules said that govern it. */
  readonly shadow?: readonly TrailEntry[];
};

/** The rules of a policy that govern one pair of states, and all the facts that they need. */
export type Governing = { readonly rules: readonly Rule[]; readonly needs: readonly Need[] };

type Find = (name: PolicyName, kind: RunKind, from: FromType, to: StateType) => Governing;

/** A policy with its rules found by kind, from and to, so that most rules are never asked. */
export type Court = {
  governing(name: PolicyName, kind: RunKind, from: FromType, to: StateType): Governing;
  /** As `governing`, of the shadow rules; absent when no policy has any. */
  readonly shadowing?: Find;
};

/** A policy that is left out rules nothing. */
export function court(policies: Partial<Policies>): Court {
  const governing = finder((name) => policies[name]?.rules ?? []);
  const hasShadow = Object.values(policies).some(({ shadow }) => shadow !== undefined && shadow.length > 0);
  return hasShadow ? { governing, shadowing: finder((name) => policies[name]?.shadow ?? []) } : { governing };
}

function finder(rulesOf: (name: PolicyName) => readonly Rule[]): Find {
  const found = new Map<string, Governing>();
  return (name, kind, from, to) => {
    const key = `${name} ${kind} ${from} ${to}`;
    let governing = found.get(key);
    if (governing === undefined) {
      const governs = (rule: Rule): boolean =>
        rule.on.includes(kind) && rule.from.includes(from) && rule.to.includes(to);
      const rules = rulesOf(name).filter(governs);
      governing = { rules, needs: [...new Set(rules.flatMap((rule) => rule.needs))] };
      found.set(key, governing);
    }
    return governing;
  };
}

export type FactFinder = (needs: readonly Need[]) => Facts;

/** Judges one transition. `facts` is asked again after a rewrite, because other rules may then govern. */
export function judge(court: Court, asked: Transition, facts: FactFinder): Verdict {
  const verdict = asked.forced === undefined ? hear(court, asked, facts) : override(court, asked, facts);
  if (court.shadowing === undefined) return verdict;
  const shadow = hearShadows(court.shadowing, asked, verdict.to, facts);
  return shadow.length === 0 ? verdict : { ...verdict, shadow };
}

/** Of an override, also what it overrides. */
function override(court: Court, asked: Transition, facts: FactFinder): Verdict {
  const { forced: _, ...unforced } = asked;
  const { outcome, trail } = hear(court, unforced, facts);
  return { ...hear(court, asked, facts), overrides: { outcome, trail } };
}

function hear(court: Court, asked: Transition, facts: FactFinder): Verdict {
  const fromType = asked.from?.type ?? 'NONE';
  const spent = new Set<string>();
  const trail: TrailEntry[] = [];
  let transition = asked;
  let claims: Claim[] = [];
  const name = asked.forced === true ? 'forced' : asked.kind;
  let { rules, needs } = court.governing(name, asked.kind, fromType, asked.to.type);
  let known = facts(needs);
  for (let i = 0; i < rules.length; i += 1) {
    const rule = rules[i];
    if (rule === undefined || spent.has(rule.name)) continue;
    const opinion = ask(rule, { ...transition }, known);
    switch (opinion.type) {
      case 'PASS':
        trail.push(opinion.why === undefined ? rule.name : { rule: rule.name, opinion: 'pass', why: opinion.why });
        if (opinion.claims !== undefined) claims.push(...opinion.claims);
        break;
      case 'REWRITE':
        trail.push({ rule: rule.name, opinion: 'rewrite', why: opinion.why });
        spent.add(rule.name);
        transition = rewritten(asked, opinion.to);
        claims = [];
        ({ rules, needs } = court.governing(name, asked.kind, fromType, opinion.to.type));
        known = facts(needs);
        i = -1;
        break;
      case 'REJECT':
        trail.push({ rule: rule.name, opinion: 'reject', why: opinion.why, code: opinion.code });
        return { outcome: 'rejected', to: transition.to, trail, claims: [], code: opinion.code };
      case 'HOLD':
        trail.push({ rule: rule.name, opinion: 'hold', why: opinion.why });
        return { outcome: 'held', to: transition.to, trail, claims: [], waits: opinion.waits };
      case 'ERROR':
        trail.push({ rule: rule.name, opinion: 'error', why: opinion.why, code: opinion.code });
        return { outcome: 'rejected', to: transition.to, trail, claims: [], code: opinion.code };
    }
  }
  return { outcome: spent.size > 0 ? 'rewritten' : 'accepted', to: transition.to, trail, claims };
}

const rewritten = (asked: Transition, to: State): Transition => ({
  ...asked,
  to,
  asked: asked.to.type,
  ...(to === asked.from ? { stays: true } : {}),
});

/** Each rule's first word that is more than a pass, on the transition as it was asked for or as it came out. */
function hearShadows(shadowing: Find, asked: Transition, final: State, facts: FactFinder): readonly TrailEntry[] {
  const name = asked.forced === true ? 'forced' : asked.kind;
  const entries = new Map<string, TrailEntry>();
  for (const transition of final === asked.to ? [asked] : [asked, rewritten(asked, final)]) {
    const { rules, needs } = shadowing(name, asked.kind, asked.from?.type ?? 'NONE', transition.to.type);
    if (rules.length === 0) continue;
    const known = facts(needs);
    for (const rule of rules) {
      if (typeof (entries.get(rule.name) ?? '') === 'object') continue;
      entries.set(rule.name, shadowEntry(rule.name, ask(rule, { ...transition }, known), final));
    }
  }
  return [...entries.values()];
}

/** A rewrite to what came out anyway would have changed nothing: a pass. */
function shadowEntry(rule: string, opinion: Asked, final: State): TrailEntry {
  switch (opinion.type) {
    case 'PASS':
      return rule;
    case 'REWRITE':
      return isSame(opinion.to, final) ? rule : { rule, opinion: 'rewrite', why: opinion.why };
    case 'REJECT':
      return { rule, opinion: 'reject', why: opinion.why, code: opinion.code };
    case 'HOLD':
      return { rule, opinion: 'hold', why: opinion.why };
    case 'ERROR':
      return { rule, opinion: 'error', why: opinion.why, code: opinion.code };
  }
}

const isSame = (one: State, other: State): boolean =>
  Object.keys(one).length === Object.keys(other).length &&
  Object.entries(one).every(([field, value]) => JSON.stringify(value) === JSON.stringify(Reflect.get(other, field)));

/** What a rule throws on behalf of whoever asked it twice about the same and heard two things. */
export class ImpureRule extends Error {}

type Asked = Opinion | { readonly type: 'ERROR'; readonly why: string; readonly code: 'RULE_ERROR' | 'RULE_IMPURE' };

/** What begins or goes on can wait. An end has happened, or somebody waits for it: held, it would be asked for again for ever. */
export const HOLDABLE: readonly StateType[] = ['SCHEDULED', 'PENDING', 'RUNNING', 'PAUSED'];

function ask(rule: Rule, transition: Transition, facts: Facts): Asked {
  try {
    const opinion: unknown = rule.judge(transition, facts);
    if (!isOpinion(opinion, facts.nowMs)) {
      return { type: 'ERROR', why: 'the rule returned something that is no opinion', code: 'RULE_ERROR' };
    }
    if (opinion.type !== 'HOLD' || HOLDABLE.includes(transition.to.type)) return opinion;
    return { type: 'ERROR', why: `the rule would hold a run that is to be ${transition.to.type}`, code: 'RULE_ERROR' };
  } catch (error) {
    if (error instanceof ImpureRule) return { type: 'ERROR', why: error.message.slice(0, 500), code: 'RULE_IMPURE' };
    return { type: 'ERROR', why: `the rule threw: ${shown(error)}`.slice(0, 500), code: 'RULE_ERROR' };
  }
}

/** Anything can be thrown, even what cannot be shown. */
function shown(error: unknown): string {
  try {
    return String(error);
  } catch {
    return 'something that cannot be shown';
  }
}
