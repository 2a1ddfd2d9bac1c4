/** Proposes what belongs to no run, and says what became of it. */
import type { WorkspaceEvent } from '../../protocol/proposals.ts';
import type { Client } from './client.ts';
import { EXIT } from './exit-codes.ts';
import type { Output } from './output.ts';
import { ink } from './style.ts';

/** `done`: what to say if it was not refused; `known`: what else stands in JSON. Returns the exit code. */
export async function proposeEvent(
  client: Client,
  output: Output,
  event: WorkspaceEvent,
  {
    done,
    reason,
    known = {},
  }: { readonly done: string; readonly reason?: string | undefined; readonly known?: object },
): Promise<number> {
  const wish = { kind: 'workspace', event, ...(reason === undefined ? {} : { reason }) } as const;
  const { outcome, code, why, seq, index } = await client.propose(wish);
  const isDone = outcome !== 'rejected';
  output.document({ ...event, ...known, outcome, code, why, seq, index }, () => [
    isDone ? done : `${ink(['red', 'bold'], 'REFUSED')} (${code ?? 'no code'}): ${why ?? ''}.`,
  ]);
  return isDone ? EXIT.ok : EXIT.rejected;
}
