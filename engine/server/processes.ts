/**
 * Tells processes apart. A pid alone does not name a process: it is given out again after its process has ended, and
 * the same number means another process in another container. So a process is (pid, birth, place).
 */
import { execFile } from 'node:child_process';
import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { promisify } from 'node:util';

/** When the process began, in the kernel's own words; `undefined` if that cannot be known or the process has ended. */
export async function birthOf(pid: number): Promise<string | undefined> {
  const seen = await look(pid);
  return seen === 'ENDED' ? undefined : seen?.birth;
}

/** True while the process of that pid, and of that birth if one is given, has not ended. */
export async function lives(pid: number, birth?: string): Promise<boolean> {
  if (!takesSignals(pid)) return false;
  const seen = await look(pid);
  if (seen === 'ENDED') return false;
  // A process that exists but cannot be looked at (/proc mounted with hidepid) is given the benefit of the doubt.
  return seen === undefined || birth === undefined || seen.birth === birth;
}

/** Where pids are comparable: one boot of one kernel, one pid namespace. */
export async function placeOfPids(): Promise<string> {
  try {
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    return `${boot} ${await readlink('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}

function takesSignals(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is there, and somebody else's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

type Sight = { readonly birth: string } | 'ENDED' | undefined;

function look(pid: number): Promise<Sight> {
  return process.platform === 'linux' ? lookInProc(pid) : askPs(pid);
}

async function lookInProc(pid: number): Promise<Sight> {
  const stat = await readFile(`/proc/${String(pid)}/stat`, 'utf8').catch(() => undefined);
  if (stat === undefined) return undefined;
  // The second field is the command in parentheses and may hold anything; the fields after the last `)` are safe.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return 'ENDED';
  // Field 22, `starttime`: clock ticks since boot.
  const birth = fields[19];
  return birth === undefined ? undefined : { birth };
}

async function askPs(pid: number): Promise<Sight> {
  const ps = promisify(execFile)('ps', ['-o', 'state=,lstart=', '-p', String(pid)], {
    env: { ...process.env, LC_ALL: 'C' },
  });
  const line = await ps.then(({ stdout }) => stdout.trim()).catch(() => '');
  if (line === '') return undefined;
  return line.startsWith('Z') ? 'ENDED' : { birth: line.slice(line.indexOf(' ')).trim() };
}
