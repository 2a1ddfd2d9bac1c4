/** `assent runs cancel RUN`: asks for a run to be cancelled. Whether it is, the rules say. */
import { AssentError } from '../../protocol/errors.ts';
import type { RunId } from '../../protocol/ids.ts';
import type { Answer } from '../../protocol/messages.ts';
import type { Client } from './client.ts';
import { EXIT } from './exit-codes.ts';
import { findRun } from './find-run.ts';
import type { Output } from './output.ts';
import { ink } from './style.ts';

export async function cancelRun(
  client: Client,
  output: Output,
  { run: start, reason }: { readonly run: string; readonly reason: string },
): Promise<number> {
  const { run, name, kind, parent } = await findRun(client, start);
  if (kind === 'task') {
    const flow = parent ?? run;
    throw new AssentError('USAGE', `${run} is a task run: cancel its flow run, ${flow}.`);
  }
  const answer = await proposeCancel(client, run, reason);
  const { outcome, code, why, state, seq, index } = answer;
  const isDone = outcome !== 'rejected' || code === 'DUPLICATE';
  output.document({ run, outcome, code, why, state, seq, index }, () => [
    isDone
      ? `${run} (${name}) is ${ink('bold', state?.name ?? 'being cancelled')}.`
      : `${ink(['red', 'bold'], 'REFUSED')} (${code ?? 'no code'}): ${why ?? 'no reason was given'}.`,
  ]);
  if (!isDone && !output.isJson) output.note(`The refusal is on record: assent why ${run}`);
  return isDone ? EXIT.ok : EXIT.rejected;
}

/** An operator's wish: it does not care on which version it is based. */
export const proposeCancel = (client: Client, run: RunId, reason: string): Promise<Answer> =>
  client.propose({ kind: 'flow', run, to: { type: 'CANCELLING', name: 'Cancelling', message: reason }, reason });
