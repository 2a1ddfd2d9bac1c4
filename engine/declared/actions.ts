/** What a declared rule says when its condition holds: one function of the transition and the facts for each action. */
import { later } from '../../protocol/ids.ts';
import { ENGINE } from '../../protocol/proposals.ts';
import type { State } from '../../protocol/states.ts';
import {
  hold,
  pass,
  reject,
  rewrite,
  type Facts,
  type Need,
  type Opinion,
  type Rule,
  type Transition,
} from '../../rules/rule.ts';
import type { Action, RuleSpec } from './rule-spec.ts';
import { nextTimeMs, parseWeekTime, type WeekTime } from './times.ts';

export type Act = {
  readonly needs: readonly Need[];
  readonly may: Rule['may'];
  readonly opinion: (transition: Transition, facts: Facts) => Opinion;
};

export function actOf({ action, why }: Pick<RuleSpec, 'action' | 'why'>): Act {
  switch (action.type) {
    case 'HOLD':
      return holding(action, why);
    case 'REJECT':
      return { needs: [], may: ['reject'], opinion: () => reject(action.code, why) };
    case 'REWRITE':
      return rewriting(action, why);
    case 'CAP_RETRIES':
      return capping(action.retriesMax, why);
    case 'REQUIRE_REASON':
      return { needs: [], may: ['reject'], opinion: (transition) => reasonOpinion(transition, why) };
  }
}

function holding(action: Extract<Action, { readonly type: 'HOLD' }>, why: string): Act {
  const due = 'forMs' in action ? (nowMs: number): number => nowMs + action.forMs : nextOf(action.until);
  const opinion = (_: Transition, { nowMs }: Facts): Opinion =>
    hold({ type: 'TIME', dueAtMs: later(nowMs, due(nowMs) - nowMs) }, why);
  return { needs: [], may: ['hold'], opinion };
}

/** The file was checked: a text that is no time has no rule. */
function nextOf(text: string): (nowMs: number) => number {
  const parsed: WeekTime | string = parseWeekTime(text);
  if (typeof parsed === 'string') throw new TypeError(parsed);
  return (nowMs) => nextTimeMs(parsed, nowMs);
}

function rewriting(action: Extract<Action, { readonly type: 'REWRITE' }>, why: string): Act {
  const { to: type, name, message = why, inMs = 0, at } = action;
  const due = at === undefined ? (nowMs: number): number => nowMs + inMs : nextOf(at);
  const opinion = ({ to }: Transition, { nowMs }: Facts): Opinion => {
    const error = 'error' in to ? { error: to.error } : {};
    const result = 'result' in to ? { result: to.result } : {};
    return rewrite(stateOf(), why);

    /** What was reported is kept where the other state has a place for it. */
    function stateOf(): State {
      switch (type) {
        case 'SCHEDULED':
          return { type, name, message, dueAtMs: later(nowMs, due(nowMs) - nowMs), ...error };
        case 'CANCELLING':
          return { type, name, message };
        case 'CANCELLED':
          return { type, name, message, ...result, ...error };
        case 'FAILED':
          return { type, name, message, ...error };
        case 'COMPLETED':
          return { type, name, message, ...result };
      }
    }
  };
  return { needs: [], may: ['rewrite'], opinion };
}

/** The rules that retry leave a failure alone that says of itself that another attempt would fail as well. */
function capping(retriesMax: number, why: string): Act {
  const opinion = ({ to }: Transition, { retry }: Facts): Opinion => {
    if (to.type !== 'FAILED' || to.retriable === false || retry.used >= retry.retriesMax) return pass();
    if (retry.used < retriesMax) return pass();
    return rewrite({ ...to, retriable: false }, why);
  };
  return { needs: ['retry'], may: ['rewrite'], opinion };
}

/**
 * What the engine does has its reason in what it follows from; what a process reports has happened; and who asked for
 * something else, which a rule made a cancel, did not ask for that.
 */
function reasonOpinion({ by, report, reason = '', asked }: Transition, why: string): Opinion {
  const isOfRules = asked !== undefined && asked !== 'CANCELLING' && asked !== 'CANCELLED';
  return by === ENGINE || report || isOfRules || reason.trim() !== '' ? pass() : reject('REASON_NEEDED', why);
}
