/** What is to be in force and what is, without a server. */
import { describe, expect, test } from 'vitest';
import { PolicyInForce, type PolicyShelf } from '../../engine/arbiter/policy-in-force.ts';
import { plainPolicy } from '../../engine/policy/loaded-policy.ts';
import { PolicyProblem } from '../../engine/policy/shape.ts';
import type { Digest } from '../../protocol/ids.ts';
import type { PolicySet } from '../../protocol/proposals.ts';
import { Workspace } from '../../engine/fold/workspace.ts';
import { court } from '../../rules/judge.ts';
import { corePolicies } from '../../rules/policy.ts';

type Meta = Workspace['meta'];

const named = (letter: string) => plainPolicy(letter.repeat(64) as Digest, court(corePolicies));
const [core, a, b] = [named('c'), named('a'), named('b')];
const setting = (digest: Digest): PolicySet => ({ type: 'POLICY_SET', policy: digest });
const CORE: PolicySet = { type: 'POLICY_SET', policy: core.digest, core: true };
const metaOf = (policy?: Digest): Meta => ({
  ...new Workspace().meta,
  ...(policy === undefined ? {} : { policy, isSet: true }),
});

function inForce(shelf: Partial<PolicyShelf> = {}): PolicyInForce {
  const known = [a, b];
  const loaded = (digest: Digest) => known.find((one) => one.digest === digest);
  return new PolicyInForce(core, { loaded, find: () => Promise.resolve(undefined), ...shelf });
}

describe('a policy that is wanted', () => {
  test('is not wanted any more once it was put in force, whatever is put in force after it', () => {
    const policy = inForce();
    policy.want(setting(a.digest), 'me');
    expect(policy.wanted(metaOf())?.event).toEqual(setting(a.digest));
    policy.put(a);
    policy.put(b);
    expect(policy.wanted(metaOf(b.digest))).toBeUndefined();
  });

  test('is not wanted any more once the one who wants it has led while it was in force', () => {
    const policy = inForce();
    policy.want(setting(a.digest), 'me');
    expect(policy.wanted(metaOf(a.digest))).toBeUndefined();
    expect(policy.due(metaOf(a.digest))).toBeUndefined();
    expect(policy.wanted(metaOf(b.digest))).toBeUndefined();
  });

  test('is still wanted by an engine that does not lead yet and has not folded all that there is', () => {
    const policy = inForce();
    policy.want(CORE, 'me');
    expect(policy.wanted(metaOf())).toBeUndefined();
    expect(policy.wanted(metaOf(b.digest))?.event).toEqual(CORE);
  });

  test('stays wanted when another one is put in force', () => {
    const policy = inForce();
    policy.want(CORE, 'me');
    policy.put(b);
    expect(policy.wanted(metaOf(b.digest))?.event).toEqual(CORE);
    policy.put(core);
    expect(policy.wanted(metaOf(b.digest))).toBeUndefined();
  });
});

describe('a policy on the ledger that cannot be loaded', () => {
  const lost = metaOf('d'.repeat(64) as Digest);
  const broken = { find: () => Promise.reject(new PolicyProblem('it is one of a later version')) };

  test('is as one that is not to be had, and it is said why', async () => {
    await expect(inForce(broken).seat(lost)).rejects.toThrow(
      /d{64} cannot be loaded: it is one of a later version.*POLICY_MISSING/,
    );
    await expect(inForce().seat(lost)).rejects.toThrow(/its source is not to be had.*POLICY_MISSING/);
  });

  test.each([CORE, setting(a.digest)])('gives way to what is wanted, as often as it takes', async (event) => {
    const policy = inForce(broken);
    policy.want(event, 'me');
    expect(await policy.seat(lost)).toEqual(event);
    expect(policy.now.digest).toBe(event.policy);
    // The epoch did not stand: once more.
    expect(await policy.seat(lost)).toEqual(event);
  });

  test('is no other trouble: that is told as what it is', async () => {
    const policy = inForce({ find: () => Promise.reject(new Error('no answer')) });
    policy.want(CORE, 'me');
    await expect(policy.seat(lost)).rejects.toThrow('no answer');
  });
});
