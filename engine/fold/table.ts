/**
 * The fold's memory: maps of immutable values whose every change can be undone, and written through to a store.
 *
 * T1 A value in a table is never changed, only replaced; so an undo is the old value, put back.
 * T2 Changes are journaled in order while a journal is open; `undo` of the newest journal restores the state before it.
 */

/** One change: `was` and `is` are undefined where there was, or is, nothing. */
export type Change = {
  readonly table: Placing;
  readonly key: string;
  readonly was: unknown;
  readonly is: unknown;
};
export type Journal = Change[];

/** What an undo needs of a table. */
type Placing = { readonly name: string; place(key: string, value: unknown): void };

/** Where the tables write what they change; one for all tables of a workspace. */
export class Recorder {
  /** The open journal; undefined while nothing must be undone. */
  journal: Journal | undefined;
}

export class Table<V> {
  readonly name: string;
  readonly #rows = new Map<string, V>();
  readonly #recorder: Recorder;
  /** Called for a key that is not in memory; an ended run may be in the state store only. */
  readonly #fetch: ((key: string) => V | undefined) | undefined;

  constructor(name: string, recorder: Recorder, fetch?: (key: string) => V | undefined) {
    this.name = name;
    this.#recorder = recorder;
    this.#fetch = fetch;
  }

  get(key: string): V | undefined {
    return this.#rows.get(key) ?? this.#fetch?.(key);
  }

  /** The row in memory, without asking further. */
  placed(key: string): V | undefined {
    return this.#rows.get(key);
  }

  isPlaced(key: string): boolean {
    return this.#rows.has(key);
  }

  set(key: string, value: V): void {
    const was = this.#rows.get(key);
    this.#rows.set(key, value);
    this.#recorder.journal?.push({ table: this, key, was, is: value });
  }

  delete(key: string): void {
    const was = this.#rows.get(key);
    if (was === undefined) return;
    this.#rows.delete(key);
    this.#recorder.journal?.push({ table: this, key, was, is: undefined });
  }

  /** Puts a row in or out of memory with no trace: for undo, for loading, and for what the store keeps alone. */
  place(key: string, value: unknown): void {
    if (value === undefined) this.#rows.delete(key);
    else this.#rows.set(key, value as V);
  }

  get size(): number {
    return this.#rows.size;
  }

  entries(): IterableIterator<[string, V]> {
    return this.#rows.entries();
  }

  clear(): void {
    this.#rows.clear();
  }
}

/** A relation: for each key a set of members, in the order in which they came. */
export class Pairs {
  readonly name: string;
  readonly #sets = new Map<string, Set<string>>();
  readonly #recorder: Recorder;

  constructor(name: string, recorder: Recorder) {
    this.name = name;
    this.#recorder = recorder;
  }

  of(key: string): ReadonlySet<string> {
    return this.#sets.get(key) ?? NOBODY;
  }

  keys(): IterableIterator<string> {
    return this.#sets.keys();
  }

  add(key: string, member: string): void {
    if (this.of(key).has(member)) return;
    this.place(`${key} ${member}`, true);
    this.#recorder.journal?.push({ table: this, key: `${key} ${member}`, was: undefined, is: true });
  }

  remove(key: string, member: string): void {
    if (!this.of(key).has(member)) return;
    this.place(`${key} ${member}`, undefined);
    this.#recorder.journal?.push({ table: this, key: `${key} ${member}`, was: true, is: undefined });
  }

  /** Keys hold no space: what stands before the first one is the key. */
  place(pair: string, value: unknown): void {
    const at = pair.indexOf(' ');
    const key = pair.slice(0, at);
    const member = pair.slice(at + 1);
    if (value === undefined) {
      const members = this.#sets.get(key);
      members?.delete(member);
      if (members?.size === 0) this.#sets.delete(key);
      return;
    }
    const members = this.#sets.get(key);
    if (members === undefined) this.#sets.set(key, new Set([member]));
    else members.add(member);
  }

  *entries(): IterableIterator<[string, true]> {
    for (const [key, members] of this.#sets) for (const member of members) yield [`${key} ${member}`, true];
  }

  clear(): void {
    this.#sets.clear();
  }
}

const NOBODY: ReadonlySet<string> = new Set();

/** Restores what was before the journal's first change. */
export function undo(journal: Journal): void {
  for (let i = journal.length - 1; i >= 0; i -= 1) {
    const change = journal[i];
    if (change !== undefined) change.table.place(change.key, change.was);
  }
  journal.length = 0;
}
