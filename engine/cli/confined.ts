/**
 * This very command once more, in a process that may read the package and one file, write no file, start no process or
 * thread, load no addon, make no code of text, and has no variable of the environment but those about how text looks. For
 * code that came with a file.
 *
 * The network is not withheld: no switch of Node 22 or 24 does that. What keeps such code from it is the realm in which it
 * runs (engine/policy/realm.ts), and that one is no prison. So it is asked first whether the file is trusted.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EXIT } from './exit-codes.ts';

/** Whether this process is one already. */
export const isConfined = (): boolean => (process.permission as unknown) !== undefined;

/** Resolves with the exit code. */
export async function runConfined(file: string): Promise<number> {
  const allowed = [...packageFolders(), resolve(file)].map((path) => `--allow-fs-read=${path}`);
  const switches = ['--permission', '--disallow-code-generation-from-strings', ...allowed];
  const child = spawn(process.execPath, [...switches, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: environment(),
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return code ?? EXIT.error;
}

/** How the output is to look, and what Windows needs to start a process; nothing that could be a secret. */
const environment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(PASSED.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));

const PASSED = ['NO_COLOR', 'FORCE_COLOR', 'TERM', 'COLORTERM', 'SystemRoot'];

/** The package, and what it imports from beside it. */
function packageFolders(): readonly string[] {
  // `engine/cli` or `dist/engine/cli`.
  const engine = fileURLToPath(new URL('..', import.meta.url));
  const above = dirname(resolve(engine));
  const root = basename(above) === 'dist' ? dirname(above) : above;
  const beside = basename(dirname(root)) === 'node_modules' ? dirname(root) : join(root, 'node_modules');
  return [...new Set([root, beside, realpathSync(beside)])];
}
