/**
 * One file of a view: opening it, its head, its words, its transactions. What the rows mean is the business of
 * view-fold.ts, which writes them, and of answers/, which reads them.
 *
 * F1 The head is written in the transaction of the rows, so a file is true for exactly its head, whenever it is opened.
 * F2 A file that cannot be used (another schema, damaged) is deleted: it is a view, the ledger has everything.
 */
import { rmSync } from 'node:fs';
import { DatabaseSync, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import type { Digest } from '../../protocol/ids.ts';
import type { Head } from '../fold/chain.ts';
import { SCHEMA, SCHEMA_VERSION, VIEW_VERSION } from './schema.ts';

export type Row = Record<string, SQLOutputValue>;
export type Bound = string | number | null | Uint8Array;

export type ViewHead = {
  readonly head: Head;
  readonly epoch: number;
  readonly policy: Digest | '';
  /** The ledger's time at the head, and the wall clock's when it was folded live; 0 when it was not. */
  readonly timeMs: number;
  readonly wallMs: number;
  readonly rulings: number;
  readonly segments: number;
};

const AT_THE_BEGINNING: ViewHead = {
  head: { seq: 0, hash: '' },
  epoch: 0,
  policy: '',
  timeMs: 0,
  wallMs: 0,
  rulings: 0,
  segments: 0,
};

/** A power cut may lose the last transactions, never the file's order; they are folded again. */
const PRAGMAS = 'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 4000;';

export class ViewFile {
  readonly path: string;
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #words = new Map<string, number>();
  readonly #spelled: string[] = [''];
  #newWords: string[] = [];
  #version = '';
  #head = AT_THE_BEGINNING;
  #closed = false;

  private constructor(path: string) {
    this.path = path;
    this.#db = new DatabaseSync(path);
    this.#db.exec(PRAGMAS);
  }

  /** The file as it is, or a new one in its place when it cannot be used. `say` hears why. */
  static open(path: string, say: (line: string) => void): ViewFile {
    let file: ViewFile | undefined;
    try {
      file = new ViewFile(path);
      if (file.#load()) return file;
      say(`the view ${path} is of another make and is built anew`);
    } catch (error) {
      say(`the view ${path} cannot be used and is built anew: ${String(error)}`);
    }
    file?.close();
    removeView(path);
    const made = new ViewFile(path);
    made.#create();
    return made;
  }

  /** Another version than this program's: it can serve until a new one is made. */
  get isOld(): boolean {
    return this.#version !== VIEW_VERSION;
  }

  get head(): ViewHead {
    return this.#head;
  }

  /** One statement for each text, made once. */
  prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) this.#statements.set(sql, (statement = this.#db.prepare(sql)));
    return statement;
  }

  all(sql: string, ...values: readonly Bound[]): Row[] {
    return this.prepare(sql).all(...values);
  }

  one(sql: string, ...values: readonly Bound[]): Row | undefined {
    return this.prepare(sql).get(...values);
  }

  /** The number of a word; a new one is written with the next commit. */
  numberOf(word: string | undefined): number {
    if (word === undefined || word === '') return 0;
    const known = this.#words.get(word);
    if (known !== undefined) return known;
    const num = this.#spelled.length;
    this.#words.set(word, num);
    this.#spelled.push(word);
    this.#newWords.push(word);
    return num;
  }

  /** The number of a word that may never have been written; undefined then. */
  knownNumber(word: string): number | undefined {
    return word === '' ? 0 : this.#words.get(word);
  }

  word(num: SQLOutputValue | undefined): string {
    return this.#spelled[Number(num)] ?? '';
  }

  /** Writes rows and the head that they are true for, all or nothing. */
  commit(head: ViewHead, write: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      write();
      this.#writeWords();
      this.#writeHead(head);
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#rollBack();
      throw error;
    }
    this.#newWords = [];
    this.#head = head;
  }

  /** What was read into memory may be ahead of a file whose transaction failed. */
  reload(): void {
    this.#load();
  }

  bytes(): number {
    const pages = this.one('PRAGMA page_count')?.['page_count'];
    const size = this.one('PRAGMA page_size')?.['page_size'];
    return Number(pages) * Number(size);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#statements.clear();
    this.#db.close();
  }

  #rollBack(): void {
    try {
      this.#db.exec('ROLLBACK');
    } catch {
      // A full disk has ended the transaction already.
    }
  }

  #create(): void {
    this.#db.exec(`${SCHEMA}; PRAGMA user_version = ${String(SCHEMA_VERSION)};`);
    this.#version = VIEW_VERSION;
    this.commit(AT_THE_BEGINNING, () => undefined);
  }

  /** False when the tables are not ours. A file that was never filled is ours to fill. */
  #load(): boolean {
    const schema = this.one('PRAGMA user_version')?.['user_version'];
    if (schema === 0 && this.one('SELECT 1 FROM sqlite_schema') === undefined) {
      this.#create();
      return true;
    }
    if (schema !== SCHEMA_VERSION) return false;
    const row = this.one('SELECT * FROM head');
    if (row === undefined) return false;
    this.#version = String(row['version']);
    this.#head = {
      head: { seq: Number(row['seq']), hash: row['hash'] as Digest | '' },
      epoch: Number(row['epoch']),
      policy: row['policy'] as Digest | '',
      timeMs: Number(row['time_ms']),
      wallMs: Number(row['wall_ms']),
      rulings: Number(row['rulings']),
      segments: Number(row['segments']),
    };
    this.#loadWords();
    return true;
  }

  #loadWords(): void {
    this.#words.clear();
    this.#spelled.length = 1;
    this.#newWords = [];
    for (const { num, word } of this.all('SELECT num, word FROM words ORDER BY num')) {
      this.#words.set(String(word), Number(num));
      this.#spelled[Number(num)] = String(word);
    }
  }

  #writeWords(): void {
    const insert = this.prepare('INSERT INTO words VALUES (?, ?)');
    for (const word of this.#newWords) insert.run(this.#words.get(word) ?? 0, word);
  }

  #writeHead({ head, epoch, policy, timeMs, wallMs, rulings, segments }: ViewHead): void {
    this.prepare('INSERT OR REPLACE INTO head VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)').run(
      this.#version,
      head.seq,
      head.hash,
      epoch,
      policy,
      timeMs,
      wallMs,
      rulings,
      segments,
    );
  }
}

export function removeView(path: string): void {
  for (const end of ['', '-wal', '-shm']) rmSync(`${path}${end}`, { force: true });
}
