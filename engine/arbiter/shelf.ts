/**
 * The policies of the arbiter's thread: those that it was given, and those that lie in the object store.
 *
 * A source is stored before it is put in force, so that whoever comes after finds it. While a rule of one is asked, its
 * number stands in the mark; a rule that went silent too often is not asked for a while, which refuses what it governs.
 */
import type { NatsConnection } from '@nats-io/transport-node';
import type { Digest } from '../../protocol/ids.ts';
import { sha256 } from '../../protocol/segment.ts';
import { loadBundle } from '../policy/load-bundle.ts';
import { policiesOf, type LoadedPolicy } from '../policy/loaded-policy.ts';
import { storeBundle, storedSource } from '../policy/store.ts';
import type { JudgmentMark } from './judgment-mark.ts';
import type { PolicyShelf } from './policy-in-force.ts';
import { mutedKey, type NumberedRule } from './thread-words.ts';
import { NO_ANSWER } from './unjudged.ts';

type ShelfOptions = {
  readonly connection: NatsConnection;
  readonly workspace: string;
  readonly mark: JudgmentMark;
  /** Rules, by mutedKey, that are not asked until then, in wall-clock milliseconds. */
  readonly muted: Readonly<Record<string, number>>;
};

export class StoredPolicies implements PolicyShelf {
  readonly #options: ShelfOptions;
  readonly #loaded = new Map<Digest, LoadedPolicy>();

  constructor(options: ShelfOptions) {
    this.#options = options;
  }

  loaded(digest: Digest): LoadedPolicy | undefined {
    return this.#loaded.get(digest);
  }

  async find(digest: Digest): Promise<LoadedPolicy | undefined> {
    const { connection, workspace } = this.#options;
    const source = await storedSource(connection, workspace, digest);
    return source === undefined ? undefined : this.#load(source);
  }

  /** Stores a source and has it at hand. */
  async add(source: string): Promise<void> {
    const { connection, workspace } = this.#options;
    await storeBundle(connection, workspace, source);
    this.#load(source);
  }

  /** The rules of a policy by their number. */
  rulesOf(digest: Digest): readonly NumberedRule[] {
    const policy = this.#loaded.get(digest);
    if (policy === undefined) return [];
    const enforced = new Set([...policiesOf(policy.sets)].flatMap((one) => one.policy.rules.map(({ name }) => name)));
    return (policy.rules ?? []).map((name) => ({ name, isEnforced: enforced.has(name) }));
  }

  #load(source: string): LoadedPolicy {
    const { mark, muted } = this.#options;
    const digest = sha256(source);
    const isAnyMuted = Object.keys(muted).length > 0;
    const policy = loadBundle(source, {
      trusted: true,
      asking: (rule) => {
        mark.asking(rule);
      },
      ...(isAnyMuted ? { muted: (rule) => whyMuted(muted[mutedKey(digest, rule)]) } : {}),
    });
    const known = this.#loaded.get(policy.digest);
    if (known !== undefined) return known;
    this.#loaded.set(policy.digest, policy);
    return policy;
  }
}

const whyMuted = (untilMs: number | undefined): string | undefined =>
  untilMs === undefined || Date.now() > untilMs
    ? undefined
    : `it ${NO_ANSWER} again and again, and is not asked for a while`;
