/**
 * A run as it goes on: the live tail of its rulings, and the view where the tail may have missed something (it is core
 * NATS: what is sent while nobody is connected is gone).
 */
import type { RunId } from '../../protocol/ids.ts';
import type { RunDetail } from '../../protocol/query.ts';
import { stateAfter, type Ruling } from '../../protocol/rulings.ts';
import { isTerminal } from '../../protocol/states.ts';
import { subjects } from '../../protocol/subjects.ts';
import type { Client } from './client.ts';
import { findRun } from './find-run.ts';

const LOOK_MS = 2000;

export type Tail = {
  /** Resolves with the run as it is when it has ended. */
  readonly ended: Promise<RunDetail>;
  /** Resolves when the ruling that ended it was heard; never, if that was missed. */
  readonly heardEnd: Promise<void>;
  /** Ends the listening. */
  stop(): void;
};

/** Calls back for each ruling on the run and on all under it. Resolves when nothing will be missed any more. */
export async function tailRun(
  client: Client,
  run: RunId,
  heard: (ruling: Ruling, line: string) => void,
): Promise<Tail> {
  const end = Promise.withResolvers<RunDetail>();
  const heardEnd = Promise.withResolvers<undefined>();
  const root = run.split('.')[0] ?? run;
  let looking = false;
  let stopped = false;
  const look = async (): Promise<void> => {
    if (looking || stopped) return;
    looking = true;
    try {
      const now = await findRun(client, run);
      if (isTerminal(now.state)) end.resolve(now);
    } finally {
      looking = false;
    }
  };
  const lookAgain = (): void => {
    look().catch((error: unknown) => {
      end.reject(error instanceof Error ? error : new Error(String(error)));
    });
  };
  const subscription = client.connection.subscribe(subjects.ruled(client.workspace, root, '*'), {
    callback: (error, message) => {
      if (error !== null) return;
      try {
        const line = message.string();
        const ruling = JSON.parse(line) as Ruling;
        if (isUnder(run, ruling)) heard(ruling, line);
        if (!ends(run, ruling)) return;
        heardEnd.resolve(undefined);
        lookAgain();
      } catch {
        // Nothing that an arbiter sent; an exception here would end the connection's reading.
      }
    },
  });
  await client.connection.flush();
  const timer = setInterval(lookAgain, LOOK_MS);
  lookAgain();
  return {
    ended: end.promise,
    heardEnd: heardEnd.promise,
    stop: () => {
      stopped = true;
      clearInterval(timer);
      if (!client.connection.isClosed()) subscription.unsubscribe();
    },
  };
}

const isUnder = (run: RunId, { proposal }: Ruling): boolean =>
  proposal.kind !== 'workspace' && (proposal.run === run || proposal.run.startsWith(`${run}.`));

const ends = (run: RunId, ruling: Ruling): boolean =>
  ruling.proposal.kind !== 'workspace' && ruling.proposal.run === run && isTerminal(stateAfter(ruling));
