/**
 * The hearing: asks the rules of a policy in order and makes one verdict of their opinions.
 *
 * J1 The first rejection or hold ends the hearing.
 * J2 A rewrite starts it again from the top, so that every rule sees the final transition; a rule rewrites at most once,
 *    which bounds the hearing by the length of the policy.
 * J3 Claims count only from the last pass over the policy: the one that every rule let through.
 * J4 A rule that throws or says something that is no opinion is an error in the trail, and the proposal is rejected.
 */
import type { Claim, Outcome, RejectCode, TrailEntry, Waits } from '../protocol/rulings.ts';
import type { State, StateType } from '../protocol/states.ts';
import { isOpinion } from './opinions.ts';
import type { Facts, FromType, Need, Opinion, Rule, RunKind, Transition } from './rule.ts';

export type Policy = { readonly name: string; readonly rules: readonly Rule[] };

export type Verdict = {
  readonly outcome: Outcome;
  /** The state that the run goes to; for a rejection or a hold, the one that was wanted last. */
  readonly to: State;
  readonly trail: readonly TrailEntry[];
  readonly claims: readonly Claim[];
  readonly waits?: Waits;
  readonly code?: RejectCode;
};

/** The rules of a policy that govern one pair of states, and all the facts that they need. */
export type Governing = { readonly rules: readonly Rule[]; readonly needs: readonly Need[] };

/** A policy with its rules found by kind, from and to, so that most rules are never asked. */
export type Court = {
  governing(kind: RunKind, from: FromType, to: StateType): Governing;
};

export function court(policies: Readonly<Record<RunKind, Policy>>): Court {
  const found = new Map<string, Governing>();
  return {
    governing: (kind, from, to) => {
      const key = `${kind} ${from} ${to}`;
      let governing = found.get(key);
      if (governing === undefined) {
        const rules = policies[kind].rules.filter(
          (rule) => rule.on.includes(kind) && rule.from.includes(from) && rule.to.includes(to),
        );
        governing = { rules, needs: [...new Set(rules.flatMap((rule) => rule.needs))] };
        found.set(key, governing);
      }
      return governing;
    },
  };
}

export type FactFinder = (needs: readonly Need[]) => Facts;

/** Judges one transition. `facts` is asked again after a rewrite, because other rules may then govern. */
export function judge(court: Court, asked: Transition, facts: FactFinder): Verdict {
  const fromType = asked.from?.type ?? 'NONE';
  const spent = new Set<string>();
  const trail: TrailEntry[] = [];
  let transition = asked;
  let claims: Claim[] = [];
  let { rules, needs } = court.governing(asked.kind, fromType, asked.to.type);
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
        transition = { ...asked, to: opinion.to, ...(opinion.to === asked.from ? { stays: true } : {}) };
        claims = [];
        ({ rules, needs } = court.governing(asked.kind, fromType, opinion.to.type));
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
        trail.push({ rule: rule.name, opinion: 'error', why: opinion.why, code: 'RULE_ERROR' });
        return { outcome: 'rejected', to: transition.to, trail, claims: [], code: 'RULE_ERROR' };
    }
  }
  return { outcome: spent.size > 0 ? 'rewritten' : 'accepted', to: transition.to, trail, claims };
}

type Asked = Opinion | { readonly type: 'ERROR'; readonly why: string };

function ask(rule: Rule, transition: Transition, facts: Facts): Asked {
  try {
    const opinion: unknown = rule.judge(transition, facts);
    return isOpinion(opinion, facts.nowMs)
      ? opinion
      : { type: 'ERROR', why: 'the rule returned something that is no opinion' };
  } catch (error) {
    return { type: 'ERROR', why: `the rule threw: ${shown(error)}`.slice(0, 500) };
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
