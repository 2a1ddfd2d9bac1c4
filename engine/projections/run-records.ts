/**
 * The runs of a view while they move: kept in memory until they are written, and for as long as they are likely to move
 * again. Owns the rows of `runs`.
 */
import type { RunId } from '../../protocol/ids.ts';
import { parentId, rootOf, type RunDefinition, type SlotWish } from '../../protocol/proposals.ts';
import type { Position } from '../../protocol/rulings.ts';
import type { State, StateType } from '../../protocol/states.ts';
import type { RunKind } from '../../rules/rule.ts';
import type { Row, ViewFile } from './view-file.ts';

export type RunRecord = {
  readonly num: number;
  readonly id: RunId;
  /** The numbers of the flow run at the top and of the one that called it; a run of its own is its own root. */
  readonly root: number;
  readonly parent: number;
  kind: RunDefinition['kind'];
  name: string;
  /** Empty: it never started. */
  type: StateType | '';
  state: string;
  message: string | undefined;
  dueAtMs: number | undefined;
  sinceMs: number;
  version: number;
  attempt: number;
  retriesUsed: number;
  resumes: number;
  retriesMax: number;
  priority: number;
  execution: number;
  session: string | undefined;
  /** The number of the word. */
  actor: number;
  createdMs: number;
  startedMs: number | undefined;
  endedMs: number | undefined;
  slots: readonly SlotWish[];
  created: Position;
  moved: Position;
  rulings: number;
  rejected: number;
  /** It was paused, and has not run since. */
  resuming: boolean;
  /** When it was first meant to start; the time that it was RUNNING, without the time since it last became so. */
  expectedMs: number;
  runMs: number;
  tags: readonly string[] | undefined;
  deployment: string | undefined;
  /** What people call it, and the run whose code started it. */
  title: string | undefined;
  startedBy: RunId | undefined;
  /** The ruling whose proposal says what it was given, where its definition does not; NOWHERE: none does. */
  inputs: Position;
  /** Whether `runs` has a row of it, and whether that row is out of date. */
  stored: boolean;
  dirty: boolean;
};

export const NO_SLOTS: readonly SlotWish[] = [];
export const NOWHERE: Position = { seq: 0, index: 0 };

/** Runs kept in memory after they were written; the oldest leave first. */
const KEPT_MAX = 20_000;

export class RunRecords {
  readonly #file: ViewFile;
  readonly #records = new Map<string, RunRecord>();
  #dirty: RunRecord[] = [];
  /** What was added to the numbers of runs by kind and type since the last commit. */
  readonly #counts = new Map<string, { readonly kind: RunKind; readonly type: StateType; added: number }>();
  #next: number;

  constructor(file: ViewFile) {
    this.#file = file;
    this.#next = Number(file.one('SELECT max(num) AS num FROM runs')?.['num'] ?? 0) + 1;
  }

  /** The record of a run, made if nobody heard of it before. */
  of(id: RunId): RunRecord {
    const known = this.#records.get(id) ?? this.#read(id);
    if (known !== undefined) return known;
    const above = parentId(id) as RunId | '';
    const parent = above === '' ? undefined : this.of(above);
    const num = this.#next;
    this.#next += 1;
    const record: RunRecord = {
      num,
      id,
      root: parent === undefined ? num : parent.root,
      parent: parent?.num ?? 0,
      kind: parent === undefined ? 'flow' : 'task',
      name: '',
      type: '',
      state: '',
      message: undefined,
      dueAtMs: undefined,
      sinceMs: 0,
      version: 0,
      attempt: 0,
      retriesUsed: 0,
      resumes: 0,
      retriesMax: 0,
      priority: 0,
      execution: 0,
      session: undefined,
      actor: 0,
      createdMs: 0,
      startedMs: undefined,
      endedMs: undefined,
      slots: NO_SLOTS,
      created: NOWHERE,
      moved: NOWHERE,
      rulings: 0,
      rejected: 0,
      resuming: false,
      expectedMs: 0,
      runMs: 0,
      tags: undefined,
      deployment: undefined,
      title: undefined,
      startedBy: undefined,
      inputs: NOWHERE,
      stored: false,
      dirty: false,
    };
    this.#records.set(id, record);
    this.touch(record);
    return record;
  }

  /** The flow run at the top. */
  rootOf(record: RunRecord): RunRecord {
    return record.parent === 0 ? record : this.of(rootOf(record.id));
  }

  /** To be written with the next commit. */
  touch(record: RunRecord): void {
    if (record.dirty) return;
    record.dirty = true;
    this.#dirty.push(record);
  }

  /** It went from one type of state, or from none, to another. */
  moved(record: RunRecord, from: StateType | '', to: StateType): void {
    if (from === to) return;
    const kind = kindOf(record);
    if (from !== '') this.#count(kind, from, -1);
    this.#count(kind, to, 1);
  }

  #count(kind: RunKind, type: StateType, by: number): void {
    const key = `${kind} ${type}`;
    const known = this.#counts.get(key);
    if (known === undefined) this.#counts.set(key, { kind, type, added: by });
    else known.added += by;
  }

  /** Within a transaction. */
  write(): void {
    const add = this.#file.prepare(ADD_COUNT);
    for (const { kind, type, added } of this.#counts.values()) if (added !== 0) add.run(kind, type, added);
    const insert = this.#file.prepare(`INSERT INTO runs VALUES (${Array(39).fill('?').join()})`);
    const update = this.#file.prepare(UPDATE);
    for (const record of this.#dirty) {
      const { num, id, root, parent } = record;
      if (record.stored) update.run(...columnsOf(record), num);
      else insert.run(num, id, root, parent, ...columnsOf(record));
    }
  }

  /** After the transaction. */
  written(): void {
    for (const record of this.#dirty) {
      record.stored = true;
      record.dirty = false;
      if (record.endedMs !== undefined) this.#records.delete(record.id);
    }
    this.#dirty = [];
    this.#counts.clear();
    for (const id of this.#records.keys()) {
      if (this.#records.size <= KEPT_MAX) break;
      this.#records.delete(id);
    }
  }

  #read(id: RunId): RunRecord | undefined {
    const row = this.#file.one('SELECT * FROM runs WHERE id = ?', id);
    if (row === undefined) return undefined;
    const record = recordOf(row);
    this.#records.set(id, record);
    return record;
  }
}

/** As the rules are asked about it; of a run that nobody has said anything about, what its id tells. */
export const kindOf = ({ kind, parent }: Pick<RunRecord, 'kind' | 'parent'>): RunKind =>
  kind === 'flow' ? (parent === 0 ? 'flow' : 'subflow') : parent === 0 ? 'background' : 'task';

const ADD_COUNT =
  'INSERT INTO run_counts VALUES (?, ?, ?) ON CONFLICT (kind, type) DO UPDATE SET count = count + excluded.count';
const UPDATE = `UPDATE runs SET kind = ?, name = ?, type = ?, state = ?, message = ?, due_ms = ?, since_ms = ?,
  version = ?, attempt = ?, retries_used = ?, resumes = ?, retries_max = ?, priority = ?, execution = ?, session = ?, actor = ?, created_ms = ?,
  started_ms = ?, ended_ms = ?, slots = ?, created_seq = ?, created_idx = ?, moved_seq = ?, moved_idx = ?, rulings = ?,
  rejected = ?, resuming = ?, expected_ms = ?, run_ms = ?, tags = ?, deployment = ?,
  title = ?, started_by = ?, inputs_seq = ?, inputs_idx = ? WHERE num = ?`;

const columnsOf = (record: RunRecord): (string | number | null)[] => [
  record.kind,
  record.name,
  record.type,
  record.state,
  record.message ?? null,
  record.dueAtMs ?? null,
  record.sinceMs,
  record.version,
  record.attempt,
  record.retriesUsed,
  record.resumes,
  record.retriesMax,
  record.priority,
  record.execution,
  record.session ?? null,
  record.actor,
  record.createdMs,
  record.startedMs ?? null,
  record.endedMs ?? null,
  record.slots.length === 0 ? null : JSON.stringify(record.slots),
  record.created.seq,
  record.created.index,
  record.moved.seq,
  record.moved.index,
  record.rulings,
  record.rejected,
  record.resuming ? 1 : 0,
  record.expectedMs,
  record.runMs,
  record.tags === undefined ? null : JSON.stringify(record.tags),
  record.deployment ?? null,
  record.title ?? null,
  record.startedBy ?? null,
  record.inputs.seq,
  record.inputs.index,
];

const optional = (value: Row[string] | undefined): number | undefined =>
  value === null || value === undefined ? undefined : Number(value);
const text = (value: Row[string] | undefined): string | undefined => (typeof value === 'string' ? value : undefined);

export function recordOf(row: Row): RunRecord {
  const slots = text(row['slots']);
  const tags = text(row['tags']);
  return {
    num: Number(row['num']),
    id: String(row['id']) as RunId,
    root: Number(row['root']),
    parent: Number(row['parent']),
    kind: row['kind'] as RunRecord['kind'],
    name: String(row['name']),
    type: row['type'] as State['type'] | '',
    state: String(row['state']),
    message: text(row['message']),
    dueAtMs: optional(row['due_ms']),
    sinceMs: Number(row['since_ms']),
    version: Number(row['version']),
    attempt: Number(row['attempt']),
    retriesUsed: Number(row['retries_used']),
    resumes: Number(row['resumes']),
    retriesMax: Number(row['retries_max']),
    priority: Number(row['priority']),
    execution: Number(row['execution']),
    session: text(row['session']),
    actor: Number(row['actor']),
    createdMs: Number(row['created_ms']),
    startedMs: optional(row['started_ms']),
    endedMs: optional(row['ended_ms']),
    slots: slots === undefined ? NO_SLOTS : (JSON.parse(slots) as SlotWish[]),
    created: { seq: Number(row['created_seq']), index: Number(row['created_idx']) },
    moved: { seq: Number(row['moved_seq']), index: Number(row['moved_idx']) },
    rulings: Number(row['rulings']),
    rejected: Number(row['rejected']),
    resuming: row['resuming'] === 1,
    expectedMs: Number(row['expected_ms']),
    runMs: Number(row['run_ms']),
    tags: tags === undefined ? undefined : (JSON.parse(tags) as string[]),
    deployment: text(row['deployment']),
    title: text(row['title']),
    startedBy: text(row['started_by']) as RunId | undefined,
    inputs: { seq: Number(row['inputs_seq']), index: Number(row['inputs_idx']) },
    stored: true,
    dirty: false,
  };
}
