/** Tasks on the event loop of the process in which their flow runs. */
import { checkOptions, wholeAboveZero } from '../checked-options.ts';
import { inProcess, type TaskRunner } from '../task-runner.ts';

/** The options of {@link concurrent}. */
export interface ConcurrentOptions {
  /** Calls of one flow run that are at work at once; the others wait. Default: 1,000. */
  readonly limit?: number;
}

/**
 * Runs tasks in the process of their flow, side by side on its event loop. It is what runs them if nothing else is said;
 * say it to bound how many are at work at once.
 *
 * @throws AssentError BAD_OPTION
 * @example
 * import { concurrent, flow, task } from 'assent';
 *
 * const square = task({ name: 'square' }, async (n: number) => n * n);
 * const squares = flow({ name: 'squares', taskRunner: concurrent({ limit: 2 }) }, () =>
 *   Promise.all([1, 2, 3].map((n) => square(n))),
 * );
 * console.log(await squares()); // [ 1, 4, 9 ]
 */
export function concurrent(options: ConcurrentOptions = {}): TaskRunner {
  checkOptions('concurrent', options, { limit: wholeAboveZero.optional() });
  const { limit } = options;
  return { ...inProcess, ...(limit === undefined ? {} : { limit }) };
}
