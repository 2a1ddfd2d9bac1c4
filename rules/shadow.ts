/** Rules beside a policy: asked and recorded, never enforced, so that what they would do is known before they do it. */
import type { Policy } from './judge.ts';
import type { Rule } from './rule.ts';

/**
 * The policy with these rules in its shadow. `assent policy shadow` says what they would have done.
 *
 * @example
 * export default definePolicies({ workspace: (core) => ({ flow: shadow(core.flow, noFridays) }) });
 */
export const shadow = (policy: Policy, ...rules: readonly Rule[]): Policy => ({
  ...policy,
  shadow: [...(policy.shadow ?? []), ...rules],
});
