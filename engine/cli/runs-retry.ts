/**
 * `assent runs retry RUN [--from TASK]`: a run that has ended goes on from where it failed, and keeps what it has finished;
 * with `--from`, that call and all that began after it is done again.
 */
import { AssentError } from '../../protocol/errors.ts';
import type { EpochMs, RunId } from '../../protocol/ids.ts';
import type { RunDetail } from '../../protocol/query.ts';
import type { Client } from './client.ts';
import { EXIT } from './exit-codes.ts';
import { findCall } from './find-call.ts';
import { findRun } from './find-run.ts';
import type { Output } from './output.ts';
import { stateText } from './run-text.ts';
import { ink } from './style.ts';

type Asked = { readonly from?: string; readonly reason?: string };
/** What a retry says besides which run it is of. */
export type Retry = { readonly redoFrom?: RunId; readonly reason: string };

const REASON = 'tried again from the command line';

export async function retryRun(
  client: Client,
  output: Output,
  { run: start, ...asked }: Asked & { readonly run: string },
): Promise<number> {
  const run = await findRun(client, start);
  const retry = await retryOf(client, run, asked);
  if (run.work === undefined) throw new AssentError('USAGE', howToResume(run, retry));
  const { redoFrom, reason } = retry;
  const answer = await client.propose({
    kind: run.kind,
    run: run.run,
    to: { type: 'SCHEDULED', name: 'AwaitingRetry', dueAtMs: Date.now() as EpochMs, message: reason },
    basedOn: run.version,
    reason,
    ...(redoFrom === undefined ? {} : { redoFrom }),
  });
  const { outcome, code, why, state, seq, index } = answer;
  const isDone = outcome !== 'rejected';
  output.document({ run: run.run, outcome, code, why, state, from: redoFrom, seq, index }, () => [
    isDone
      ? `${run.run} (${run.name}) is ${ink('bold', state?.name ?? 'AwaitingRetry')}: the next worker goes on with it${fromText(redoFrom)}.`
      : `${ink(['red', 'bold'], 'REFUSED')} (${code ?? 'no code'}): ${why ?? 'no reason was given'}.`,
  ]);
  if (!isDone && !output.isJson) output.note(`The refusal is on record: assent why ${run.run}`);
  return isDone ? EXIT.ok : EXIT.rejected;
}

/** @throws AssentError REJECTED if it has not ended; USAGE if it cannot be tried again like this, and what it takes. */
export async function retryOf(client: Client, run: RunDetail, { from, reason }: Asked): Promise<Retry> {
  const { state, parent } = run;
  if (parent !== undefined) {
    throw new AssentError(
      'USAGE',
      `${run.run} is a call: retry its flow run with --from, assent runs retry ${parent}.`,
    );
  }
  if (state?.type === 'COMPLETED' && run.kind === 'flow' && from === undefined) {
    throw new AssentError('USAGE', `${run.run} has completed: --from says which of its calls to do again.`);
  }
  if (!ENDS.includes(state?.type ?? '')) {
    throw new AssentError('REJECTED', `${run.run} is ${stateText(run)}: only what has ended is tried again.`);
  }
  if (reason === undefined && (state?.type === 'COMPLETED' || state?.type === 'CANCELLED')) {
    throw new AssentError(
      'USAGE',
      `${run.run} is ${stateText(run)}, and that was meant: --reason says why it goes on.`,
    );
  }
  const redoFrom = from === undefined ? undefined : await findCall(client, run, from);
  return { reason: reason ?? REASON, ...(redoFrom === undefined ? {} : { redoFrom }) };
}

const ENDS: readonly string[] = ['COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED'];

const fromText = (from: RunId | undefined): string => (from === undefined ? '' : `, from ${from} on`);

/** No worker finds it: it was a script's, or `assent run`'s. */
function howToResume({ run, name, state }: RunDetail, { redoFrom, reason }: Retry): string {
  const from = redoFrom === undefined ? '' : ` --from ${redoFrom.slice(run.length + 1)}`;
  const needsReason = state?.type === 'COMPLETED' || state?.type === 'CANCELLED';
  const why = needsReason || reason !== REASON ? ` --reason ${JSON.stringify(reason)}` : '';
  return `${run} was executed by the script that started it, and no worker could find it. Go on with it where the flow '${name}' is: assent run FILE:${name} --resume ${run}${from}${why}`;
}
