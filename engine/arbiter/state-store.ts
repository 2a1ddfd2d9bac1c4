/**
 * The settled fold's own state in a local SQLite file: a cache of the fold, not a view. Delete it and it is folded again.
 *
 * T1 Only settled changes enter, together with the head that they lead to, in one transaction.
 * T2 A run that has ended, with all that it called, may leave the memory once it stands here; it is found again by key.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { RunId } from '../../protocol/ids.ts';
import { rootOf } from '../../protocol/proposals.ts';
import { isTerminal } from '../../protocol/states.ts';
import type { Journal } from '../fold/table.ts';
import { FOLD_VERSION, rowOf, type Run, type Workspace } from '../fold/workspace.ts';

/** The file's name in an arbiter's folder. */
export const STORE_FILE = 'state.sqlite';

type Pending = { readonly table: string; readonly key: string; readonly value: unknown };

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS fold (version INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS rows (
    tbl TEXT NOT NULL, key TEXT NOT NULL, root TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (tbl, key)
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS runs_by_root ON rows (root) WHERE tbl = 'runs';
  CREATE TABLE IF NOT EXISTS asleep (root TEXT PRIMARY KEY) WITHOUT ROWID;
`;

export class StateStore {
  readonly #db: DatabaseSync;
  readonly #put: StatementSync;
  readonly #drop: StatementSync;
  readonly #one: StatementSync;
  readonly #unit: StatementSync;
  readonly #sleep: StatementSync;
  readonly #wake: StatementSync;
  #pending = new Map<string, Pending>();
  #workspace: Workspace | undefined;
  /** Flow runs of their own that changed, and may have ended. */
  readonly #drowsy = new Set<RunId>();

  constructor(path: string) {
    this.#db = new DatabaseSync(path);
    this.#db.exec(SCHEMA);
    const version = this.#db.prepare('SELECT version FROM fold').get()?.['version'];
    if (version !== FOLD_VERSION) this.#empty();
    this.#put = this.#db.prepare('INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?)');
    this.#drop = this.#db.prepare('DELETE FROM rows WHERE tbl = ? AND key = ?');
    this.#one = this.#db.prepare("SELECT value FROM rows WHERE tbl = 'runs' AND key = ?");
    this.#unit = this.#db.prepare("SELECT key, value FROM rows WHERE tbl = 'runs' AND root = ?");
    this.#sleep = this.#db.prepare('INSERT OR IGNORE INTO asleep VALUES (?)');
    this.#wake = this.#db.prepare('DELETE FROM asleep WHERE root = ?');
  }

  /** Fills a new workspace with all that must be in memory. */
  load(workspace: Workspace): void {
    this.#workspace = workspace;
    const tables = new Map(workspace.tables().map((table) => [table.name, table]));
    const awake = this.#db.prepare(
      "SELECT tbl, key, value FROM rows WHERE tbl <> 'runs' OR root NOT IN (SELECT root FROM asleep)",
    );
    for (const row of awake.iterate()) {
      tables.get(String(row['tbl']))?.place(String(row['key']), JSON.parse(String(row['value'])));
    }
  }

  /** Finds a run that is not in memory. A flow run of its own brings all that it called. */
  fetchRun(id: string): Run | undefined {
    const root = rootOf(id as RunId);
    const workspace = this.#workspace;
    if (workspace === undefined) return undefined;
    if (root !== id) {
      // While the flow run is in memory, so is everything that it called.
      return workspace.runs.isPlaced(root) || this.fetchRun(root) === undefined ? undefined : workspace.runs.placed(id);
    }
    const pending = this.#pending.get(`runs ${id}`);
    if (pending === undefined && this.#one.get(id) === undefined) return undefined;
    for (const row of this.#unit.iterate(root)) {
      workspace.runs.place(String(row['key']), JSON.parse(String(row['value'])) as Run);
    }
    this.#wake.run(root);
    // Whoever only looks at it moves nothing: it leaves again by itself.
    this.#drowsy.add(root);
    return workspace.runs.placed(id);
  }

  /** Takes in what a settled segment changed. */
  record(journal: Journal): void {
    for (const { table, key, is } of journal) {
      this.#pending.set(`${table.name} ${key}`, { table: table.name, key, value: is });
    }
  }

  /** Writes what was recorded, all of it settled at `settledSeq`; lets ended runs leave the memory. */
  flush(settledSeq: number): void {
    if (this.#pending.size === 0) return;
    const pending = this.#pending;
    this.#pending = new Map();
    this.#db.exec('BEGIN');
    for (const { table, key, value } of pending.values()) {
      if (value === undefined) this.#drop.run(table, key);
      else this.#put.run(table, key, table === 'runs' ? rootOf(key as RunId) : '', JSON.stringify(value));
      if (table === 'runs') this.#drowsy.add(rootOf(key as RunId));
    }
    this.#letSleep(settledSeq);
    this.#db.exec('COMMIT');
  }

  /** Ended flow runs leave the memory with all that they called, unless something unsettled is about one of them. */
  #letSleep(settledSeq: number): void {
    const workspace = this.#workspace;
    if (workspace === undefined) return;
    for (const root of this.#drowsy) {
      const run = workspace.runs.placed(root);
      if (run === undefined || !isTerminal(run.state)) this.#drowsy.delete(root);
      else if (workspace.cascades.get(root) === undefined && isSettled(workspace, root, settledSeq)) {
        this.#drowsy.delete(root);
        this.#sleep.run(root);
        for (const key of [...workspace.runs.unit(root)]) workspace.runs.place(key, undefined);
      }
    }
  }

  /** Rows that are here and not in memory, for the digest of the whole state. */
  *asleep(): Generator<string> {
    const rows = this.#db.prepare(
      "SELECT tbl, key, value FROM rows WHERE tbl = 'runs' AND root IN (SELECT root FROM asleep)",
    );
    for (const row of rows.iterate()) {
      yield rowOf(String(row['tbl']), String(row['key']), JSON.parse(String(row['value'])));
    }
  }

  clear(): void {
    this.#pending.clear();
    this.#empty();
  }

  #empty(): void {
    this.#db.exec('DELETE FROM rows; DELETE FROM asleep; DELETE FROM fold');
    this.#db.prepare('INSERT INTO fold VALUES (?)').run(FOLD_VERSION);
  }

  close(): void {
    this.#db.close();
  }
}

/** Every ruling about a run leaves its place in it, so what is unsettled shows. */
function isSettled(workspace: Workspace, root: RunId, settledSeq: number): boolean {
  for (const id of workspace.runs.unit(root)) {
    if ((workspace.runs.placed(id)?.last.seq ?? 0) > settledSeq) return false;
  }
  return true;
}
