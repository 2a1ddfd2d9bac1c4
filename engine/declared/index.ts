/**
 * What the engine and its command line use of declared rules. A bundle imports compile.ts alone: what reads files and
 * checks them stays outside.
 */
export { declaredPolicies, withDeclaredRules } from './compile.ts';
export {
  declaredRules,
  describeProblem,
  type Declared,
  type DeclaredOrNot,
  type DeclaredProblem,
} from './declared-rules.ts';
export { promoted, type Promotion } from './promote.ts';
export type { RuleSpec } from './rule-spec.ts';
export { formatOf, type DeclaredFormat } from './source.ts';
export { parseSpanMs } from './times.ts';
