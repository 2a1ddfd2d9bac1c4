/**
 * `assent worker FILE...`: executes, in this process, runs of the flows and tasks that the files export, and says what it
 * does.
 *
 * K1 The first Ctrl-C (or SIGTERM) takes no more runs, and waits until those at work are done or, after the grace, have no
 *    task at work; the second leaves at once. What is not done goes on in another worker.
 */
import { AssentError } from '../../protocol/errors.ts';
import type { Duration } from '../../sdk/durations.ts';
import type { ServedRun, Worker } from '../../sdk/worker.ts';
import { EXIT } from './exit-codes.ts';
import type { Output } from './output.ts';
import type { Place } from './place.ts';
import { findServed, loadServingSdk, pathOf, type Served, type ServingSdk } from './run-file.ts';
import { count, nameText } from './run-text.ts';
import { inkOfNotes, oneLine } from './style.ts';
import { clockOf, spanOf } from './times.ts';
import { needsOtherNode, runWithTypes } from './with-types.ts';

export type WorkerCommand = {
  readonly files: readonly string[];
  readonly pool: string;
  readonly queue: string;
  readonly slots: number;
  readonly grace: string;
};

export async function runWorker(output: Output, place: Place, command: WorkerCommand): Promise<number> {
  const paths = command.files.map((file) => pathOf(file));
  if (needsOtherNode(paths)) return runWithTypes();
  // The SDK goes by the same rule, but does not know what the command line said.
  if (place.type === 'FOLDER') process.env['ASSENT_DATA'] = place.dataDir;
  const [first = ''] = paths;
  const sdk = await loadServingSdk(first);
  const served = await findServed(sdk, paths);
  try {
    return await serveThem(output, { sdk, served, command });
  } finally {
    await sdk.disconnect();
  }
}

type Serving = { readonly sdk: ServingSdk; readonly served: Served; readonly command: WorkerCommand };

async function serveThem(output: Output, { sdk, served, command }: Serving): Promise<number> {
  const { pool, queue, slots, grace } = command;
  const log = new WorkLog(output);
  const worker = await sdk.serve(served.callables, {
    pool,
    queue,
    slots,
    grace: grace as Duration,
    onRun: (run) => {
      log.tell(run);
    },
  });
  // From now on it can be told to stop.
  const stopped = untilStopped(output, { worker, log, grace });
  const names = [...listed('flow', served.flows), ...listed('task', served.tasks)].join('; ');
  if (output.isJson)
    output.line(JSON.stringify({ type: 'SERVING', pool, queue, slots, flows: served.flows, tasks: served.tasks }));
  output.note(`Serving queue '${queue}' of pool '${pool}', ${count(slots, 'run')} at once: ${names}. Ctrl-C ends it.`);
  return stopped;
}

const listed = (what: string, names: readonly string[]): readonly string[] =>
  names.length === 0 ? [] : [`${what}${names.length === 1 ? '' : 's'} ${names.map(oneLine).join(', ')}`];

type Stopping = { readonly worker: Worker; readonly log: WorkLog; readonly grace: string };

/** K1. */
function untilStopped(output: Output, { worker, log, grace }: Stopping): Promise<number> {
  return new Promise((resolve, reject) => {
    let signals = 0;
    const stop = (): void => {
      signals += 1;
      if (signals > 1) {
        output.note(`Left. ${count(log.atWork, 'run')} will go on in another worker.`);
        process.exit(EXIT.interrupted);
      }
      if (log.atWork > 0) {
        output.note(`Finishing ${count(log.atWork, 'run')}, taking no more; Ctrl-C again leaves at once.`);
        output.note(
          `Flow runs that are not done in ${grace} go on in another worker, when their tasks at work are done.`,
        );
      }
      worker.stop().then(() => {
        resolve(EXIT.ok);
      }, reject);
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
  });
}

/** What the worker does, a line for each thing. */
class WorkLog {
  readonly #output: Output;
  readonly #begunMs = new Map<string, number>();

  constructor(output: Output) {
    this.#output = output;
  }

  get atWork(): number {
    return this.#begunMs.size;
  }

  tell(run: ServedRun): void {
    const nowMs = Date.now();
    const tookMs = nowMs - (this.#begunMs.get(run.runId) ?? nowMs);
    if (run.type === 'BEGUN') this.#begunMs.set(run.runId, this.#begunMs.get(run.runId) ?? nowMs);
    else if (run.type !== 'HOOK') this.#begunMs.delete(run.runId);
    const { runId, ...rest } = run;
    if (this.#output.isJson) this.#output.line(JSON.stringify({ ...rest, run: runId, atMs: nowMs }));
    else this.#output.note(`${inkOfNotes('dim', clockOf(nowMs, nowMs))} ${lineOf(run, tookMs)}`);
  }
}

function lineOf({ type, kind, name, title, runId, attempt, detail = '' }: ServedRun, tookMs: number): string {
  const who = `${kind} ${nameText({ name, ...(title === undefined ? {} : { title }) })} ${inkOfNotes('dim', runId)}`;
  switch (type) {
    case 'BEGUN':
      return `${who} begins${attempt > 1 ? `, attempt ${String(attempt)}` : ''}`;
    case 'DONE':
      return `${who} ${inkOfNotes('green', 'done')} in ${spanOf(tookMs)}`;
    case 'FAILED':
      return `${who} ${inkOfNotes('red', 'failed')} after ${spanOf(tookMs)}: ${oneLine(detail)}`;
    case 'SUSPENDED':
      return `${who} is ${oneLine(detail)} after ${spanOf(tookMs)}: it goes on in whichever worker is free then`;
    case 'HOOK':
      return `${who}: its hook ${detail} was called`;
  }
}

/** @throws AssentError USAGE */
export function checkWorker({ pool, queue, grace }: Pick<WorkerCommand, 'pool' | 'queue' | 'grace'>): void {
  if (!/^\d+(\.\d+)?(ms|s|m|h|d)$/.test(grace))
    throw new AssentError('USAGE', `--grace is a time like 500ms, 30s or 5m, not '${grace}'.`);
  for (const [option, name] of Object.entries({ pool, queue })) {
    if (/^[A-Za-z0-9_-]{1,64}$/.test(name)) continue;
    throw new AssentError('USAGE', `--${option} has 1 to 64 letters, digits, dashes or underscores, not '${name}'.`);
  }
}
