/**
 * The world outside of the ledger, as far as a generated program changes it: a file to which every task's body appends
 * when it begins and when it is done, with the key that an outside system would tell repetitions by; and the repairs that
 * were made. It knows nothing of rulings, so it can be held against them.
 */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type Effect = {
  readonly phase: 'begin' | 'end';
  /** The task run's idempotency key. */
  readonly key: string;
  readonly attempt: number;
  /** Which process's body: the session's id. */
  readonly session: string;
  /** When done: the result's text. */
  readonly result?: string;
};

export class Outside {
  readonly #folder: string;
  readonly #name: string;

  /** `name` tells this world from others in the folder. */
  constructor(folder: string, name: string) {
    this.#folder = folder;
    this.#name = name;
  }

  append(effect: Effect): void {
    // One write of one line: the lines of several processes do not mix.
    appendFileSync(this.#file, `${JSON.stringify(effect)}\n`);
  }

  effects(): readonly Effect[] {
    if (!existsSync(this.#file)) return [];
    const lines = readFileSync(this.#file, 'utf8').split('\n');
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Effect);
  }

  repair(text: string): void {
    writeFileSync(this.#repairFile(text), '');
  }

  isRepaired(text: string): boolean {
    return existsSync(this.#repairFile(text));
  }

  get #file(): string {
    return join(this.#folder, `${this.#name}.effects`);
  }

  #repairFile(text: string): string {
    return join(this.#folder, `${this.#name}.repaired.${text.replaceAll(' ', '-')}`);
  }
}
