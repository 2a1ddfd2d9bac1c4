/**
 * Tasks in whatever worker is free: the call in the flow starts a run in the background, and waits for its end.
 *
 * W1 The run in the background is the call's: made again after a crash, the call meets the run that does its work, and
 *    what that has completed is not done twice. After an end that the flow has seen, a new one does it.
 * W2 When the call is cancelled, so is its run. When only the flow's process is gone, it is not: another goes on.
 * W3 Retries, time-outs and named limits are the background run's: they are kept where the function runs.
 */
import type { AssentError } from '../../protocol/errors.ts';
import { runFor } from '../../protocol/background-runs.ts';
import { isTerminal, type State } from '../../protocol/states.ts';
import { definitionOf, startWish, type Place } from '../background-start.ts';
import { checkOptions, place, wholeAboveZero } from '../checked-options.ts';
import { redactionIn } from '../redaction.ts';
import { AwaitedRun } from '../run-handle.ts';
import { cancelRun } from '../runs.ts';
import type { TaskScope } from '../scope.ts';
import type { TaskDefinition } from '../task-definition.ts';
import type { TaskRunner } from '../task-runner.ts';

/** The options of {@link workers}. */
export interface WorkersOptions {
  /** The pool of workers. Default: `'default'`. */
  readonly pool?: string;
  /** The queue within the pool. Default: `'default'`. */
  readonly queue?: string;
  /** Calls of one flow run that are with workers at once; the others wait. Default: 1,000. */
  readonly limit?: number;
}

const places = new WeakMap<TaskRunner, Place>();

/** Where the workers of a runner take their work. */
export const placeOf = (runner: TaskRunner | undefined): Place =>
  (runner === undefined ? undefined : places.get(runner)) ?? { pool: 'default', queue: 'default' };

/**
 * Runs tasks in worker processes (`assent worker FILE`, or {@link serve}), on however many machines they are. The workers
 * have to serve the tasks: they load the file that exports them. Inputs and results travel by the ledger, so they have to
 * be such as can be recorded. If a worker dies in the middle of a task, another one does it.
 *
 * @throws AssentError BAD_OPTION
 * @example
 * import { flow, serve, task, workers } from 'assent';
 *
 * const crunch = task({ name: 'crunch', retries: 2 }, async (n: number) => n ** 3);
 * const spread = flow({ name: 'spread', taskRunner: workers({ queue: 'heavy' }) }, () =>
 *   Promise.all([1, 2, 3].map((n) => crunch(n))),
 * );
 * const worker = await serve([crunch], { queue: 'heavy' }); // as a rule in another process
 * console.log(await spread()); // [ 1, 8, 27 ]
 * await worker.stop();
 */
export function workers(options: WorkersOptions = {}): TaskRunner {
  checkOptions('workers', options, {
    pool: place.optional(),
    queue: place.optional(),
    limit: wholeAboveZero.optional(),
  });
  const { pool = 'default', queue = 'default', limit } = options;
  const where: Place = { pool, queue };
  const runner: TaskRunner = {
    type: 'workers',
    ownsAttempts: true,
    ...(limit === undefined ? {} : { limit }),
    run: (scope, task, inputs) => runElsewhere(scope, task, { inputs, place: where }),
  };
  places.set(runner, where);
  return runner;
}

type Work = { readonly inputs: readonly unknown[]; readonly place: Place };

async function runElsewhere(scope: TaskScope, task: TaskDefinition, { inputs, place }: Work): Promise<unknown> {
  const { client } = scope.flow;
  const redact = redactionIn(scope);
  const create = await definitionOf(client, { task, inputs, place, startedBy: scope.run, redact, isCall: true });
  // Of a call's first attempt there is nothing to ask.
  const { generation = 0 } = scope.attempt === 1 ? {} : ((await client.runView(scope.run)) ?? {});
  for (let tries = 0; ; tries += 1) {
    scope.signal.throwIfAborted();
    const run = runFor(scope.run, generation, tries);
    const awaited = AwaitedRun.of(client, run, `Task '${task.settings.name}'`);
    const answer = await client.ask(startWish(run, create));
    awaited.started(answer, true);
    if (answer.outcome !== 'rejected' || !brokeOff(awaited.end)) return await endOf(scope, awaited, run);
  }
}

/** The run of an earlier attempt was stopped: that was no outcome. */
const brokeOff = (state: State | undefined): boolean =>
  state !== undefined && isTerminal(state) && state.type !== 'COMPLETED' && state.type !== 'FAILED';

/** W2. */
async function endOf(scope: TaskScope, awaited: AwaitedRun, run: string): Promise<unknown> {
  const { signal } = scope;
  const left = Promise.withResolvers<never>();
  left.promise.catch(() => undefined);
  const stop = (): void => {
    const reason = signal.reason as AssentError;
    if (reason.kind === 'FENCED') {
      // The next execution of the same flow run may be in this process, and wait for the same.
      left.reject(reason);
      awaited.leave(reason);
    }
    // One that has just ended has its end.
    else void cancelRun(run, reason.detail).catch(() => undefined);
  };
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await awaited.result(left.promise);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
