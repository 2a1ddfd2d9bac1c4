/** What is replayed: the entries of the segments of a ledger that count, wherever its messages come from. */
import { Chain, standingAt, type Standing } from '../fold/chain.ts';
import type { Log, StoredMessage } from '../log/port.ts';
import type { Stored } from './replay.ts';

/** Throws LEDGER_BROKEN. */
export async function* storedIn(
  messages: AsyncIterable<StoredMessage>,
  lookUp: (seq: number) => Promise<Standing | undefined>,
): AsyncGenerator<Stored> {
  const chain = new Chain({ seq: 0, hash: '' }, lookUp);
  for await (const message of messages) {
    const { type, segment } = await chain.take(message);
    if (type === 'VOID') continue;
    yield segment.lines.map((line, index) => ({ line, at: { seq: message.seq, index } }));
  }
}

/** All that is stored now. Throws LEDGER_BROKEN. */
export const storedOn = (ledger: Pick<Log, 'read' | 'get'>): AsyncGenerator<Stored> =>
  storedIn(ledger.read(1), (seq) => standingAt(ledger, seq));
