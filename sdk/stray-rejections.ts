/**
 * Rejections that nobody handles, in a process that executes the runs of many: what went wrong in the code of one run is that
 * run's failure, and not the end of all others. What arose in no run's code ends the process, as everywhere.
 */
import { AssentError } from '../protocol/errors.ts';
import { headline } from './errors-across.ts';
import { logOfRun } from './run-logger.ts';
import { scopes } from './scope.ts';

let guards = 0;

/** Until the guard that is returned is taken off. */
export function guardRuns(): () => void {
  guards += 1;
  if (guards === 1) process.on('unhandledRejection', onStray);
  return () => {
    guards -= 1;
    if (guards === 0) process.off('unhandledRejection', onStray);
  };
}

function onStray(reason: unknown): void {
  const scope = scopes.getStore();
  if (scope === undefined) {
    // Somebody else who listens decides; where nobody does, the process ends by it.
    if (process.listenerCount('unhandledRejection') === 1) throw reason;
    return;
  }
  const text = `A promise was rejected, and nobody waited for it: ${headline(reason)}`;
  logOfRun(scope).error({ err: reason }, text);
  const flow = scope.type === 'flow' ? scope : scope.flow;
  flow.fail(new AssentError('UNAWAITED_FAILURE', text, { cause: reason }));
}
