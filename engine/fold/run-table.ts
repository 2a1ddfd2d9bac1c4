/** The table of runs: found by their id, and by the flow run of its own that they belong to. */
import type { RunId } from '../../protocol/ids.ts';
import { rootOf } from '../../protocol/proposals.ts';
import { Table } from './table.ts';

export class RunTable<Run> extends Table<Run> {
  readonly #units = new Map<string, Set<string>>();

  /** A flow run of its own and all that it called, as far as they are in memory. */
  unit(root: RunId): ReadonlySet<string> {
    return this.#units.get(root) ?? NOBODY;
  }

  override set(key: string, value: Run): void {
    this.#join(key);
    super.set(key, value);
  }

  override place(key: string, value: unknown): void {
    if (value === undefined) this.#leave(key);
    else this.#join(key);
    super.place(key, value);
  }

  override clear(): void {
    this.#units.clear();
    super.clear();
  }

  #join(key: string): void {
    if (this.isPlaced(key)) return;
    const root = rootOf(key as RunId);
    const unit = this.#units.get(root);
    if (unit === undefined) this.#units.set(root, new Set([key]));
    else unit.add(key);
  }

  #leave(key: string): void {
    const root = rootOf(key as RunId);
    const unit = this.#units.get(root);
    unit?.delete(key);
    if (unit?.size === 0) this.#units.delete(root);
  }
}

const NOBODY: ReadonlySet<string> = new Set();
