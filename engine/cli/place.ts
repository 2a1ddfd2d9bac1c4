/**
 * Where the workspace is: the server that ASSENT_URL names, or the engine of the project's data folder. The SDK goes by
 * the same rule (sdk/client/target.ts), which it cannot share: nothing of the SDK may depend on the engine's folder.
 */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { AssentError } from '../../protocol/errors.ts';
import { isWorkspaceName } from '../../protocol/subjects.ts';
import { addressOf, type Address } from '../connect.ts';
import { readConnectionFile, type Connection } from '../server/connection-file.ts';
import { inboxPrefixOf } from '../server/permissions.ts';

export type Place =
  | { readonly type: 'SERVER'; readonly target: Target; readonly dataDir: string }
  | { readonly type: 'FOLDER'; readonly dataDir: string };

export type Target = {
  readonly address: Address;
  readonly workspace: string;
  /** The name under which the server knows us: a token of the subjects that we propose on. */
  readonly user: string;
};

/** `data`: what the command line says; it comes before ASSENT_DATA. */
export function placeOf(data?: string, env: NodeJS.ProcessEnv = process.env, folder = process.cwd()): Place {
  const named = data ?? nonEmpty(env['ASSENT_DATA']);
  const dataDir = resolve(folder, named ?? join(projectFolder(folder), '.assent'));
  const url = nonEmpty(env['ASSENT_URL']);
  return url === undefined ? { type: 'FOLDER', dataDir } : { type: 'SERVER', target: targetAt(url, env), dataDir };
}

/** An empty variable is as good as none. */
const nonEmpty = (text: string | undefined): string | undefined => (text === '' ? undefined : text);

export function workspaceOf(env: NodeJS.ProcessEnv = process.env): string {
  const workspace = nonEmpty(env['ASSENT_WORKSPACE']) ?? 'default';
  if (!isWorkspaceName(workspace)) {
    throw new AssentError('USAGE', `ASSENT_WORKSPACE is no workspace's name: ${workspace}.`);
  }
  return workspace;
}

function targetAt(url: string, env: NodeJS.ProcessEnv): Target {
  let address: Address;
  try {
    address = addressOf(url);
  } catch {
    throw new AssentError('NATS_UNREACHABLE', 'ASSENT_URL is no URL.');
  }
  const user = address.user ?? 'cli';
  return { address: { ...address, inboxPrefix: `_INBOX.${user}` }, workspace: workspaceOf(env), user };
}

/** The nearest folder with a package.json, or the one given. */
function projectFolder(folder: string): string {
  for (let at = resolve(folder); ; at = dirname(at)) {
    if (existsSync(join(at, 'package.json'))) return at;
    if (dirname(at) === at) return resolve(folder);
  }
}

/** The engine of a data folder, as it announces itself. */
export async function engineOf(dataDir: string): Promise<Target | undefined> {
  const file = await readConnectionFile(dataDir);
  return file === undefined ? undefined : targetIn(file);
}

export const targetIn = ({ url, credentials, workspace }: Connection): Target => ({
  address: { url, ...credentials.cli, inboxPrefix: inboxPrefixOf('cli') },
  workspace,
  user: credentials.cli.user,
});
