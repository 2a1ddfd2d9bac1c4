/**
 * This very command once more, in a process that may read the package and one file, and may do nothing else with the
 * machine: write no file, start no process or thread, load no addon. For code that came with a file. The network is not
 * among what Node 22 and 24 can forbid; the realm in which such code runs (engine/policy/realm.ts) does not have it.
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
  const child = spawn(process.execPath, ['--permission', ...allowed, ...process.argv.slice(1)], { stdio: 'inherit' });
  const [code] = (await once(child, 'close')) as [number | null];
  return code ?? EXIT.error;
}

/** The package, and what it imports from beside it. */
function packageFolders(): readonly string[] {
  // `engine/cli` or `dist/engine/cli`.
  const engine = fileURLToPath(new URL('..', import.meta.url));
  const above = dirname(resolve(engine));
  const root = basename(above) === 'dist' ? dirname(above) : above;
  const beside = basename(dirname(root)) === 'node_modules' ? dirname(root) : join(root, 'node_modules');
  return [...new Set([root, beside, realpathSync(beside)])];
}
