/**
 * Which process has which session, as a file per process in the data folder: so that a script that is started again after
 * a crash knows at once that its predecessor is gone, also when the engine went with it and nobody has heard a beat.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { SessionId } from '../../protocol/ids.ts';

export type Owner = { readonly pid: number; readonly host: string };

/** A crashed process leaves its file behind; after so long nobody looks for it. */
const KEPT_MS = 30 * 24 * 3_600_000;

export class ProcessFiles {
  readonly #folder: string;
  #own: string | undefined;
  /** Whether the process has runs in its hands. */
  isBusy: () => boolean = () => false;
  readonly #onExit = (): void => {
    // Whoever looks for the process of an unfinished run finds out at once that it is gone.
    if (!this.isBusy()) this.withdraw();
  };

  constructor(dataDir: string) {
    this.#folder = join(dataDir, 'processes');
  }

  /** Best effort: without the file, the arbiter's patience decides. */
  announce(session: SessionId): void {
    if (this.#own !== undefined) return;
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      const file = join(this.#folder, session);
      writeFileSync(file, JSON.stringify({ pid: process.pid, host: hostname() } satisfies Owner), { mode: 0o600 });
      this.#own = file;
      process.once('exit', this.#onExit);
      this.#forgetOld();
    } catch {
      // A folder that cannot be written to has no files to read either.
    }
  }

  /** At a clean end. */
  withdraw(): void {
    if (this.#own === undefined) return;
    process.off('exit', this.#onExit);
    rmSync(this.#own, { force: true });
    this.#own = undefined;
  }

  ownerOf(session: string): Owner | undefined {
    try {
      return JSON.parse(readFileSync(join(this.#folder, session), 'utf8')) as Owner;
    } catch {
      return undefined;
    }
  }

  #forgetOld(): void {
    for (const name of readdirSync(this.#folder)) {
      const file = join(this.#folder, name);
      if (Date.now() - statSync(file).mtimeMs > KEPT_MS) rmSync(file, { force: true });
    }
  }
}
