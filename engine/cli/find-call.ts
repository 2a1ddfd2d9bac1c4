/** The calls of a flow run by a task's name, a call's key, or the id, of which the end is enough. */
import { AssentError } from '../../protocol/errors.ts';
import type { RunId } from '../../protocol/ids.ts';
import type { RunDetail, RunRow } from '../../protocol/query.ts';
import type { Client } from './client.ts';
import { executionsOf } from './executions.ts';
import { callsOf } from './runs-inspect.ts';
import { shortId, stateText } from './run-text.ts';
import { oneLine } from './style.ts';

const SHOWN = 40;

/** The earliest of those that are meant. @throws AssentError USAGE, with the run's calls. */
export async function findCall(client: Client, flow: RunDetail, wanted: string): Promise<RunId> {
  const calls = (await callsOf(client, flow, Number.POSITIVE_INFINITY)).filter(({ state }) => state !== undefined);
  const found =
    calls.find(({ run }) => run === wanted || run === `${flow.run}.${wanted}`) ??
    calls.find(({ name }) => name === wanted) ??
    onlyOne(calls, wanted);
  return found?.run ?? (await byKey(client, flow, wanted)) ?? unknown(flow, calls, wanted);
}

/** The end of an id, of one call. */
function onlyOne(calls: readonly RunRow[], wanted: string): RunRow | undefined {
  const ending = calls.filter(({ run }) => run.endsWith(wanted));
  if (ending.length < 2) return ending[0];
  throw new AssentError('USAGE', `'${wanted}' is the end of several calls' ids:\n${listed(ending)}`);
}

/** Keys stand in the rulings only. */
async function byKey(client: Client, { run }: RunDetail, wanted: string): Promise<RunId | undefined> {
  for (const { calls } of await executionsOf(client, run)) {
    const found = calls.find(({ key, how }) => key === wanted && how !== 'refused');
    if (found !== undefined) return found.run;
  }
  return undefined;
}

function unknown({ run }: RunDetail, calls: readonly RunRow[], wanted: string): never {
  const known = calls.length === 0 ? 'It has made no calls.' : `It has made these:\n${listed(calls)}`;
  throw new AssentError('USAGE', `${run} has made no call '${wanted}'. ${known}`);
}

function listed(calls: readonly RunRow[]): string {
  const lines = calls
    .slice(0, SHOWN)
    .map((call) => `  ${shortId(call.run)}  ${oneLine(call.name)}  ${stateText(call)}`);
  const more = calls.length - lines.length;
  return `${[...lines, ...(more > 0 ? [`  … and ${String(more)} more`] : [])].join('\n')}\n`;
}
