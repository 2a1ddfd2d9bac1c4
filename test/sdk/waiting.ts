/** What tests of runs wait for, and what a run's outcome comes to. */
import { AssentError } from '../../sdk/index.ts';

/** Somebody who waits until something happened. */
export function gate(): { opened: Promise<undefined>; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  return {
    opened: promise,
    open: () => {
      resolve(undefined);
    },
  };
}

/** The kind of the error that it rejects with, or RESOLVED. */
export const kindOf = async (outcome: Promise<unknown>): Promise<string> =>
  outcome.then(
    () => 'RESOLVED',
    (error: unknown) => (error instanceof AssentError ? error.kind : String(error)),
  );
