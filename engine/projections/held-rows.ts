/**
 * What is scarce and who waits for it: held proposals, limits, slots. All of it is in memory, since it is what moves,
 * and written through.
 */
import type { RunId } from '../../protocol/ids.ts';
import type { SlotWish, TransitionProposal } from '../../protocol/proposals.ts';
import type { Position, Waits } from '../../protocol/rulings.ts';
import type { StateType } from '../../protocol/states.ts';
import type { RunRecord } from './run-records.ts';
import type { ViewFile } from './view-file.ts';

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
  readonly at: Position;
};

type Limit = { readonly slotsMax: number | undefined; readonly used: number };

export class HeldRows {
  readonly #file: ViewFile;
  readonly #held = new Map<string, Held>();
  /** Root to the ids of what is held under it. */
  readonly #under = new Map<number, Set<string>>();
  /** Root to the runs under it that hold slots: their numbers and ids. */
  readonly #holders = new Map<number, Map<number, RunId>>();
  readonly #limits = new Map<string, Limit>();
  /** Those that have a row. */
  readonly #stored = new Set<string>();
  readonly #dirtyHeld = new Set<string>();
  readonly #dirtyLimits = new Set<string>();
  #slotChanges: { readonly run: number; readonly taken: readonly SlotWish[]; readonly given: readonly SlotWish[] }[] =
    [];

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
      });
      this.#stored.add(String(row['id']));
    }
    const holders = file.all('SELECT runs.num, runs.id, runs.root FROM slots JOIN runs ON runs.num = slots.run');
    for (const { num, id, root } of holders) this.#holds(Number(root), Number(num), id as RunId);
    for (const row of file.all('SELECT * FROM limits')) {
      const slotsMax = row['slots_max'] === null ? undefined : Number(row['slots_max']);
      this.#limits.set(String(row['name']), { slotsMax, used: Number(row['used']) });
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

  setLimit(name: string, slotsMax: number | undefined): void {
    const used = this.#limits.get(name)?.used ?? 0;
    if (slotsMax === undefined && used === 0) this.#limits.delete(name);
    else this.#limits.set(name, { slotsMax, used });
    this.#dirtyLimits.add(name);
  }

  /** A run gives its slots back and takes others. */
  exchange(run: RunRecord, taken: readonly SlotWish[]): void {
    const given = run.slots;
    if (given === taken) return;
    for (const { limit, slots } of given) this.#change(limit, -slots);
    for (const { limit, slots } of taken) this.#change(limit, slots);
    this.#slotChanges.push({ run: run.num, taken, given });
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

  #change(name: string, by: number): void {
    const limit = this.#limits.get(name);
    if (limit === undefined) return;
    const used = limit.used + by;
    if (used === 0 && limit.slotsMax === undefined) this.#limits.delete(name);
    else this.#limits.set(name, { ...limit, used });
    this.#dirtyLimits.add(name);
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
    const put = this.#file.prepare('INSERT OR REPLACE INTO limits VALUES (?, ?, ?)');
    const drop = this.#file.prepare('DELETE FROM limits WHERE name = ?');
    for (const name of this.#dirtyLimits) {
      const limit = this.#limits.get(name);
      if (limit === undefined) drop.run(name);
      else put.run(name, limit.slotsMax ?? null, limit.used);
    }
    const give = this.#file.prepare('DELETE FROM slots WHERE name = ? AND run = ?');
    const take = this.#file.prepare('INSERT OR REPLACE INTO slots VALUES (?, ?, ?)');
    for (const { run, taken, given } of this.#slotChanges) {
      for (const { limit } of given) give.run(limit, run);
      for (const { limit, slots } of taken) take.run(limit, run, slots);
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
    const { run, root, actor, to, execution, waits, sinceMs, priority, at } = held;
    const insert = this.#file.prepare('INSERT INTO held VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
    insert.run(id, run, root, actor, to, execution ?? null, JSON.stringify(waits), sinceMs, priority, at.seq, at.index);
    if (waits.type !== 'SLOTS') return;
    const wait = this.#file.prepare('INSERT OR REPLACE INTO waiting_for VALUES (?, ?)');
    for (const { limit } of waits.limits) wait.run(id, limit);
  }

  /** After the transaction. */
  written(): void {
    this.#dirtyHeld.clear();
    this.#dirtyLimits.clear();
    this.#slotChanges = [];
  }
}
