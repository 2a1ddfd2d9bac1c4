/**
 * The engine's own policy. It is known by the digest of its bundle, like any other, and runs as what it is: the modules
 * that the bundle is made of, in the engine's own realm, which saves copying.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Digest } from '../../protocol/ids.ts';
import { sha256 } from '../../protocol/segment.ts';
import { bundleCore } from './bundle.ts';

/** Written by the build; an engine that runs from its sources makes the bundle when it starts. */
export const CORE_BUNDLE_FILE = fileURLToPath(new URL('./core-bundle.txt', import.meta.url));

let made: Promise<string> | undefined;

/** The source of the core bundle. */
export const coreSource = (): Promise<string> =>
  (made ??= existsSync(CORE_BUNDLE_FILE)
    ? Promise.resolve(readFileSync(CORE_BUNDLE_FILE, 'utf8'))
    : bundleCore().then(({ source }) => source));

export const coreDigest = async (): Promise<Digest> => sha256(await coreSource());
export { corePolicy } from './loaded-policy.ts';
