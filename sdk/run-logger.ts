/**
 * Loggers of runs: pino, scoped to the run in which the code runs. Their lines go to the LOGS stream, and to standard error
 * unless ASSENT_LOG is `quiet`.
 */
import { pino, type Logger } from 'pino';
import type { RunId } from '../protocol/ids.ts';
import { rootOf } from '../protocol/proposals.ts';
import type { Client } from './client/client.ts';
import type { Redaction } from './redaction.ts';
import { scopes, type FlowScope, type TaskScope } from './scope.ts';
import { HIDDEN, scrubbedLine } from './scrubber.ts';
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
  const hidden = redactionsOf(scope).flatMap((redact) => redact.ofLogs);
  const write = (line: string): void => {
    flow.client.logs.write(root, line);
    // The process knows more of what nobody shall see, and shows it itself.
    if (!isTaskThread()) showLine(line);
  };
  const made = loggerTo(write, fields, [...new Set(hidden)]);
  loggers.set(scope, made);
  return made;
}

/** Of a run that this process does not execute. */
export const logOf = (client: Client, run: RunId): Logger =>
  loggerTo(
    (line) => {
      client.logs.write(rootOf(run), line);
      showLine(line);
    },
    { flowRun: run },
    [],
  );

/** A run's own, and those of the flows that it is called by. */
export function redactionsOf(scope: FlowScope | TaskScope | undefined): readonly Redaction[] {
  if (scope === undefined) return [];
  const above = redactionsOf(scope.type === 'task' ? scope.flow : scope.parent);
  return scope.redact === undefined ? above : [scope.redact, ...above];
}

const levelOf = (): string => {
  const level = process.env['ASSENT_LOG'];
  return level !== undefined && level in pino.levels.values ? level : 'info';
};

/** `hidden`: paths in pino's notation. */
function loggerTo(write: (line: string) => void, base: Record<string, string>, hidden: readonly string[] = []): Logger {
  const redact = hidden.length === 0 ? {} : { redact: { paths: [...hidden], censor: HIDDEN } };
  return pino(
    { level: levelOf(), base, ...redact },
    {
      write: (line) => {
        write(scrubbedLine(line));
      },
    },
  );
}

/** On standard error. */
export function showLine(line: string): void {
  if (process.env['ASSENT_LOG'] !== 'quiet') process.stderr.write(`${shown(line)}\n`);
}

/** One line for people: the time, the level, the task, the message, the rest. Who reads a file needs the day as well. */
function shown(line: string): string {
  const { level, time, msg, flowRun, task, taskRun: _, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const instant = new Date(Number(time)).toISOString();
  const at = process.stderr.isTTY ? instant.slice(11, 23) : instant;
  const label = (pino.levels.labels[Number(level)] ?? 'info').toUpperCase().padEnd(5);
  const where = [flowRun, task].filter((part): part is string => typeof part === 'string').join(' ');
  const more = Object.keys(rest).length === 0 ? '' : ` ${JSON.stringify(rest)}`;
  return `${at} ${label} ${where}  ${typeof msg === 'string' ? msg : ''}${more}`;
}
