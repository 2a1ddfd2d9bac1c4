/**
 * What one transaction remembers in its process: what was left in it by `set`, and the calls that completed in it, in the
 * order of the ledger. Nothing of it is stored: when the flow runs again, its calls are made again, and tell it again.
 *
 * M1 Answered from the record, in the ledger's order, come before those that ended in this process; these are told in the
 *    ledger's order too (handover.ts). So the order is the same in every execution.
 */
import { AssentError } from '../protocol/errors.ts';
import { withLiterals } from './secrets.ts';
import type { CallInside, TransactionLog } from './transaction-hooks.ts';
import { decodeText, encodeText } from './values.ts';

/** A completed call, with what its hooks may `get`. */
export type Inside = CallInside & { readonly arrival: number; readonly get: (name: string) => unknown };

export class TransactionMemory implements TransactionLog {
  readonly outer: TransactionMemory | undefined;
  readonly #values = new Map<string, unknown>();
  readonly #calls = new Map<string, Inside>();
  readonly #nested: TransactionMemory[] = [];
  readonly #found: Promise<void>[] = [];
  #arrivals = 0;

  constructor(outer: TransactionMemory | undefined) {
    this.outer = outer;
  }

  readonly get = (name: string, fallback?: unknown): unknown => {
    if (this.#values.has(name)) return copyOf(name, this.#values.get(name));
    return this.outer === undefined ? fallback : this.outer.get(name, fallback);
  };

  set(name: string, value: unknown): void {
    this.#values.set(name, copyOf(name, value));
  }

  /** A call of a subflow that was tried again is told of twice. */
  completed(call: CallInside): void {
    if (this.#calls.has(call.runId)) return;
    this.#calls.set(call.runId, { ...call, arrival: this.#arrive(), get: this.get });
  }

  expect(found: Promise<void>): void {
    this.#found.push(found);
  }

  /** Resolves when all completed calls have been told of. */
  async complete(): Promise<void> {
    for (let found = this.#found.splice(0); found.length > 0; found = this.#found.splice(0)) await Promise.all(found);
    for (const nested of this.#nested) await nested.complete();
  }

  /** Ends with this one now: it is committed or undone with it. */
  adopt(nested: TransactionMemory): void {
    this.#nested.push(nested);
  }

  /** Nested ones first, each in the order in which its calls completed. */
  inOrderOfCommit(): readonly Inside[] {
    return [...this.#nested.flatMap((nested) => nested.inOrderOfCommit()), ...[...this.#calls.values()].sort(byLedger)];
  }

  /** The last one first, wherever it was called. */
  inOrderOfUndoing(): readonly Inside[] {
    return [...this.#all()].sort(byLedger).reverse();
  }

  *#all(): Generator<Inside> {
    yield* this.#calls.values();
    for (const nested of this.#nested) yield* nested.#all();
  }

  #arrive(): number {
    if (this.outer !== undefined) return this.outer.#arrive();
    this.#arrivals += 1;
    return this.#arrivals;
  }
}

/** M1. */
function byLedger(one: Inside, other: Inside): number {
  if (one.at !== undefined && other.at !== undefined) return one.at.seq - other.at.seq || one.at.index - other.at.index;
  if (one.at !== undefined) return -1;
  return other.at === undefined ? one.arrival - other.arrival : 1;
}

/** @throws AssentError VALUE_NOT_SERIALIZABLE */
function copyOf(name: string, value: unknown): unknown {
  try {
    return withLiterals(() => decodeText(encodeText(value, `'${name}'`)));
  } catch (error) {
    throw new AssentError('VALUE_NOT_SERIALIZABLE', `'${name}' cannot be copied into the transaction.`, {
      cause: error,
    });
  }
}
