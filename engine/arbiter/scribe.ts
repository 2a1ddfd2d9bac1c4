/**
 * Writes segments: collects the rulings of a tick, keeps a few segments in flight, and knows what is settled.
 *
 * P1 A segment is settled when it and all before it of this incarnation have an OK with exactly the expected sequence.
 * P2 The first answer that is anything else ends the incarnation: nothing is published or settled after it.
 * P3 What an unsettled segment changed in the workspace can be undone, newest first.
 */
import type { Digest } from '../../protocol/ids.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { encodeEntry, encodeSegment } from '../../protocol/segment.ts';
import type { Entry, Position } from '../../protocol/rulings.ts';
import { evolve, sealSegment } from '../fold/evolve.ts';
import { undo, type Journal } from '../fold/table.ts';
import type { Workspace } from '../fold/workspace.ts';
import type { AppendOutcome, Log } from '../log/port.ts';

/** A segment whose rulings are settled: what to carry out, and what it changed. */
export type Settled<Effect> = {
  readonly seq: number;
  readonly hash: Digest;
  readonly effects: readonly Effect[];
  readonly entries: readonly Entry[];
  /** The entries' bytes, as they are stored. */
  readonly lines: readonly string[];
  readonly journal: Journal;
  /** Up to where PROPOSALS is ruled on with it. */
  readonly position: number;
};

type Flying<Effect> = Settled<Effect> & { outcome: AppendOutcome | undefined };

export type ScribeOptions<Effect> = {
  readonly ledger: Log;
  readonly workspace: Workspace;
  readonly epoch: number;
  readonly writer: string;
  /** The last sequence of the ledger, void segments included. */
  readonly last: number;
  /** Segments in flight at once; default `LIMITS.segmentsInFlightMax`. */
  readonly inFlightMax?: number;
  readonly settled: (segment: Settled<Effect>) => void;
  /** Called once; the incarnation is over. */
  readonly failed: (outcome: AppendOutcome) => void;
};

export class Scribe<Effect> {
  readonly #options: ScribeOptions<Effect>;
  #lines: string[] = [];
  #entries: Entry[] = [];
  #effects: Effect[] = [];
  #journal: Journal = [];
  #bytes = 0;
  #number = 0;
  #expectedLast: number;
  #flying: Flying<Effect>[] = [];
  #over = false;

  constructor(options: ScribeOptions<Effect>) {
    this.#options = options;
    this.#expectedLast = options.last;
    options.workspace.recorder.journal = this.#journal;
  }

  get inFlight(): number {
    return this.#flying.length;
  }

  /** Whether another ruling may be made: segments in flight are few, and the open one is not full. */
  get hasRoom(): boolean {
    return !this.#over && this.#flying.length < (this.#options.inFlightMax ?? LIMITS.segmentsInFlightMax);
  }

  get isFull(): boolean {
    return this.#lines.length >= LIMITS.segmentEntriesMax || this.#bytes >= LIMITS.segmentBytesMax - ENTRY_ROOM;
  }

  get hasEntries(): boolean {
    return this.#lines.length > 0;
  }

  /** Where the next entry will stand, if this incarnation lives. */
  get next(): Position {
    return { seq: this.#expectedLast + 1, index: this.#lines.length };
  }

  /** Writes an entry into the open segment and folds it at once. */
  write(entry: Entry): Position {
    const at = this.next;
    const line = encodeEntry(entry);
    this.#lines.push(line);
    this.#entries.push(entry);
    this.#bytes += Buffer.byteLength(line);
    evolve(this.#options.workspace, entry, line, at);
    return at;
  }

  /** To be carried out when the open segment is settled. */
  then(effects: readonly Effect[]): void {
    for (const effect of effects) this.#effects.push(effect);
  }

  /** Sends the open segment, if it holds anything. */
  publish(position: { readonly seq: number; readonly id: string }, effects: number): void {
    if (this.#over || this.#lines.length === 0) return;
    const { workspace, ledger, epoch, writer } = this.#options;
    this.#number += 1;
    const header = { epoch, writer, number: this.#number, parent: workspace.meta.head, position, effects };
    const { bytes, hash } = encodeSegment(header, this.#lines);
    const seq = this.#expectedLast + 1;
    sealSegment(workspace, header, { seq, hash });
    const flying: Flying<Effect> = {
      seq,
      hash,
      effects: this.#effects,
      entries: this.#entries,
      lines: this.#lines,
      journal: this.#journal,
      position: position.seq,
      outcome: undefined,
    };
    this.#flying.push(flying);
    this.#open();
    const expectedLast = this.#expectedLast;
    this.#expectedLast = seq;
    void ledger.append(bytes, expectedLast).then((outcome) => {
      this.#landed(flying, outcome);
    });
  }

  #open(): void {
    this.#lines = [];
    this.#entries = [];
    this.#effects = [];
    this.#journal = [];
    this.#bytes = 0;
    this.#options.workspace.recorder.journal = this.#journal;
  }

  #landed(flying: Flying<Effect>, outcome: AppendOutcome): void {
    if (this.#over) return;
    if (outcome.type !== 'OK' || outcome.seq !== flying.seq) {
      this.#options.failed(outcome.type === 'OK' ? { type: 'CONFLICT' } : outcome);
      return;
    }
    flying.outcome = outcome;
    for (;;) {
      const first = this.#flying[0];
      if (first?.outcome === undefined) return;
      this.#flying.shift();
      this.#options.settled(first);
    }
  }

  /** Ends the writing and undoes what is not settled. How many segments were in flight. */
  abandon(): number {
    const inFlight = this.#flying.length;
    this.#over = true;
    undo(this.#journal);
    for (const flying of this.#flying.reverse()) undo(flying.journal);
    this.#flying = [];
    this.#options.workspace.recorder.journal = undefined;
    return inFlight;
  }
}

/** Room kept for one more entry, so that a segment stays below its limit: but for a few giants, which still fit a message. */
const ENTRY_ROOM = 128 * 1024;
