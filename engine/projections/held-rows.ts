/**
 * What is scarce and who waits for it: held proposals, limits, slots. All of it is in memory, since it is what moves,
 * and written through.
 */
import { later, type EpochMs, type RunId } from '../../protocol/ids.ts';
import {
  ownLimitSlots,
  type LimitSet,
  type OnFull,
  type SlotWish,
  type TransitionProposal,
} from '../../protocol/proposals.ts';
import type { Position, Waits } from '../../protocol/rulings.ts';
import type { StateType } from '../../protocol/states.ts';
import { Expiries, idleAtMs } from '../fold/expiries.ts';
import { limitsAfter } from '../fold/limits.ts';
import { limitKey, type Limit as FoldedLimit } from '../fold/workspace.ts';
import type { RunRecord } from './run-records.ts';
import type { Bound, Row, ViewFile } from './view-file.ts';

type Held = {
  readonly id: string;
  readonly runId: string;
  readonly run: number;
  readonly root: number;
  readonly actor: number;
  readonly to: StateType;
  readonly execution: number | undefined;
  readonly waits: Waits;
  readonly sinceMs: number;
  readonly priority: number;
  /** Where it was held first, and last. */
  readonly at: Position;
  readonly last: Position;
};

type SlotChange = {
  readonly run: number;
  readonly taken: readonly SlotWish[];
  readonly given: readonly SlotWish[];
  readonly atMs: number;
};

/** A limit, or what one key holds of it. */
type Limit = FoldedLimit & { readonly limit: string; readonly by?: string };

export class HeldRows {
  readonly #file: ViewFile;
  readonly #held = new Map<string, Held>();
  /** Root to the ids of what is held under it. */
  readonly #under = new Map<number, Set<string>>();
  /** Root to the runs under it that hold slots: their numbers and ids. */
  readonly #holders = new Map<number, Map<number, RunId>>();
  readonly #limits = new Map<string, Limit>();
  readonly #idle = new Expiries((key) => {
    const row = this.#limits.get(key);
    return row === undefined ? undefined : idleAtMs(row);
  });
  /** Those that have a row. */
  readonly #stored = new Set<string>();
  readonly #dirtyHeld = new Set<string>();
  readonly #dirtyLimits = new Set<string>();
  #slotChanges: SlotChange[] = [];

  constructor(file: ViewFile) {
    this.#file = file;
    for (const row of file.all('SELECT held.*, runs.id AS run_id FROM held JOIN runs ON runs.num = held.run')) {
      this.#place({
        id: String(row['id']),
        runId: String(row['run_id']),
        run: Number(row['run']),
        root: Number(row['root']),
        actor: Number(row['actor']),
        to: row['to_type'] as StateType,
        execution: row['execution'] === null ? undefined : Number(row['execution']),
        waits: JSON.parse(String(row['waits'])) as Waits,
        sinceMs: Number(row['since_ms']),
        priority: Number(row['priority']),
        at: { seq: Number(row['seq']), index: Number(row['idx']) },
        last: { seq: Number(row['last_seq']), index: Number(row['last_idx']) },
      });
      this.#stored.add(String(row['id']));
    }
    const holders = file.all('SELECT runs.num, runs.id, runs.root FROM slots JOIN runs ON runs.num = slots.run');
    for (const { num, id, root } of holders) this.#holds(Number(root), Number(num), id as RunId);
    for (const row of file.all('SELECT * FROM limits')) {
      this.#limits.set(String(row['name']), limitOf(row));
      this.#idle.note(String(row['name']));
    }
  }

  park(
    run: RunRecord,
    proposal: TransitionProposal,
    held: { readonly waits: Waits; readonly atMs: number; readonly at: Position; readonly actor: number },
  ): void {
    const { id, to, execution } = proposal;
    const { waits, atMs, at, actor } = held;
    const before = this.#held.get(id);
    this.#place({
      id,
      runId: run.id,
      run: run.num,
      root: run.root,
      actor,
      to: to.type,
      execution,
      waits,
      sinceMs: before?.sinceMs ?? atMs,
      priority: run.priority,
      at: before?.at ?? at,
      last: at,
    });
    this.#dirtyHeld.add(id);
  }

  /** Since when it waited; undefined if it did not. */
  forget(id: string): number | undefined {
    const held = this.#held.get(id);
    if (held === undefined) return undefined;
    this.#held.delete(id);
    const siblings = this.#under.get(held.root);
    siblings?.delete(id);
    if (siblings?.size === 0) this.#under.delete(held.root);
    this.#dirtyHeld.add(id);
    return held.sinceMs;
  }

  /** Nobody waits for these any more: the flow run has ended, or goes on in another execution. */
  withdraw(flow: RunRecord, gone: 'ALL_UNDER' | 'OTHER_EXECUTIONS'): void {
    for (const id of [...(this.#under.get(flow.root) ?? [])]) {
      const held = this.#held.get(id);
      if (held === undefined) continue;
      const isFlow = held.run === flow.num;
      const isUnder = held.runId.startsWith(`${flow.id}.`);
      if (gone === 'ALL_UNDER' ? isFlow || isUnder : !isFlow && held.execution !== flow.execution) this.forget(id);
    }
  }

  withdrawSession(session: string): void {
    for (const id of [...this.#held.keys()]) if (id.startsWith(`${session}:`)) this.forget(id);
  }

  setLimit(event: LimitSet, atMs: EpochMs): void {
    for (const [key, row] of limitsAfter(this.#limits, event, atMs)) {
      const by = this.#limits.get(key)?.by;
      const named = { limit: event.limit, ...(by === undefined ? {} : { by }) };
      this.#put(key, row === undefined ? undefined : { ...row, ...named });
    }
  }

  /** It goes when its last slot is given back. */
  removeLimit(limit: string): void {
    const used = this.#limits.get(limit)?.used ?? 0;
    this.#put(limit, used === 0 ? undefined : { limit, used });
  }

  /** Takes slots of a rate limit, which come back by time; false if it is none. */
  takeRate(wish: SlotWish, atMs: number): boolean {
    const key = limitKey(wish);
    const own = this.#limits.get(key);
    const everyMs = own?.everyMs ?? this.#limits.get(wish.limit)?.everyMs;
    if (everyMs === undefined) return false;
    const row = own ?? rowFor(wish);
    this.#put(key, { ...row, emptyAtMs: later(Math.max(atMs, row.emptyAtMs ?? 0) as EpochMs, wish.slots * everyMs) });
    return true;
  }

  #put(key: string, limit: Limit | undefined): void {
    if (limit === undefined) this.#limits.delete(key);
    else this.#limits.set(key, limit);
    this.#dirtyLimits.add(key);
    this.#idle.note(key);
  }

  /** As in the fold, with each ruling. */
  dropIdle(nowMs: EpochMs): void {
    for (const key of this.#idle.due(nowMs)) this.#put(key, undefined);
  }

  /** A run gives its slots back and takes others. */
  exchange(run: RunRecord, taken: readonly SlotWish[], atMs: number): void {
    const given = run.slots;
    if (given === taken) return;
    for (const wish of given) this.#change(wish, -wish.slots);
    for (const wish of taken) this.#change(wish, wish.slots);
    this.#slotChanges.push({ run: run.num, taken, given, atMs });
    if (taken.length > 0) {
      this.#holds(run.root, run.num, run.id);
      return;
    }
    const holders = this.#holders.get(run.root);
    holders?.delete(run.num);
    if (holders?.size === 0) this.#holders.delete(run.root);
  }

  /** The runs under a flow run that hold slots. */
  holdersUnder(flow: RunRecord): RunId[] {
    const holders = [...(this.#holders.get(flow.root)?.values() ?? [])];
    return holders.filter((id) => id.startsWith(`${flow.id}.`));
  }

  #holds(root: number, num: number, id: RunId): void {
    const holders = this.#holders.get(root);
    if (holders === undefined) this.#holders.set(root, new Map([[num, id]]));
    else holders.set(num, id);
  }

  #change(wish: SlotWish, by: number): void {
    const key = limitKey(wish);
    const limit = this.#limits.get(key) ?? (this.#isBounded(wish) ? rowFor(wish) : undefined);
    if (limit === undefined) return;
    const used = limit.used + by;
    const isNeeded = limit.slotsMax !== undefined || limit.emptyAtMs !== undefined;
    this.#put(key, used === 0 && !isNeeded ? undefined : { ...limit, used });
  }

  #isBounded({ limit }: SlotWish): boolean {
    return ownLimitSlots(limit) !== undefined || this.#limits.has(limit);
  }

  #place(held: Held): void {
    this.#held.set(held.id, held);
    const siblings = this.#under.get(held.root);
    if (siblings === undefined) this.#under.set(held.root, new Set([held.id]));
    else siblings.add(held.id);
  }

  /** Within a transaction. */
  write(): void {
    for (const id of this.#dirtyHeld) this.#writeHeld(id);
    const put = this.#file.prepare('INSERT OR REPLACE INTO limits VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
    const drop = this.#file.prepare('DELETE FROM limits WHERE name = ?');
    for (const name of this.#dirtyLimits) {
      const limit = this.#limits.get(name);
      if (limit === undefined) drop.run(name);
      else put.run(name, ...columnsOf(limit));
    }
    const give = this.#file.prepare('DELETE FROM slots WHERE name = ? AND run = ?');
    const take = this.#file.prepare(TAKE);
    for (const { run, taken, given, atMs } of this.#slotChanges) {
      // What it keeps, it has since it took it.
      const keys = new Set(taken.map(limitKey));
      for (const wish of given) if (!keys.has(limitKey(wish))) give.run(limitKey(wish), run);
      for (const wish of taken) take.run(limitKey(wish), run, wish.slots, atMs);
    }
  }

  #writeHeld(id: string): void {
    const held = this.#held.get(id);
    // Most wait for less than a batch: they never had a row.
    if (this.#stored.delete(id)) {
      this.#file.prepare('DELETE FROM held WHERE id = ?').run(id);
      this.#file.prepare('DELETE FROM waiting_for WHERE id = ?').run(id);
    }
    if (held === undefined) return;
    this.#stored.add(id);
    const { run, root, actor, to, execution, waits, sinceMs, priority, at, last } = held;
    const insert = this.#file.prepare('INSERT INTO held VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
    const places = [at.seq, at.index, last.seq, last.index];
    insert.run(id, run, root, actor, to, execution ?? null, JSON.stringify(waits), sinceMs, priority, ...places);
    if (waits.type !== 'SLOTS') return;
    const wait = this.#file.prepare('INSERT OR REPLACE INTO waiting_for VALUES (?, ?)');
    for (const wish of waits.limits) wait.run(id, limitKey(wish));
  }

  /** After the transaction. */
  written(): void {
    this.#dirtyHeld.clear();
    this.#dirtyLimits.clear();
    this.#slotChanges = [];
  }
}

const TAKE = 'INSERT INTO slots VALUES (?, ?, ?, ?) ON CONFLICT (name, run) DO UPDATE SET slots = excluded.slots';

const rowFor = ({ limit, by }: SlotWish): Limit => ({ limit, ...(by === undefined ? {} : { by }), used: 0 });

const columnsOf = ({ limit, by, slotsMax, used, onFull, everyMs, emptyAtMs }: Limit): Bound[] => [
  limit,
  by ?? null,
  slotsMax ?? null,
  used,
  onFull ?? null,
  everyMs ?? null,
  emptyAtMs ?? null,
];

const limitOf = (row: Row): Limit => ({
  limit: String(row['lim']),
  ...(row['by_key'] === null ? {} : { by: String(row['by_key']) }),
  ...(row['slots_max'] === null ? {} : { slotsMax: Number(row['slots_max']) }),
  used: Number(row['used']),
  ...(row['on_full'] === null ? {} : { onFull: row['on_full'] as OnFull }),
  ...(row['every_ms'] === null ? {} : { everyMs: Number(row['every_ms']) }),
  ...(row['empty_at_ms'] === null ? {} : { emptyAtMs: Number(row['empty_at_ms']) as EpochMs }),
});
