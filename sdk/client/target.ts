/**
 * Where the workspace is: the server that ASSENT_URL names, or the engine of the data folder of the script's project, which
 * is started when none runs.
 */
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve, sep } from 'node:path';
import { AssentError } from '../../protocol/errors.ts';
import { isWorkspaceName } from '../../protocol/subjects.ts';

/** How to connect. */
export type Target = {
  readonly servers: string;
  readonly workspace: string;
  /** The name under which the server knows us, and a part of our subjects. */
  readonly user: string;
  readonly password?: string;
};

export type Place =
  { readonly type: 'SERVER'; readonly target: Target } | { readonly type: 'FOLDER'; readonly dataDir: string };

/** What the environment says. */
export function placeOf(env: NodeJS.ProcessEnv = process.env, here: Whereabouts = whereabouts()): Place {
  const url = env['ASSENT_URL'];
  if (url !== undefined && url !== '') return { type: 'SERVER', target: targetOf(url, env) };
  const named = env['ASSENT_DATA'];
  const isNamed = named !== undefined && named !== '';
  return {
    type: 'FOLDER',
    dataDir: isNamed ? resolve(here.folder, named) : join(projectFolder(scriptFolder(here)), '.assent'),
  };
}

export type Whereabouts = { readonly script: string | undefined; readonly folder: string };
export const whereabouts = (): Whereabouts => ({ script: process.argv[1], folder: process.cwd() });

/**
 * Where the script is that this process was started with, whatever folder it was started in. What is started by a tool of
 * node_modules (a test runner), or from no file at all, is where the process is.
 */
export function scriptFolder({ script, folder }: Whereabouts): string {
  if (script === undefined || !isAbsolute(script)) return folder;
  const file = realFile(script);
  if (file === undefined || file.split(sep).includes('node_modules')) return folder;
  return statSync(file).isDirectory() ? file : dirname(file);
}

/** Node runs `name` from `name.js`. */
function realFile(script: string): string | undefined {
  for (const file of [script, `${script}.js`]) if (existsSync(file)) return realpathSync(file);
  return undefined;
}

function targetOf(url: string, env: NodeJS.ProcessEnv): Target {
  const workspace = env['ASSENT_WORKSPACE'] ?? 'default';
  if (!isWorkspaceName(workspace))
    throw new AssentError('USAGE', `ASSENT_WORKSPACE is no workspace's name: ${workspace}.`);
  const [first = '', ...others] = url.split(',');
  const parsed = URL.canParse(first) ? new URL(first) : undefined;
  if (parsed === undefined) throw new AssentError('NATS_UNREACHABLE', `ASSENT_URL is no URL: ${url}.`);
  const { username, password } = parsed;
  parsed.username = '';
  parsed.password = '';
  return {
    servers: [parsed.href.replace(/\/$/, ''), ...others].join(','),
    workspace,
    user: username === '' ? 'sdk' : decodeURIComponent(username),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
  };
}

/** The nearest folder with a package.json, or the one given. */
export function projectFolder(folder: string): string {
  for (let at = resolve(folder); ; at = dirname(at)) {
    if (existsSync(join(at, 'package.json'))) return at;
    if (dirname(at) === at) return resolve(folder);
  }
}

/** The engine that says of itself that it runs on this folder; whether it does, only the attempt to connect can tell. */
export async function engineOf(dataDir: string): Promise<Target | undefined> {
  return targetIn(await readFile(join(dataDir, 'engine.json'), 'utf8').catch(() => undefined));
}

export function targetIn(text: string | undefined): Target | undefined {
  if (text === undefined) return undefined;
  try {
    const engine = JSON.parse(text) as Announcement | null;
    if (engine?.v !== 1 || !isAlive(engine.pid)) return undefined;
    const { user, password } = engine.credentials.sdk;
    return { servers: engine.url, workspace: engine.workspace, user, password };
  } catch {
    return undefined;
  }
}

/** What we read of `engine.json`, which the engine writes. */
type Announcement = {
  readonly v: number;
  readonly url: string;
  readonly workspace: string;
  readonly pid: number;
  readonly credentials: { readonly sdk: { readonly user: string; readonly password: string } };
};

/** Whether a process of this machine exists and can still act: one that has ended and was not reaped yet cannot. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    // EPERM: it exists, and is another user's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Where there is no /proc, nobody knows, and the beats decide. */
function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  } catch {
    return false;
  }
}
