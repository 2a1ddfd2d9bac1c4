/** Asks the ledger the way everybody does: by the command line. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export type Said = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

const ASSENT = fileURLToPath(new URL('../../bin/assent.js', import.meta.url));

/** Runs `assent` with these arguments to its end; `stop` ends it early. */
export function assent(args: readonly string[], stop: AbortSignal, coloured: boolean): Promise<Said> {
  const child = spawn(process.execPath, [ASSENT, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: stop,
    env: coloured ? { ...process.env, FORCE_COLOR: '1' } : process.env,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({ code, stdout, stderr });
    });
  });
}
