/**
 * Verifies a ledger from its first segment to its last, wherever its messages come from: the chain as every reader of the
 * ledger follows it, and beyond that the chain of each run's own rulings.
 *
 * A1 The first thing that does not hold together ends it, as LEDGER_BROKEN at exactly that sequence.
 * A2 Memory grows with the number of runs (a hash for each), not with the number of rulings.
 */
import { AssentError } from '../../../protocol/errors.ts';
import type { Digest } from '../../../protocol/ids.ts';
import { stateAfter, type Entry, type Ruling } from '../../../protocol/rulings.ts';
import { sha256, type Segment } from '../../../protocol/segment.ts';
import { Chain, type Head, type Standing } from '../../fold/chain.ts';
import type { StoredMessage } from '../../log/port.ts';

export type Verified = {
  readonly segments: number;
  readonly voidSegments: number;
  readonly epochs: number;
  readonly entries: number;
  readonly rulings: number;
  readonly runs: number;
  readonly head: Head;
  /** The ledger's time at its first and last entry. */
  readonly firstMs?: number;
  readonly lastMs?: number;
};

export async function verifyLedger(
  messages: AsyncIterable<StoredMessage>,
  lookUp: (seq: number) => Promise<Standing | undefined>,
): Promise<Verified> {
  const chain = new Chain({ seq: 0, hash: '' }, lookUp);
  const runs = new RunChains();
  let [segments, voidSegments, epochs, entries, rulings] = [0, 0, 0, 0, 0];
  let times: { firstMs?: number; lastMs?: number } = {};
  for await (const message of messages) {
    const { type, segment } = await chain.take(message);
    if (type === 'VOID') {
      voidSegments += 1;
      continue;
    }
    segments += 1;
    for (const [index, entry] of entriesOf(segment, message.seq).entries()) {
      entries += 1;
      times = { firstMs: times.firstMs ?? entry.atMs, lastMs: entry.atMs };
      if (entry.type === 'EPOCH') epochs += 1;
      if (entry.type !== 'RULING') continue;
      rulings += 1;
      const problem = runs.take(entry, segment.lines[index] ?? '');
      if (problem !== undefined) throw broken(message.seq, `its ruling ${String(index)} ${problem}`);
    }
  }
  return { segments, voidSegments, epochs, entries, rulings, runs: runs.size, head: chain.head, ...times };
}

function entriesOf({ lines }: Segment, seq: number): Entry[] {
  try {
    return lines.map((line) => JSON.parse(line) as Entry);
  } catch {
    throw broken(seq, 'an entry is not JSON');
  }
}

/** The chain of each run's rulings: every one names the one before it. */
export class RunChains {
  /** 32 bytes each, as characters. */
  readonly #last = new Map<string, string>();

  get size(): number {
    return this.#last.size;
  }

  /** What is wrong with a ruling; undefined if nothing is. */
  take(ruling: Ruling, line: string): string | undefined {
    const { proposal, prev } = ruling;
    if (proposal.kind === 'workspace') return undefined;
    const before = this.#last.get(proposal.run);
    const named = prev === undefined ? undefined : packed(prev);
    if (named !== before) {
      return before === undefined
        ? `names a ruling before it, but it is the first of run ${proposal.run}`
        : `does not name the ruling before it of run ${proposal.run}`;
    }
    const exists = before !== undefined || (stateAfter(ruling) !== undefined && proposal.create !== undefined);
    if (exists) this.#last.set(proposal.run, packed(sha256(line)));
    return undefined;
  }
}

const packed = (digest: Digest): string => Buffer.from(digest, 'hex').toString('latin1');

export const broken = (seq: number, problem: string): AssentError =>
  new AssentError('LEDGER_BROKEN', `the ledger is broken at sequence ${String(seq)}: ${problem}`);
