/**
 * The bodies of rulings, from the ledger by sequence. What is read is compared with the hash of the segment that was
 * folded, so that a view never shows what it did not fold.
 */
import { AssentError } from '../../protocol/errors.ts';
import type { Position } from '../../protocol/rulings.ts';
import { decodeSegment, type Segment } from '../../protocol/segment.ts';
import type { Log } from '../log/port.ts';
import type { ViewFile } from './view-file.ts';

const SEGMENTS_KEPT = 64;
const READS_AT_ONCE = 16;

export class Bodies {
  readonly #ledger: Log;
  readonly #segments = new Map<string, Segment>();

  constructor(ledger: Log) {
    this.#ledger = ledger;
  }

  /** The lines at these places, in their order. Throws LEDGER_BROKEN, LEDGER_REWOUND, LEDGER_UNREACHABLE. */
  async lines(view: ViewFile, places: readonly Position[]): Promise<string[]> {
    const hashes = new Map<number, string>();
    for (const { seq } of places) if (!hashes.has(seq)) hashes.set(seq, hashOf(view, seq));
    const segments = new Map<number, Segment>();
    const wanted = [...hashes];
    for (let from = 0; from < wanted.length; from += READS_AT_ONCE) {
      const some = wanted.slice(from, from + READS_AT_ONCE);
      await Promise.all(some.map(async ([seq, hash]) => segments.set(seq, await this.#segment(seq, hash))));
    }
    return places.map(({ seq, index }) => segments.get(seq)?.lines[index] ?? '');
  }

  async #segment(seq: number, hash: string): Promise<Segment> {
    const kept = this.#segments.get(hash);
    if (kept !== undefined) return kept;
    const stored = await this.#ledger.get(seq);
    if (stored === undefined) throw gone(seq);
    const decoded = decodeSegment(stored.bytes);
    if (!decoded.ok) {
      throw new AssentError('LEDGER_BROKEN', `the ledger is broken at sequence ${String(seq)}: ${decoded.problem}`);
    }
    if (decoded.segment.hash !== hash) throw gone(seq);
    this.#segments.set(hash, decoded.segment);
    for (const oldest of this.#segments.keys()) {
      if (this.#segments.size <= SEGMENTS_KEPT) break;
      this.#segments.delete(oldest);
    }
    return decoded.segment;
  }
}

function hashOf(view: ViewFile, seq: number): string {
  const hash = view.one('SELECT hash FROM segments WHERE seq = ?', seq)?.['hash'];
  return hash instanceof Uint8Array ? Buffer.from(hash).toString('hex') : '';
}

const gone = (seq: number): AssentError =>
  new AssentError('LEDGER_REWOUND', `the segment ${String(seq)} is not the one that the view was folded from`);
