/**
 * Processes of this machine that have ended: a client leaves a file with its pid beside the engine while it executes
 * runs, so that its death is known at once, also when the engine died with it and nobody has counted its silence.
 */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';

/** Names the process of a session if it has ended; undefined if it lives, or nothing is known of it here. */
export function goneProcesses(folder: string): (session: string) => string | undefined {
  return (session) => {
    const owner = ownerIn(join(folder, session));
    if (owner?.host !== hostname() || isAlive(owner.pid)) return undefined;
    return `process ${String(owner.pid)} on ${owner.host}`;
  };
}

function ownerIn(file: string): { readonly pid: number; readonly host: string } | undefined {
  try {
    const { pid, host } = JSON.parse(readFileSync(file, 'utf8')) as { pid?: unknown; host?: unknown };
    return typeof pid === 'number' && typeof host === 'string' ? { pid, host } : undefined;
  } catch {
    return undefined;
  }
}

/** One that has ended and was not reaped yet (state Z) does nothing more. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    return !stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  } catch {
    return true;
  }
}
