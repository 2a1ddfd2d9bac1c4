/** Files in TypeScript: Node strips their types by itself, or when it is told to. */
import { spawn } from 'node:child_process';
import { EXIT } from './exit-codes.ts';

/** This Node has to be told. */
export const needsOtherNode = (paths: readonly string[]): boolean =>
  paths.some((path) => /\.[cm]?ts$/.test(path)) && process.features.typescript === false;

/** The same command in a Node that was told; the answer is its exit code. */
export function runWithTypes(): Promise<number> {
  const flags = ['--experimental-strip-types', '--disable-warning=ExperimentalWarning'];
  const child = spawn(process.execPath, [...flags, ...process.argv.slice(1)], { stdio: 'inherit' });
  // Ctrl-C reaches the child as well; this process waits for what it makes of it.
  process.on('SIGINT', () => undefined);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => {
      resolve(code ?? EXIT.interrupted);
    });
  });
}
