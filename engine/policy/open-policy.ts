/**
 * The policy file of a running engine: read when the engine starts, and again whenever it or what it imports changes.
 *
 * O1 A file that is no valid policy changes nothing: what is in force stays, and it is said what is wrong, and where.
 * O2 Only another digest is news: a file that was only touched puts nothing in force.
 */
import { watch, type FSWatcher } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { basename, dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AssentError } from '../../protocol/errors.ts';
import type { Digest } from '../../protocol/ids.ts';
import type { PolicySet } from '../../protocol/proposals.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { checkPolicy } from './check.ts';
import type { Bundle } from './bundle.ts';
import { coreDigest } from './core.ts';

/** What is to be put in force, in whose name; without a source, the engine's own. */
export type Given = { readonly event: PolicySet; readonly by: string; readonly source?: string };

export type OpenPolicy = {
  readonly given: Given;
  /** Absolute; absent for the engine's own rules. */
  readonly file?: string;
  /** Calls back with each new policy; returns how to end that. */
  watch(changed: (given: Given) => void, say: (line: string) => void): () => void;
};

/** @throws AssentError POLICY_INVALID, BAD_OPTION. */
export async function openPolicy(policies: string | URL): Promise<OpenPolicy> {
  if (policies === 'core') {
    const event: PolicySet = { type: 'POLICY_SET', policy: await coreDigest(), core: true };
    return { given: { event, by: whoRuns() }, watch: () => () => undefined };
  }
  const file = resolve(pathOf(policies));
  const { bundle } = await checkPolicy(file);
  return { given: givenOf(file, bundle), file, watch: (changed, say) => watchFile(file, bundle, { changed, say }) };
}

function pathOf(policies: unknown): string {
  if (typeof policies === 'string') return policies.startsWith('file:') ? fileURLToPath(policies) : policies;
  if (policies instanceof URL && policies.protocol === 'file:') return fileURLToPath(policies);
  throw new AssentError(
    'BAD_OPTION',
    '`policies` is the path or file URL of a module: rules are kept as source, by their digest, and an object has none',
  );
}

const givenOf = (file: string, { source, digest }: Bundle): Given => ({
  event: { type: 'POLICY_SET', policy: digest, from: basename(file).slice(0, LIMITS.nameMax) },
  by: whoRuns(),
  source,
});

/** Who runs this engine, as the machine knows them. */
function whoRuns(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    return `somebody@${hostname()}`; // A container may run as a user without a name.
  }
}

/** Editors write a file in several steps. */
const QUIET_MS = 100;

type Heard = { readonly changed: (given: Given) => void; readonly say: (line: string) => void };

function watchFile(file: string, first: Bundle, heard: Heard): () => void {
  const watchers = new Map<string, FSWatcher>();
  let { digest }: { digest: Digest } = first;
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  let looked: Promise<void> = Promise.resolve();
  const again = (): void => {
    clearTimeout(timer);
    // One look after the other: the last one sees what is there now.
    timer = setTimeout(() => {
      looked = looked.then(look);
    }, QUIET_MS);
  };
  /** Folders, because a file that is replaced is another file. */
  const follow = (files: readonly string[]): void => {
    for (const folder of new Set([file, ...files].map((one) => dirname(one)))) {
      if (isOver || watchers.has(folder)) continue;
      const watcher = watch(folder, again);
      watcher.on('error', () => undefined); // The folder is gone; when the file is looked at, that is said.
      watchers.set(folder, watcher);
    }
  };
  const look = async (): Promise<void> => {
    try {
      const { bundle } = await checkPolicy(file);
      follow(bundle.files);
      if (isOver || bundle.digest === digest) return;
      digest = bundle.digest;
      heard.changed(givenOf(file, bundle));
    } catch (error) {
      const detail = error instanceof AssentError ? error.message : String(error);
      if (!isOver) heard.say(`the policy in force stays, ${basename(file)} is not valid: ${detail}`);
    }
  };
  follow(first.files);
  return () => {
    isOver = true;
    clearTimeout(timer);
    for (const watcher of watchers.values()) watcher.close();
  };
}
