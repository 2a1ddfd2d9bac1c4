/** Which process has a run in its hands: the arbiter hears them, the ledger only says that one has gone. */
import { isRunFor } from '../../protocol/background-runs.ts';
import type { RunId } from '../../protocol/ids.ts';
import type { RunView } from '../../protocol/messages.ts';
import { rootOf } from '../../protocol/proposals.ts';
import type { RunDetail, RunRow } from '../../protocol/query.ts';
import type { Client } from './client.ts';
import { stateText } from './run-text.ts';
import { oneLine } from './style.ts';
import { spanOf } from './times.ts';

export type Process = NonNullable<RunView['process']>;
/** The run in the background that does a call's work. */
export type Work = { readonly run: RunRow; readonly process?: Process };
export type Hands = { readonly process?: Process; readonly work?: Work };

const AT_WORK: ReadonlySet<string> = new Set(['RUNNING', 'CANCELLING', 'PAUSED']);
/** A process that lives is heard every second or two. */
const SILENT_MS = 5000;

export async function handsOf(client: Client, run: RunDetail): Promise<Hands> {
  const worker = run.parent === undefined ? undefined : run.started.find((one) => isRunFor(run.run, one.run));
  const process = await processOf(client, run);
  if (worker === undefined) return process === undefined ? {} : { process };
  const its = await processOf(client, worker);
  return {
    ...(process === undefined ? {} : { process }),
    work: { run: worker, ...(its === undefined ? {} : { process: its }) },
  };
}

/** No arbiter, no answer: then nobody knows. */
async function processOf(client: Client, { run, state, waits }: RunRow): Promise<Process | undefined> {
  const isAtWork = AT_WORK.has(state?.type ?? '') || (state?.type === 'SCHEDULED' && waits !== undefined);
  if (!isAtWork || state?.suspended === true) return undefined;
  const answer = await client.ask({ v: 1, type: 'RUN', run: rootOf(run) }).catch(() => undefined);
  const { process } = (answer as { readonly run?: RunView } | undefined)?.run ?? {};
  return process?.pid === undefined ? undefined : process;
}

/** `process 123 on vm`, and whether it is silent. */
export function processText({ pid, host = '', silentMs }: Process): string {
  const silent = silentMs > SILENT_MS ? `, which was last heard ${spanOf(silentMs)} ago` : '';
  return `process ${String(pid)} on ${oneLine(host)}${silent}`;
}

/** `run k3v9… (Running), in process 123 on vm`. */
export const workText = ({ run, process }: Work): string =>
  `run ${run.run} (${stateText(run)})${process === undefined ? '' : `, in ${processText(process)}`}`;

/** The call whose work a run in the background does. */
export const callDoneBy = ({ run, startedBy, kind }: RunRow): RunId | undefined =>
  kind === 'task' && startedBy !== undefined && isRunFor(startedBy, run) ? startedBy : undefined;
