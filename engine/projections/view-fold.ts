/**
 * Folds the ledger into rows. What is kept in memory between two commits is what those rows will be.
 *
 * P1 It means what engine/fold means (test/projections/agreement.test.ts holds the two against each other); it keeps
 *    less, because nobody is judged by it.
 * P2 A run that was asked for and never started has a row too, without a state: the rules hold it or refused it.
 * P3 After a commit the file is true for the head that was given; after a failed one this object is of no use any more.
 */
import type { Digest, EpochMs, RunId } from '../../protocol/ids.ts';
import {
  ENGINE,
  parentId,
  type Proposal,
  type TransitionProposal,
  type WorkspaceEvent,
} from '../../protocol/proposals.ts';
import { decidingEntry, stateAfter, type Entry, type Position, type Ruling } from '../../protocol/rulings.ts';
import type { Segment } from '../../protocol/segment.ts';
import { isTerminal, type State } from '../../protocol/states.ts';
import { slotsKept } from '../fold/limits.ts';
import { WorkspaceRows } from './workspace-rows.ts';
import { HeldRows } from './held-rows.ts';
import { RuleCounts } from './rule-counts.ts';
import { ShadowRows } from './shadow-rows.ts';
import { advance, holdsSlots, isReuse } from './run-moves.ts';
import { kindOf, NO_SLOTS, RunRecords, type RunRecord } from './run-records.ts';
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
  readonly #ruleCounts: RuleCounts;
  readonly #shadows: ShadowRows;
  readonly #workspace: WorkspaceRows;
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
    this.#ruleCounts = new RuleCounts(file);
    this.#shadows = new ShadowRows(file);
    this.#workspace = new WorkspaceRows(file);
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
        policy = policyPut(entry) ?? policy;
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
    this.#held.dropIdle(ruling.atMs);
    const heldMs = ruling.heldAt === undefined || outcome === 'held' ? undefined : this.#held.forget(proposal.id);
    const waitedMs = heldMs === undefined ? null : ruling.atMs - heldMs;
    if (proposal.kind === 'workspace') {
      this.#ruleCounts.add('workspace', ruling);
      if (outcome !== 'rejected') this.#event(proposal.event, proposal, { atMs: ruling.atMs, at });
      const what = this.#file.numberOf(proposal.event.type);
      this.#rulings.push([0, at.seq, at.index, 0, ruling.atMs, outcomeNumber, code, actor, 0, what, rule, null]);
      return;
    }
    const run = this.#runs.of(proposal.run);
    const from = this.#file.numberOf(run.state);
    const state = stateAfter(ruling);
    this.#introduce(run, proposal, { atMs: ruling.atMs, actor, at });
    this.#ruleCounts.add(kindOf(run), ruling);
    if (ruling.shadow !== undefined) this.#shadows.add(run.root, ruling, at);
    if (state !== undefined) this.#move(run, ruling, proposal, state, at);
    else if (outcome === 'held' && ruling.waits !== undefined) {
      this.#held.park(run, proposal, { waits: ruling.waits, atMs: ruling.atMs, at, actor });
    }
    if (outcome === 'accepted' && proposal.carries !== undefined) {
      this.#event(proposal.carries, proposal, { atMs: ruling.atMs, at });
    }
    if (proposal.inputs !== undefined) run.inputs = at;
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

  /** `proposal` is the one that is the event, or that carries it. */
  #event(
    event: WorkspaceEvent,
    proposal: Proposal,
    { atMs, at }: { readonly atMs: number; readonly at: Position },
  ): void {
    switch (event.type) {
      case 'LIMIT_SET':
        this.#held.setLimit(event, atMs as EpochMs);
        break;
      case 'LIMIT_REMOVED':
        this.#held.removeLimit(event.limit);
        break;
      case 'SESSION_CLOSED':
        this.#held.withdrawSession(event.session);
        this.#sessions.closed(event.session, atMs);
        break;
      case 'ARTIFACT_MADE':
      case 'HOOK_RAN':
      case 'VARIABLE_SET':
      case 'VARIABLE_REMOVED':
        this.#workspace.take(event, proposal, { atMs, at });
        break;
      case 'MESSAGE_SENT':
      case 'EVENT_EMITTED':
      case 'POLICY_SET':
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
    run.tags = create.tags;
    run.deployment = create.deployment;
    run.title = create.title;
    run.startedBy = create.startedBy;
  }

  #move(run: RunRecord, ruling: Ruling, proposal: TransitionProposal, state: State, at: Position): void {
    if (run.version === 0 && proposal.create === undefined) return;
    const { type: fromType, execution: executionBefore } = run;
    if (run.version === 0) run.expectedMs = state.type === 'SCHEDULED' ? state.dueAtMs : ruling.atMs;
    const taken = this.#slotsAfter(run, state, ruling);
    this.#held.exchange(run, taken, ruling.atMs);
    run.slots = taken;
    run.version = ruling.version;
    if (fromType === 'RUNNING') run.runMs += ruling.atMs - run.sinceMs;
    const isSame = isReuse(run, ruling, proposal, state);
    if (!isSame) {
      advance(run, ruling, proposal, state);
      run.sinceMs = ruling.atMs;
      run.moved = at;
    }
    run.type = state.type;
    run.state = state.name;
    run.message = state.message;
    run.dueAtMs = state.type === 'SCHEDULED' || state.type === 'PENDING' ? state.dueAtMs : undefined;
    this.#runs.moved(run, fromType, state.type);
    this.#runs.touch(run);
    if (run.kind === 'task' && run.parent !== 0) return;
    const wentOn = fromType !== '' && run.execution !== executionBefore;
    if (wentOn) this.#releaseUnder(run, state, ruling.atMs);
    if (isTerminal(state)) this.#held.withdraw(run, 'ALL_UNDER');
    else if (wentOn) this.#held.withdraw(run, 'OTHER_EXECUTIONS');
  }

  /** A run keeps its slots while a process may be at work on it. Of a rate limit it holds none: those come back by time. */
  #slotsAfter(run: RunRecord, state: State, ruling: Ruling): RunRecord['slots'] {
    if (state.type === 'CANCELLING') return run.slots;
    if (!holdsSlots(state)) return NO_SLOTS;
    const claimed = ruling.claims?.find((claim) => claim.type === 'SLOTS')?.slots ?? NO_SLOTS;
    const held = claimed.filter((wish) => !this.#held.takeRate(wish, ruling.atMs));
    return held.length === 0 ? NO_SLOTS : held;
  }

  /** What the calls of a fenced execution hold is given back at once. */
  #releaseUnder(flow: RunRecord, state: State, atMs: number): void {
    for (const id of this.#held.holdersUnder(flow)) {
      const run = this.#runs.of(id);
      if (!this.#isOpenUnder(flow, run)) continue;
      const kept = slotsKept(run.slots, state);
      if (kept.length === run.slots.length) continue;
      this.#held.exchange(run, kept, atMs);
      run.slots = kept;
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
      this.#ruleCounts.write();
      this.#shadows.write();
      this.#workspace.write();
    });
    this.#segments = [];
    this.#voids = [];
    this.#epochs = [];
    this.#rulings = [];
    this.#counts.clear();
    this.#runs.written();
    this.#held.written();
    this.#sessions.written();
    this.#ruleCounts.written();
    this.#shadows.written();
    this.#workspace.written();
  }
}

/** The policy that a ruling puts in force. */
const policyPut = ({ proposal, outcome }: Ruling): Digest | undefined =>
  proposal.kind === 'workspace' && proposal.event.type === 'POLICY_SET' && outcome === 'accepted'
    ? proposal.event.policy
    : undefined;

const ADD_COUNT =
  'INSERT INTO counters VALUES (?, ?, ?, ?) ON CONFLICT (outcome, rule, code) DO UPDATE SET count = count + excluded.count';

/** The engine's proposers are told apart: their names are its own. */
const actorOf = ({ by, onBehalfOf }: Proposal): string =>
  by === ENGINE && onBehalfOf !== undefined ? `${by}/${onBehalfOf}` : by;
