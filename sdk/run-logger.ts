/**
 * Loggers of runs: pino, scoped to the run in which the code runs. Their lines go to the LOGS stream, and to standard error
 * unless ASSENT_LOG is `quiet`.
 */
import { pino, type Logger } from 'pino';
import type { RunId } from '../protocol/ids.ts';
import { rootOf } from '../protocol/proposals.ts';
import type { Client } from './client/client.ts';
import { LAST_INSTANT_MS } from './durations.ts';
import { redactionIn, type Redaction } from './redaction.ts';
import { scopes, type FlowScope, type TaskScope } from './scope.ts';
import { scrubbedLine } from './scrubber.ts';
import { isTaskThread } from './task-thread.ts';

const loggers = new WeakMap<FlowScope | TaskScope, Logger>();
let outside: Logger | undefined;

/**
 * The logger of the run in which this code runs. Its lines carry the flow run, the task run and the task, and can be
 * read with `assent runs logs`; they go to standard error as well. Outside of a run they go nowhere else. The environment
 * variable ASSENT_LOG sets the level; default: info. With `quiet` the lines are kept and not shown.
 *
 * @example
 * import { flow, runLogger, task } from 'assent';
 *
 * const load = task({ name: 'load' }, (file: string) => {
 *   runLogger().info({ file }, 'loading');
 *   return file.length;
 * });
 * const nightly = flow({ name: 'nightly' }, () => load('orders.csv'));
 * console.log(await nightly());
 */
export function runLogger(): Logger {
  const scope = scopes.getStore();
  if (scope === undefined) return (outside ??= loggerTo(showLine, {}));
  return logOfRun(scope);
}

export function logOfRun(scope: FlowScope | TaskScope): Logger {
  const known = loggers.get(scope);
  if (known !== undefined) return known;
  const flow = scope.type === 'flow' ? scope : scope.flow;
  const root = rootOf(flow.run);
  const fields = {
    flowRun: flow.owner.run,
    ...(scope.type === 'task' ? { taskRun: scope.run, task: scope.name } : {}),
  };
  const write = (line: string): void => {
    flow.client.logs.write(root, line);
    // The process knows more of what nobody shall see, and shows it itself.
    if (!isTaskThread()) showLine(line);
  };
  const made = loggerTo(write, fields, redactionIn(scope));
  loggers.set(scope, made);
  return made;
}

/** Of a run that this process does not execute. */
export const logOf = (client: Client, run: RunId, redact: Redaction | undefined): Logger =>
  loggerTo(
    (line) => {
      client.logs.write(rootOf(run), line);
      showLine(line);
    },
    { flowRun: run },
    redact,
  );

const levelOf = (): string => {
  const level = process.env['ASSENT_LOG'];
  return level !== undefined && level in pino.levels.values ? level : 'info';
};

function loggerTo(write: (line: string) => void, base: Record<string, string>, redact?: Redaction): Logger {
  return pino(
    { level: levelOf(), base },
    {
      write: (line) => {
        write(scrubbedLine(redact === undefined ? line : redactedLine(line, base, redact)));
      },
    },
  );
}

/** As it is written, whatever made it: a child, a serializer, the fields of an error. What a line says of itself stays. */
function redactedLine(line: string, base: Readonly<Record<string, string>>, redact: Redaction): string {
  const said = JSON.parse(line) as Record<string, unknown>;
  const isOwn = ([name, value]: [string, unknown]): boolean =>
    base[name] === value || ((name === 'level' || name === 'time') && typeof value === 'number');
  const shown = redact.ofLog(said) as Record<string, unknown>;
  return `${JSON.stringify({ ...shown, ...Object.fromEntries(Object.entries(said).filter(isOwn)) })}\n`;
}

/** On standard error. */
export function showLine(line: string): void {
  if (process.env['ASSENT_LOG'] !== 'quiet') process.stderr.write(`${shown(line)}\n`);
}

/** One line for people: the time, the level, the task, the message, the rest. Who reads a file needs the day as well. */
function shown(line: string): string {
  const { level, time, msg, flowRun, task, taskRun: _, ...rest } = JSON.parse(line) as Record<string, unknown>;
  // A line of code's may have a time and a level of its own.
  const atMs = typeof time === 'number' && Math.abs(time) <= LAST_INSTANT_MS ? time : Date.now();
  const instant = new Date(atMs).toISOString();
  const at = process.stderr.isTTY ? instant.slice(11, 23) : instant;
  const label = (pino.levels.labels[Number(level)] ?? 'info').toUpperCase().padEnd(5);
  const where = [flowRun, task].filter((part): part is string => typeof part === 'string').join(' ');
  const more = Object.keys(rest).length === 0 ? '' : ` ${JSON.stringify(rest)}`;
  return `${at} ${label} ${where}  ${typeof msg === 'string' ? msg : ''}${more}`;
}
