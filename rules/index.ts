/** The entry point `assent/rules`: how rules are written, and the ones in force. */
export { completesEarly, corePolicies } from './policy.ts';
export { court, judge, type Court, type Governing, type Policy, type Verdict } from './judge.ts';
export {
  defineRule,
  hold,
  pass,
  reject,
  rewrite,
  type Facts,
  type FromType,
  type Need,
  type Opinion,
  type Rule,
  type RuleDefinition,
  type RunKind,
  type SlotFact,
  type Transition,
} from './rule.ts';
