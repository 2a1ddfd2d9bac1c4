/** How a golden history is written down: one line for each segment, and one for the state that it ends in. */
import { chainOver } from '../../engine/fold/chain.ts';
import { evolveSegment } from '../../engine/fold/evolve.ts';
import { FOLD_VERSION, stateDigest, Workspace } from '../../engine/fold/workspace.ts';
import { memoryLog, type MemoryLog } from '../../engine/log/memory.ts';

/** The stored bytes: as they are, or packed. */
export type GoldenSegment = { readonly text: string } | { readonly base64: string };

/** What must be known of the state whatever rows a later fold keeps. */
export type GoldenEnd = {
  readonly runs: Readonly<Record<string, string>>;
  readonly limits: Readonly<Record<string, string>>;
  readonly held: Readonly<Record<string, string>>;
  readonly timers: readonly string[];
  readonly rulings: number;
  readonly fold: number;
  readonly digest: string;
};

const PLAIN = '{'.charCodeAt(0);

export const goldenOf = (bytes: Uint8Array): GoldenSegment =>
  bytes[0] === PLAIN ? { text: Buffer.from(bytes).toString() } : { base64: Buffer.from(bytes).toString('base64') };

export const bytesOf = (segment: GoldenSegment): Uint8Array =>
  'text' in segment ? Buffer.from(segment.text) : Buffer.from(segment.base64, 'base64');

export function logOf(segments: readonly Uint8Array[]): MemoryLog {
  const log = memoryLog();
  for (const bytes of segments) log.storeForeign(bytes);
  return log;
}

export async function readHistory(segments: readonly Uint8Array[]): Promise<{ workspace: Workspace; counted: number }> {
  const log = logOf(segments);
  const workspace = new Workspace();
  const chain = chainOver(log, workspace.meta.head);
  let counted = 0;
  for await (const message of log.read(1)) {
    const { type, segment } = await chain.take(message);
    if (type === 'VOID') continue;
    evolveSegment(workspace, segment, message.seq);
    counted += 1;
  }
  return { workspace, counted };
}

export function endOf(workspace: Workspace): GoldenEnd {
  const runs = [...workspace.runs.entries()].map(([id, { state, version, attempt, retriesUsed, execution, slots }]) => {
    const holds = slots.map(({ limit, slots: count }) => `${String(count)} ${limit}`).join(' ');
    return [
      id,
      `${state.name} v${String(version)} a${String(attempt)} r${String(retriesUsed)} x${String(execution)} ${holds}`.trim(),
    ];
  });
  const limits = [...workspace.limits.entries()].map(([name, { slotsMax = 'unset', used }]) => [
    name,
    `${String(used)} of ${String(slotsMax)}`,
  ]);
  const held = [...workspace.held.entries()].map(([id, { waits, proposal }]) => [
    id,
    `${proposal.run} for ${waits.type}`,
  ]);
  return {
    runs: sorted(runs),
    limits: sorted(limits),
    held: sorted(held),
    timers: [...workspace.timers.entries()].map(([key, { dueAtMs }]) => `${key} ${String(dueAtMs)}`).sort(),
    rulings: workspace.meta.rulings,
    fold: FOLD_VERSION,
    digest: stateDigest(workspace),
  };
}

const sorted = (entries: readonly string[][]): Record<string, string> =>
  Object.fromEntries([...entries].sort(([a = ''], [b = '']) => (a < b ? -1 : 1))) as Record<string, string>;
