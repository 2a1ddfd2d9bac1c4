/** Runs other programs: finds them on a PATH, and says in one line why one failed. */
import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

export type Ran =
  | { readonly ok: true; readonly stdout: string }
  /** `why`: the last thing that the program complained of. */
  | { readonly ok: false; readonly why: string };

/** The program of that name on the PATH of `env`, if there is one that may be run. */
export async function onPath(name: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    const candidate = join(folder, name);
    if (
      folder !== '' &&
      (await access(candidate, constants.X_OK).then(
        () => true,
        () => false,
      ))
    )
      return candidate;
  }
  return undefined;
}

export function run(
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; timeoutMs: number },
): Promise<Ran> {
  const { cwd, env, timeoutMs } = options;
  return new Promise((resolve) => {
    const settings = { cwd, env, timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 16 * 1024 * 1024 } as const;
    execFile(program, args, settings, (error, stdout, stderr) => {
      if (error === null) resolve({ ok: true, stdout });
      else if (error.killed === true) resolve({ ok: false, why: `it took more than ${String(timeoutMs / 1000)} s` });
      else resolve({ ok: false, why: lastLine(stderr) ?? error.message });
    });
  });
}

const lastLine = (text: string): string | undefined => text.trim().split('\n').at(-1) || undefined;
