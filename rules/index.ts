/** The entry point `assent/rules`: how rules are written, and the ones in force. */
export {
  after,
  before,
  completePolicies,
  definePolicies,
  replace,
  without,
  type CompletePolicies,
  type PolicyChange,
  type PolicyModule,
  type PolicyParts,
} from './compose.ts';
export { completesEarly, corePolicies } from './policy.ts';
export {
  court,
  judge,
  type Court,
  type Governing,
  type Policies,
  type Policy,
  type PolicyName,
  type Verdict,
} from './judge.ts';
export { shadow } from './shadow.ts';
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
