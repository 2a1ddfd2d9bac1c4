/** A digest for policies that tests put together; the engine knows its own by the digest of their bundle. */
import type { Digest } from '../../protocol/ids.ts';
import { sha256 } from '../../protocol/segment.ts';
import type { Policy } from '../../rules/judge.ts';
import type { RunKind } from '../../rules/rule.ts';

export function policyDigest(policies: Readonly<Record<RunKind, Policy>>): Digest {
  const described = Object.entries(policies).map(([kind, { rules }]) => [
    kind,
    rules.map(({ name, on, from, to, needs, may, judge }) => [name, on, from, to, needs, may, String(judge)]),
  ]);
  return sha256(JSON.stringify(described));
}
