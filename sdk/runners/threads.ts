/**
 * Tasks in threads of the flow's process: for work that would keep its event loop from everything else.
 *
 * J1 A task that is told to stop, and does not within the grace, is ended with its thread, even out of a loop that never
 *    ends. The pool starts another thread in its place.
 */
import { availableParallelism } from 'node:os';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { Piscina } from 'piscina';
import { AssentError } from '../../protocol/errors.ts';
import { headline } from '../errors-across.ts';
import { rootOf } from '../../protocol/proposals.ts';
import { natsLinkOf } from '../client/nats-link.ts';
import { checkOptions, duration, wholeAboveZero } from '../checked-options.ts';
import { parseDuration, TIMER_MAX_MS, type Duration } from '../durations.ts';
import { FinalState } from '../final-state.ts';
import { Gate, type GatePass } from '../gate.ts';
import { redactionIn } from '../redaction.ts';
import { showLine } from '../run-logger.ts';
import type { TaskScope } from '../scope.ts';
import { hiddenValues, hideEverywhere, scrubbed, scrubbedLine } from '../scrubber.ts';
import { withLiterals } from '../secrets.ts';
import type { TaskDefinition } from '../task-definition.ts';
import { originOf } from '../task-origins.ts';
import { inProcess, type TaskRunner } from '../task-runner.ts';
import { decodeError, decodeText, encodeError, encodeText } from '../values.ts';
import { isTaskThread } from '../task-thread.ts';
import type { ThreadJob, ThreadOrder, ThreadResult, ThreadWord } from './thread-words.ts';

/** The options of {@link threads}. */
export interface ThreadsOptions {
  /** Threads at most, and so tasks at once, of all flow runs that use this runner. Default: as many as there are processors. */
  readonly maxThreads?: number;
  /** How long a task that was told to stop may take to do so before its thread is ended. Default: `'5s'`. */
  readonly grace?: Duration;
}

/** Idle threads are kept for so long. */
const IDLE_MS = 30_000;
const GRACE_MS = 5000;

/**
 * Runs tasks in a pool of threads. Each thread loads the file that defines the task, and finds the task by its name and
 * code there; so the task has to be defined when the file is loaded, and what it needs has to come in by its inputs or by
 * what the file imports. Flows that the file calls at its top are not run again. Inputs and results have to be such as
 * can be recorded. In the virtual time of `assent/testing` the tasks run beside their flow.
 *
 * @throws AssentError BAD_OPTION. From the calls: TASK_NOT_FOUND, VALUE_NOT_SERIALIZABLE; THREAD_ENDED if the task ended
 *   its thread.
 * @example
 * import { flow, task, threads } from 'assent';
 *
 * const count = task({ name: 'count', timeout: '1m' }, (to: number) => {
 *   let sum = 0;
 *   for (let n = 1; n <= to; n += 1) sum += n;
 *   return sum;
 * });
 * const counted = flow({ name: 'counted', taskRunner: threads({ maxThreads: 2 }) }, () =>
 *   Promise.all([10, 100, 1000].map((to) => count(to))),
 * );
 * console.log(await counted()); // [ 55, 5050, 500500 ]
 */
export function threads(options: ThreadsOptions = {}): TaskRunner {
  checkOptions('threads', options, { maxThreads: wholeAboveZero.optional(), grace: duration.optional() });
  const limit = options.maxThreads ?? availableParallelism();
  const graceMs = parseDuration(options.grace) ?? GRACE_MS;
  const gate = new Gate(limit);
  let pool: Promise<Pool> | undefined;
  return {
    type: 'threads',
    limit,
    run: async (scope, task, inputs) => {
      // A clock that jumps (assent/testing) knows nothing of another thread's time.
      if (natsLinkOf(scope.flow.client) === undefined) return inProcess.run(scope, task, inputs);
      scope.signal.throwIfAborted();
      let pass: GatePass | undefined;
      await new Promise<void>((resolve) => {
        pass = gate.enter(resolve);
        // One that is told to stop waits for no thread.
        scope.signal.addEventListener('abort', () => {
          resolve();
        });
      });
      try {
        pool ??= poolOf(limit);
        return await runIn(await pool, { scope, task, inputs, graceMs });
      } finally {
        pass?.leave();
      }
    },
  };
}

/** The entry is what this file is: source, or built. */
const ENTRY = import.meta.url.replace(/threads(\.[a-z]+)$/, 'thread-entry$1');

type Pool = Piscina<ThreadJob, ThreadResult>;

/** Made with the first task: a runner that is only defined, as in every thread, costs nothing. It never has more than it can do. */
async function poolOf(maxThreads: number): Promise<Pool> {
  const { Piscina: ThreadPool } = await import('piscina');
  const pool: Pool = new ThreadPool({
    filename: ENTRY,
    minThreads: 0,
    maxThreads,
    idleTimeout: IDLE_MS,
    // What the file reads of its command line is the same there.
    argv: process.argv.slice(2),
    // A thread that waits for its next task by sleeping could do nothing that the last one has left to do.
    atomics: 'disabled',
    recordTiming: false,
  });
  // What a task has left behind, and nobody waits for any more, failed: that is no reason to end the process.
  pool.on('error', (error: Error) => {
    process.emitWarning(`a thread of tasks ended: ${scrubbed(error.message)}`, 'AssentWarning');
  });
  return pool;
}

type Work = {
  readonly scope: TaskScope;
  readonly task: TaskDefinition;
  readonly inputs: readonly unknown[];
  readonly graceMs: number;
};

async function runIn(pool: Pool, work: Work): Promise<unknown> {
  const { scope } = work;
  scope.signal.throwIfAborted();
  const { port1: own, port2: port } = new MessageChannel();
  const line = new Line(scope, own, work.graceMs);
  try {
    const result = await pool.run(jobOf(work, port), { transferList: [port], signal: line.killed });
    // What the task has logged comes before its end.
    await line.closed;
    return gaveOf(result);
  } catch (error) {
    if (line.killed.aborted) throw scope.signal.reason;
    if (!isExit(error)) throw error;
    const detail = `The thread of task '${work.task.settings.name}' ended: ${headline(error)}.`;
    throw new AssentError('THREAD_ENDED', detail, { cause: error });
  } finally {
    line.over();
  }
}

function jobOf({ scope, task, inputs }: Work, port: MessagePort): ThreadJob {
  const { name } = task.settings;
  const origin = originOf(task.fn);
  if (origin === undefined) throw new AssentError('TASK_NOT_FOUND', `Task '${name}' was not defined in a file.`);
  if (isTaskThread()) throw new AssentError('BAD_OPTION', `Task '${name}' is in a thread already.`);
  const { owner: flow } = scope.flow;
  return {
    origin,
    inputs: withLiterals(() => encodeText(inputs, `The inputs of task '${name}'`)),
    run: scope.run,
    name,
    attempt: scope.attempt,
    redact: redactionIn(scope)?.paths ?? [],
    hidden: hiddenValues(),
    flow: { run: flow.run, name: flow.name, attempt: flow.attempt },
    port,
  };
}

/** What the pool says of a thread that ended in the middle of a task: those that run out of memory say so by a code. */
const isExit = (error: unknown): boolean =>
  error instanceof Error &&
  (error.message.startsWith('worker exited') || String((error as { code?: unknown }).code).startsWith('ERR_WORKER_'));

type Details = ConstructorParameters<typeof FinalState>[1];

function gaveOf(result: ThreadResult): unknown {
  switch (result.type) {
    case 'VALUE':
      return decodeText(result.value);
    case 'STATES': {
      const states = (decodeText(result.states) as FinalState[]).map(
        (state) => new FinalState(state.type, state as Details),
      );
      return result.isList ? states : states[0];
    }
    case 'ERROR':
      throw decodeError(result.error);
  }
}

/** The process's end of the line to one attempt: hears its log, tells it to stop, and ends its thread when it does not. */
class Line {
  readonly #port: MessagePort;
  readonly #scope: TaskScope;
  readonly #graceMs: number;
  readonly #killer = new AbortController();
  #grace: NodeJS.Timeout | undefined;
  /** Everything that it said has been heard. */
  readonly closed: Promise<void>;
  readonly #stop = (): void => {
    const order: ThreadOrder = { type: 'ABORT', reason: encodeError(this.#scope.signal.reason) };
    this.#port.postMessage(order);
    this.#grace = setTimeout(
      () => {
        this.#killer.abort();
      },
      Math.min(this.#graceMs, TIMER_MAX_MS),
    );
  };

  constructor(scope: TaskScope, port: MessagePort, graceMs: number) {
    this.#scope = scope;
    this.#port = port;
    this.#graceMs = graceMs;
    const { flow } = scope;
    const root = rootOf(flow.run);
    port.on('message', (word: ThreadWord) => {
      if (word.type === 'REVEALED') hideEverywhere(word.value);
      // The thread knows what it has revealed itself, not what this process has.
      else {
        const line = scrubbedLine(word.line);
        flow.client.logs.write(root, line);
        showLine(line);
      }
    });
    this.closed = new Promise((resolve) => {
      port.once('close', resolve);
    });
    scope.signal.addEventListener('abort', this.#stop, { once: true });
  }

  /** Aborted when the grace is over. */
  get killed(): AbortSignal {
    return this.#killer.signal;
  }

  over(): void {
    clearTimeout(this.#grace);
    this.#scope.signal.removeEventListener('abort', this.#stop);
    this.#port.close();
  }
}
