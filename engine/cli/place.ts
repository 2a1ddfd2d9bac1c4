/**
 * Where the workspace is: the server that ASSENT_URL names, or the engine of the project's data folder. The SDK goes by
 * the same rule (sdk/client/target.ts), which it cannot share: nothing of the SDK may depend on the engine's folder.
 */
import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
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

/** What the command line says: `data` comes before ASSENT_DATA; `file` is what it runs, whose project counts. */
export type Said = { readonly data?: string | undefined; readonly file?: string | undefined };

export function placeOf(
  { data, file }: Said = {},
  env: NodeJS.ProcessEnv = process.env,
  folder = process.cwd(),
): Place {
  const named = data ?? nonEmpty(env['ASSENT_DATA']);
  const start = file === undefined ? folder : folderOf(resolve(folder, file));
  const dataDir = resolve(folder, named ?? join(projectFolder(start), '.assent'));
  const url = nonEmpty(env['ASSENT_URL']);
  return url === undefined ? { type: 'FOLDER', dataDir } : { type: 'SERVER', target: targetAt(url, env), dataDir };
}

/** As the SDK finds it for a script. `FILE:flow` is in the same folder as the file. */
function folderOf(file: string): string {
  const path = existsSync(file) ? realpathSync(file) : file;
  return dirname(path);
}

/** For whoever only looks: there is nothing to see, and nothing is made. @throws AssentError FOLDER_MISSING */
export function requireFolder({ dataDir }: Place): void {
  if (existsSync(dataDir)) return;
  const project = dirname(dataDir);
  const isProject = existsSync(join(project, 'package.json'));
  const where =
    basename(dataDir) !== '.assent' || isProject ? '' : `, and no package.json in ${project} or in a folder above it`;
  throw new AssentError('FOLDER_MISSING', `There is no data folder ${dataDir}${where}.`);
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
