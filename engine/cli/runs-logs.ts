/**
 * `assent runs logs RUN`: what the code of a run logged, from the stream LOGS. Lines are JSON as pino writes them; each
 * message of the stream holds a few.
 */
import { jetstream, type ConsumerMessages, type JsMsg } from '@nats-io/jetstream';
import type { RunId } from '../../protocol/ids.ts';
import { rootOf } from '../../protocol/proposals.ts';
import { isTerminal } from '../../protocol/states.ts';
import { streams, subjects } from '../../protocol/subjects.ts';
import type { Client } from './client.ts';
import { EXIT } from './exit-codes.ts';
import { findRun } from './find-run.ts';
import { tailRun } from './live-tail.ts';
import type { Output } from './output.ts';
import { ink, oneLine, type Ink } from './style.ts';

export type LogsOptions = { readonly run: string; readonly follow: boolean };

/** Log lines travel in parcels: those of a run's last moments come after its end. */
const LAST_LINES_MS = 500;

export async function showLogs(client: Client, output: Output, { run: start, follow }: LogsOptions): Promise<number> {
  const { run, state } = await findRun(client, start);
  const stream = streams.logs(client.workspace);
  const filter = subjects.logs(client.workspace, rootOf(run));
  const js = jetstream(client.connection);
  const info = await (await js.jetstreamManager(false)).streams.info(stream, { subjects_filter: filter });
  const stored = info.state.subjects?.[filter] ?? 0;
  if (stored === 0 && !follow) {
    output.note('The run has logged nothing, or its lines are too old to be kept.');
    return EXIT.ok;
  }
  const consumer = await js.consumers.get(stream, { filter_subjects: filter });
  const messages = await consumer.consume({ expires: 1000, idle_heartbeat: 500 });
  const goesOn = follow && !isTerminal(state);
  const watching = goesOn ? stopAtTheEnd(client, run, messages) : undefined;
  for await (const message of messages) {
    for (const line of linesOf(message, run)) await output.flow(output.isJson ? line : logLine(line));
    if (message.info.pending === 0 && !goesOn) break;
  }
  await watching;
  return EXIT.ok;
}

async function stopAtTheEnd(client: Client, run: RunId, messages: ConsumerMessages): Promise<void> {
  const tail = await tailRun(client, run, () => undefined);
  await tail.ended;
  tail.stop();
  await new Promise((resolve) => setTimeout(resolve, LAST_LINES_MS));
  messages.stop();
}

/** Of a task run or a subflow run, only its own lines. */
function linesOf(message: JsMsg, run: RunId): string[] {
  const lines = message
    .string()
    .split('\n')
    .filter((line) => line !== '');
  if (rootOf(run) === run) return lines;
  return lines.filter((line) => {
    const { taskRun, flowRun } = parsed(line);
    return [taskRun, flowRun].some((id) => typeof id === 'string' && (id === run || id.startsWith(`${run}.`)));
  });
}

type Line = Readonly<Record<string, unknown>>;

function parsed(line: string): Line {
  try {
    return JSON.parse(line) as Line;
  } catch {
    return { msg: line };
  }
}

const LEVELS: readonly (readonly [number, string, Parameters<Ink>[0]])[] = [
  [60, 'FATAL', ['red', 'bold']],
  [50, 'ERROR', 'red'],
  [40, 'WARN', 'yellow'],
  [30, 'INFO', 'green'],
  [20, 'DEBUG', 'gray'],
  [0, 'TRACE', 'gray'],
];

/** Time of day, level, task, message, the rest as JSON. */
function logLine(line: string): string {
  const { level, time, msg, flowRun: _flowRun, taskRun: _taskRun, task, err, ...others } = parsed(line);
  const stack = (err as { stack?: unknown } | null | undefined)?.stack;
  // What is thrown may be anything.
  const rest = err === undefined || typeof stack === 'string' ? others : { ...others, err };
  const [, name, format] = LEVELS.find(([from]) => Number(level ?? 0) >= from) ?? [0, 'INFO', 'green' as const];
  const at =
    Number.isFinite(Number(time)) && time !== undefined ? new Date(Number(time)).toISOString().slice(11, 23) : '';
  const more = Object.keys(rest).length === 0 ? '' : ` ${ink('dim', JSON.stringify(rest))}`;
  const where = typeof task === 'string' ? `${oneLine(task)}  ` : '';
  const text = `${ink('dim', at)} ${ink(format, name.padEnd(5))} ${where}${typeof msg === 'string' ? oneLine(msg) : ''}${more}`;
  return typeof stack === 'string'
    ? `${text}\n${stack
        .split('\n')
        .map((each) => `    ${oneLine(each)}`)
        .join('\n')}`
    : text;
}
