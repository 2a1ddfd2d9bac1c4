/**
 * The hash chain: which stored segments count. Every reader of a ledger (arbiter, standby, projector, verifier) decides
 * by this file, so that all decide alike.
 *
 * C1 A segment counts when it names the head: its parent's hash is the hash of the last counted segment.
 * C2 A segment whose parent stands in this stream but is not the head is void: a stale writer's, overtaken.
 * C3 So is one whose parent was refused because another writer's segment took its place: a stale writer that has
 *    several in flight loses the first, and the next one fits again, for the server compares sequences only. It is known
 *    by its parent's place, the one right before its own, in which a segment of another writer stands.
 * C4 Anything else is LEDGER_BROKEN at exactly that sequence: a gap, an unknown parent, bytes that do not hash.
 */
import { AssentError } from '../../protocol/errors.ts';
import type { Digest } from '../../protocol/ids.ts';
import { decodeSegment, type Segment } from '../../protocol/segment.ts';
import type { Log, StoredMessage } from '../log/port.ts';

export type Head = { readonly seq: number; readonly hash: Digest | '' };

export type Link =
  { readonly type: 'COUNTED'; readonly segment: Segment } | { readonly type: 'VOID'; readonly segment: Segment };

/** What the chain must know of a stored segment. */
export type Standing = { readonly hash: Digest; readonly writer: string };

/** Segments kept in memory; a void segment with an older parent costs one read of the ledger. */
const REMEMBERED = 4096;

export class Chain {
  #head: Head;
  /** The last sequence that was looked at, void segments included. */
  #last: number;
  readonly #standing = new Map<number, Standing>();
  readonly #lookUp: (seq: number) => Promise<Standing | undefined>;

  /** Goes on from `head`; `last` is the last sequence known, when void segments follow the head. */
  constructor(head: Head, lookUp: (seq: number) => Promise<Standing | undefined>, last = head.seq) {
    this.#head = head;
    this.#last = last;
    this.#lookUp = lookUp;
  }

  get head(): Head {
    return this.#head;
  }

  get last(): number {
    return this.#last;
  }

  /** The last segment that was looked at. */
  get tail(): Head {
    const standing = this.#standing.get(this.#last);
    return standing === undefined ? this.#head : { seq: this.#last, hash: standing.hash };
  }

  /** Throws LEDGER_BROKEN. */
  async take(message: StoredMessage): Promise<Link> {
    const { seq } = message;
    if (seq !== this.#last + 1) throw broken(this.#last + 1, `the next stored segment has sequence ${String(seq)}`);
    const decoded = decodeSegment(message.bytes);
    if (!decoded.ok) throw broken(seq, decoded.problem);
    const { segment } = decoded;
    const { parent } = segment.header;
    const counted = parent.hash === this.#head.hash && parent.seq === this.#head.seq;
    if (!counted && !(await this.#isStale(segment, seq))) {
      throw broken(seq, 'it names a parent that is not in this ledger');
    }
    this.remember(seq, { hash: segment.hash, writer: segment.header.writer }, counted);
    return { type: counted ? 'COUNTED' : 'VOID', segment };
  }

  /** A segment that this process wrote itself and saw stored. */
  remember(seq: number, standing: Standing, counted: boolean): void {
    this.#last = seq;
    this.#standing.set(seq, standing);
    this.#standing.delete(seq - REMEMBERED);
    if (counted) this.#head = { seq, hash: standing.hash };
  }

  /** C2 and C3. */
  async #isStale({ header }: Segment, seq: number): Promise<boolean> {
    const { parent, writer, number } = header;
    if (parent.seq === 0) return parent.hash === '';
    if (parent.seq >= seq) return false;
    const there = this.#standing.get(parent.seq) ?? (await this.#lookUp(parent.seq));
    if (there === undefined) return false;
    if (there.hash === parent.hash) return true;
    // The first segment after a writer's epoch names one that it has seen stored, like the epoch's own.
    return number > 1 && parent.seq === seq - 1 && there.writer !== writer;
  }
}

const broken = (seq: number, problem: string): AssentError =>
  new AssentError('LEDGER_BROKEN', `the ledger is broken at sequence ${String(seq)}: ${problem}`);

/** The segment stored at `seq`; undefined when there is none, or it does not hold together. */
export async function standingAt(log: Pick<Log, 'get'>, seq: number): Promise<Standing | undefined> {
  const stored = await log.get(seq);
  if (stored === undefined) return undefined;
  const decoded = decodeSegment(stored.bytes);
  return decoded.ok ? { hash: decoded.segment.hash, writer: decoded.segment.header.writer } : undefined;
}

/** A chain over a log, from a head that is known to stand in it. */
export const chainOver = (log: Log, head: Head): Chain => new Chain(head, (seq) => standingAt(log, seq));

/** Whether what was the head still is where it was: if not, the ledger was rewound. */
export async function stillStands(log: Log, head: Head): Promise<boolean> {
  return head.seq === 0 || (await standingAt(log, head.seq))?.hash === head.hash;
}
