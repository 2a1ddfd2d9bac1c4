/**
 * The hash chain: which stored segments count. Every reader of a ledger (arbiter, standby, projector, verifier) decides
 * by this file, so that all decide alike.
 *
 * C1 A segment counts when it names the head: its parent's hash is the hash of the last counted segment.
 * C2 A segment whose parent stands in this stream but is not the head is void: a stale writer's, overtaken.
 * C3 Anything else is LEDGER_BROKEN at exactly that sequence: a gap, an unknown parent, bytes that do not hash.
 */
import { AssentError } from '../../protocol/errors.ts';
import type { Digest } from '../../protocol/ids.ts';
import { decodeSegment, type Segment } from '../../protocol/segment.ts';
import type { Log, StoredMessage } from '../log/port.ts';

export type Head = { readonly seq: number; readonly hash: Digest | '' };

export type Link =
  { readonly type: 'COUNTED'; readonly segment: Segment } | { readonly type: 'VOID'; readonly segment: Segment };

/** Hashes kept in memory; a void segment with an older parent costs one read of the ledger. */
const HASHES_REMEMBERED = 4096;

export class Chain {
  #head: Head;
  /** The last sequence that was looked at, void segments included. */
  #last: number;
  readonly #hashes = new Map<number, Digest>();
  readonly #lookUp: (seq: number) => Promise<Digest | undefined>;

  /** Goes on from `head`; `last` is the last sequence known, when void segments follow the head. */
  constructor(head: Head, lookUp: (seq: number) => Promise<Digest | undefined>, last = head.seq) {
    this.#head = head;
    this.#last = last;
    this.#lookUp = lookUp;
    if (head.hash !== '') this.#hashes.set(head.seq, head.hash);
  }

  get head(): Head {
    return this.#head;
  }

  get last(): number {
    return this.#last;
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
    if (!counted && !(await this.#stands(parent))) throw broken(seq, 'it names a parent that is not in this ledger');
    this.remember(seq, segment.hash, counted);
    return { type: counted ? 'COUNTED' : 'VOID', segment };
  }

  /** A segment that this process wrote itself and saw stored. */
  remember(seq: number, hash: Digest, counted: boolean): void {
    this.#last = seq;
    this.#hashes.set(seq, hash);
    this.#hashes.delete(seq - HASHES_REMEMBERED);
    if (counted) this.#head = { seq, hash };
  }

  async #stands(parent: Head): Promise<boolean> {
    if (parent.seq === 0) return parent.hash === '';
    const known =
      this.#hashes.get(parent.seq) ?? (parent.seq < this.#last ? await this.#lookUp(parent.seq) : undefined);
    return known !== undefined && known === parent.hash;
  }
}

const broken = (seq: number, problem: string): AssentError =>
  new AssentError('LEDGER_BROKEN', `the ledger is broken at sequence ${String(seq)}: ${problem}`);

/** The hash of the segment stored at `seq`; undefined when there is none, or it does not hold together. */
export async function hashAt(log: Log, seq: number): Promise<Digest | undefined> {
  const stored = await log.get(seq);
  if (stored === undefined) return undefined;
  const decoded = decodeSegment(stored.bytes);
  return decoded.ok ? decoded.segment.hash : undefined;
}

/** A chain over a log, from a head that is known to stand in it. */
export const chainOver = (log: Log, head: Head): Chain => new Chain(head, (seq) => hashAt(log, seq));

/** Whether what was the head still is where it was: if not, the ledger was rewound. */
export async function stillStands(log: Log, head: Head): Promise<boolean> {
  return head.seq === 0 || (await hashAt(log, head.seq)) === head.hash;
}
