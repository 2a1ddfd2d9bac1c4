/**
 * Folds the ledger into rows. What is kept in memory between two commits is what those rows will be.
 *
 * P1 It means what engine/fold means (test/projections/agreement.test.ts holds the two against each other); it keeps
 *    less, because nobody is judged by it.
 * P2 A run that was asked for and never started has a row too, without a state: the rules hold it or refused it.
 * P3 After a commit the file is true for the head that was given; after a failed one this object is of no use any more.
 */
import type { RunId } from '../../protocol/ids.ts';
import { ENGINE, parentId, sessionOf, type Proposal, type TransitionProposal } from '../../protocol/proposals.ts';
import { decidingEntry, stateAfter, type Entry, type Position, type Ruling } from '../../protocol/rulings.ts';
import type { Segment } from '../../protocol/segment.ts';
import { isTerminal, type State } from '../../protocol/states.ts';
import { HeldRows } from './held-rows.ts';
import { NO_SLOTS, RunRecords, type RunRecord } from './run-records.ts';
import { SessionRows } from './session-rows.ts';
import type { Bound, ViewFile, ViewHead } from './view-file.ts';

type RulingColumns = [
  root: number,
  seq: number,
  idx: number,
  run: number,
  atMs: number,
  outcome: number,
  code: number,
  actor: number,
  from: number,
  to: number,
  rule: number,
  waitedMs: number | null,
];

export class ViewFold {
  readonly #file: ViewFile;
  readonly #runs: RunRecords;
  readonly #held: HeldRows;
  readonly #sessions: SessionRows;
  #rulings: RulingColumns[] = [];
  #segments: [seq: number, hash: Uint8Array, entries: number][] = [];
  #voids: number[] = [];
  #epochs: [epoch: number, seq: number, atMs: number, policy: string][] = [];
  readonly #counts = new Map<string, [outcome: number, rule: number, code: number, count: number]>();
  #head: ViewHead;

  constructor(file: ViewFile) {
    this.#file = file;
    this.#runs = new RunRecords(file);
    this.#held = new HeldRows(file);
    this.#sessions = new SessionRows(file);
    this.#head = file.head;
  }

  /** Rulings that are not written yet. */
  get pending(): number {
    return this.#rulings.length;
  }

  get hasPending(): boolean {
    return this.#segments.length > 0 || this.#voids.length > 0;
  }

  /** A counted segment. `wallMs`: the time of day, if the segment has just been written. */
  take(segment: Segment, seq: number, wallMs: number): void {
    const { header, hash, lines } = segment;
    const rulings = this.#head.rulings;
    let { timeMs, policy } = this.#head;
    let ruled = 0;
    lines.forEach((line, index) => {
      const entry = JSON.parse(line) as Entry;
      timeMs = entry.atMs;
      if (entry.type === 'RULING') {
        ruled += 1;
        this.#rule(entry, { seq, index });
      } else if (entry.type === 'EPOCH') {
        policy = entry.policy;
        this.#epochs.push([entry.epoch, seq, entry.atMs, entry.policy]);
      }
    });
    this.#segments.push([seq, Buffer.from(hash, 'hex'), lines.length]);
    this.#head = {
      head: { seq, hash },
      epoch: header.epoch,
      policy: policy,
      timeMs,
      wallMs,
      rulings: rulings + ruled,
      segments: this.#head.segments + 1,
    };
  }

  /** A segment that does not count. */
  skip(seq: number): void {
    this.#voids.push(seq);
  }

  #rule(ruling: Ruling, at: Position): void {
    const { proposal, outcome } = ruling;
    const actor = this.#file.numberOf(actorOf(proposal));
    const deciding = outcome === 'accepted' ? undefined : decidingEntry(ruling.trail);
    const code = this.#file.numberOf(deciding?.code);
    const rule = this.#file.numberOf(deciding?.rule);
    const outcomeNumber = this.#file.numberOf(outcome);
    this.#count(outcomeNumber, rule, code);
    this.#sessions.heard(proposal, ruling.atMs);
    const heldMs = ruling.heldAt === undefined || outcome === 'held' ? undefined : this.#held.forget(proposal.id);
    const waitedMs = heldMs === undefined ? null : ruling.atMs - heldMs;
    if (proposal.kind === 'workspace') {
      if (outcome !== 'rejected') this.#event(proposal, ruling.atMs);
      const what = this.#file.numberOf(proposal.event.type);
      this.#rulings.push([0, at.seq, at.index, 0, ruling.atMs, outcomeNumber, code, actor, 0, what, rule, null]);
      return;
    }
    const run = this.#runs.of(proposal.run);
    const from = this.#file.numberOf(run.state);
    const state = stateAfter(ruling);
    this.#introduce(run, proposal, { atMs: ruling.atMs, actor, at });
    if (state !== undefined) this.#move(run, ruling, proposal, state, at);
    else if (outcome === 'held' && ruling.waits !== undefined) {
      this.#held.park(run, proposal, { waits: ruling.waits, atMs: ruling.atMs, at, actor });
    }
    run.rulings += 1;
    if (outcome === 'rejected') run.rejected += 1;
    this.#runs.touch(run);
    const to = this.#file.numberOf((state ?? proposal.to).name);
    this.#rulings.push([
      run.root,
      at.seq,
      at.index,
      run.num,
      ruling.atMs,
      outcomeNumber,
      code,
      actor,
      from,
      to,
      rule,
      waitedMs,
    ]);
  }

  #count(outcome: number, rule: number, code: number): void {
    const key = `${String(outcome)} ${String(rule)} ${String(code)}`;
    const known = this.#counts.get(key);
    if (known === undefined) this.#counts.set(key, [outcome, rule, code, 1]);
    else known[3] += 1;
  }

  #event({ event }: Extract<Proposal, { kind: 'workspace' }>, atMs: number): void {
    switch (event.type) {
      case 'LIMIT_SET':
        this.#held.setLimit(event.limit, event.slotsMax);
        break;
      case 'LIMIT_REMOVED':
        this.#held.setLimit(event.limit, undefined);
        break;
      case 'SESSION_CLOSED':
        this.#held.withdrawSession(event.session);
        this.#sessions.closed(event.session, atMs);
        break;
      case 'UNREADABLE':
        break;
    }
  }

  /** What is said about a run until it first moves; the definition that stands is the one it moved with. */
  #introduce(
    run: RunRecord,
    { create }: TransitionProposal,
    { atMs, actor, at }: { readonly atMs: number; readonly actor: number; readonly at: Position },
  ): void {
    if (run.version > 0 || (create === undefined && run.createdMs > 0)) return;
    if (run.createdMs === 0) {
      run.createdMs = atMs;
      run.sinceMs = atMs;
      run.actor = actor;
    }
    run.created = at;
    if (create === undefined) return;
    run.kind = create.kind;
    run.name = create.name;
    run.retriesMax = create.retry?.retriesMax ?? 0;
    run.priority = create.priority ?? 0;
  }

  #move(run: RunRecord, ruling: Ruling, proposal: TransitionProposal, state: State, at: Position): void {
    if (run.version === 0 && proposal.create === undefined) return;
    const fromType = run.type;
    const executionBefore = run.execution;
    const taken = slotsAfter(run, state, ruling);
    this.#held.exchange(run, taken);
    run.slots = taken;
    run.version = ruling.version;
    run.type = state.type;
    run.state = state.name;
    run.message = state.message;
    run.dueAtMs = state.type === 'SCHEDULED' ? state.dueAtMs : undefined;
    // A reuse: the run stays as it ended, and when it did.
    const isReuse = isTerminal(fromType === '' ? undefined : { type: fromType }) && state.type !== 'RUNNING';
    if (!isReuse) {
      run.sinceMs = ruling.atMs;
      run.moved = at;
    }
    if (state.type === 'RUNNING') enter(run, ruling, proposal);
    else if (!isReuse) leave(run, ruling, proposal, fromType);
    this.#runs.touch(run);
    if (run.kind !== 'flow') return;
    const wentOn = fromType !== '' && run.execution !== executionBefore;
    if (wentOn) this.#releaseUnder(run);
    if (isTerminal(state)) this.#held.withdraw(run, 'ALL_UNDER');
    else if (wentOn) this.#held.withdraw(run, 'OTHER_EXECUTIONS');
  }

  /** What the calls of a fenced execution hold is given back at once. */
  #releaseUnder(flow: RunRecord): void {
    for (const id of this.#held.holdersUnder(flow)) {
      const run = this.#runs.of(id);
      if (!this.#isOpenUnder(flow, run)) continue;
      this.#held.exchange(run, NO_SLOTS);
      run.slots = NO_SLOTS;
      this.#runs.touch(run);
    }
  }

  /** Neither it nor what called it, up to the flow run, has ended. */
  #isOpenUnder(flow: RunRecord, run: RunRecord): boolean {
    for (let at = run; at.num !== flow.num; at = this.#runs.of(parentId(at.id) as RunId)) {
      if (at.endedMs !== undefined) return false;
    }
    return true;
  }

  /** Writes everything since the last commit. */
  commit(): void {
    const insert = (sql: string, rows: readonly (readonly Bound[])[]): void => {
      const statement = this.#file.prepare(sql);
      for (const row of rows) statement.run(...row);
    };
    this.#file.commit(this.#head, () => {
      insert('INSERT INTO segments VALUES (?, ?, ?)', this.#segments);
      insert(
        'INSERT OR IGNORE INTO voids VALUES (?)',
        this.#voids.map((seq) => [seq]),
      );
      insert('INSERT OR REPLACE INTO epochs VALUES (?, ?, ?, ?)', this.#epochs);
      insert('INSERT INTO rulings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)', this.#rulings);
      insert(ADD_COUNT, [...this.#counts.values()]);
      this.#runs.write();
      this.#held.write();
      this.#sessions.write();
    });
    this.#segments = [];
    this.#voids = [];
    this.#epochs = [];
    this.#rulings = [];
    this.#counts.clear();
    this.#runs.written();
    this.#held.written();
    this.#sessions.written();
  }
}

const ADD_COUNT =
  'INSERT INTO counters VALUES (?, ?, ?, ?) ON CONFLICT (outcome, rule, code) DO UPDATE SET count = count + excluded.count';

/** The engine's proposers are told apart: their names are its own. */
const actorOf = ({ by, onBehalfOf }: Proposal): string =>
  by === ENGINE && onBehalfOf !== undefined ? `${by}/${onBehalfOf}` : by;

function slotsAfter(run: RunRecord, state: State, ruling: Ruling): RunRecord['slots'] {
  if (state.type === 'CANCELLING') return run.slots;
  if (state.type !== 'RUNNING') return NO_SLOTS;
  return ruling.claims?.find((claim) => claim.type === 'SLOTS')?.slots ?? NO_SLOTS;
}

function enter(run: RunRecord, ruling: Ruling, proposal: TransitionProposal): void {
  run.endedMs = undefined;
  run.attempt += 1;
  run.startedMs ??= ruling.atMs;
  if (ruling.execution === undefined) return;
  run.execution = ruling.execution;
  run.session = sessionOf(proposal.id)?.session ?? run.session;
}

function leave(run: RunRecord, ruling: Ruling, proposal: TransitionProposal, fromType: RunRecord['type']): void {
  const { to, by } = proposal;
  const again = run.type === 'SCHEDULED' && ruling.outcome === 'rewritten';
  const isOwn = run.kind === 'flow' && run.parent === 0;
  const isTaken = to.type === 'CRASHED' || (by === ENGINE && to.type === 'CANCELLED');
  const fenced = isOwn && run.execution > 0 && isTaken;
  if (again && fenced) {
    run.session = undefined;
    run.resumes += 1;
  } else if (again && fromType === 'RUNNING') run.retriesUsed += 1;
  if (fenced) run.execution += 1;
  if (run.type !== '' && isTerminal({ type: run.type })) run.endedMs = ruling.atMs;
}
