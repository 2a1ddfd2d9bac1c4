/**
 * Sources of policies in the object store, named by the first 16 digits of their digest, as rulings name them.
 *
 * S1 A source is stored before the ledger names it, and never changed; what does not hash to its name is not loaded.
 */
import type { NatsConnection } from '@nats-io/transport-node';
import { Objm } from '@nats-io/obj';
import { AssentError } from '../../protocol/errors.ts';
import type { Digest } from '../../protocol/ids.ts';
import { sha256 } from '../../protocol/segment.ts';
import { streams } from '../../protocol/subjects.ts';
import { storedObject } from '../log/stored-object.ts';
import { loadBundle, type LoadOptions } from './load-bundle.ts';
import type { LoadedPolicy } from './loaded-policy.ts';
import { PolicyProblem, unloadable } from './shape.ts';

/**
 * Finds a policy by its digest, or by the first 16 digits of it; undefined if it is not to be had.
 *
 * @throws AssentError POLICY_MISSING, when it is there and cannot be loaded.
 */
export type PolicyOf = (digest: string) => Promise<LoadedPolicy | undefined>;

const DIGITS = 16;
const nameOf = (digest: string): string => `policy-${digest.slice(0, DIGITS)}`;

/** Stores a bundle, unless it is there already. */
export async function storeBundle(connection: NatsConnection, workspace: string, source: string): Promise<Digest> {
  const digest = sha256(source);
  const bucket = await new Objm(connection).open(streams.values(workspace), false);
  const present = await bucket.info(nameOf(digest));
  if (present === null || present.deleted || present.description !== digest) {
    await bucket.putBlob({ name: nameOf(digest), description: digest }, Buffer.from(source));
  }
  return digest;
}

/** The stored source; undefined if there is none, or if it is not what its digest says. */
export async function storedSource(
  connection: NatsConnection,
  workspace: string,
  digest: string,
): Promise<string | undefined> {
  const source = (await storedObject(connection, workspace, nameOf(digest)))?.toString('utf8');
  if (source === undefined) return undefined;
  return sha256(source).startsWith(digest) ? source : undefined;
}

/**
 * Finds policies in a workspace's object store, and among those that are given: each is loaded once. What lies in the
 * store of one's own workspace was put there by an engine of it, and is trusted as the engine itself is.
 */
export function policyFinder(
  connection: NatsConnection,
  workspace: string,
  given: readonly LoadedPolicy[] = [],
): PolicyOf {
  const found = new Map<string, LoadedPolicy>();
  for (const policy of given) found.set(policy.digest.slice(0, DIGITS), policy);
  return async (digest) => {
    const key = digest.slice(0, DIGITS);
    const known = found.get(key);
    if (known !== undefined) return known;
    const source = await storedSource(connection, workspace, digest);
    if (source === undefined) return undefined;
    const policy = loadFound(digest, source, { trusted: true });
    found.set(key, policy);
    return policy;
  };
}

/** As `loadBundle`, for whoever has to have that policy. @throws AssentError POLICY_MISSING, which says why not. */
export function loadFound(digest: string, source: string, options: LoadOptions): LoadedPolicy {
  try {
    return loadBundle(source, options);
  } catch (error) {
    if (!(error instanceof PolicyProblem)) throw error;
    throw new AssentError('POLICY_MISSING', unloadable(digest, error), { cause: error });
  }
}
