/** Who was heard: one row for each session of a client. */
import { sessionOf, type Proposal } from '../../protocol/proposals.ts';
import type { ViewFile } from './view-file.ts';

type Heard = { readonly user: string; readonly firstMs: number; lastMs: number; rulings: number };

export class SessionRows {
  readonly #file: ViewFile;
  readonly #heard = new Map<string, Heard>();
  readonly #closed = new Map<string, number>();

  constructor(file: ViewFile) {
    this.#file = file;
  }

  heard({ id, by }: Proposal, atMs: number): void {
    const asker = sessionOf(id);
    if (asker === undefined) return;
    const known = this.#heard.get(asker.session);
    if (known === undefined) this.#heard.set(asker.session, { user: by, firstMs: atMs, lastMs: atMs, rulings: 1 });
    else {
      known.lastMs = atMs;
      known.rulings += 1;
    }
  }

  closed(session: string, atMs: number): void {
    this.#closed.set(session, atMs);
  }

  /** Within a transaction. */
  write(): void {
    const put = this.#file.prepare(PUT);
    for (const [id, { user, firstMs, lastMs, rulings }] of this.#heard) put.run(id, user, firstMs, lastMs, rulings);
    const close = this.#file.prepare('UPDATE sessions SET closed_ms = ? WHERE id = ?');
    for (const [id, atMs] of this.#closed) close.run(atMs, id);
  }

  /** After the transaction. */
  written(): void {
    this.#heard.clear();
    this.#closed.clear();
  }
}

const PUT = `INSERT INTO sessions (id, user, first_ms, last_ms, rulings) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id)
  DO UPDATE SET last_ms = excluded.last_ms, rulings = rulings + excluded.rulings`;
