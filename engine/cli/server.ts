/** `assent server`: runs an engine until it is told to stop. */
import { subjects } from '../../protocol/subjects.ts';
import { connectTo, type Address } from '../connect.ts';
import { startEngine, type EngineOptions } from '../main.ts';

export type ServerCommand = EngineOptions & {
  /** Started by a client for itself: ends when that client and all others are gone. */
  readonly ephemeral: boolean;
};

/** Clients beat every second. */
const SILENCE_MS = 2500;
const LOOK_MS = 250;

/** Resolves when the engine has stopped. */
export async function runServer({ ephemeral, ...options }: ServerCommand): Promise<void> {
  const stop = Promise.withResolvers<string>();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      stop.resolve(signal);
    });
  }
  const engine = await startEngine(options);
  const left = ephemeral ? whenLeft(engine.clientAddress, engine.workspace, stop.resolve) : undefined;
  await stop.promise;
  (await left)?.();
  await engine.stop();
}

/** Calls back when standard input is closed and no client was heard for a while. Returns how to stop listening. */
async function whenLeft(address: Address, workspace: string, left: (why: string) => void): Promise<() => void> {
  let parentGone = false;
  let heardMs = performance.now();
  process.stdin.on('end', () => (parentGone = true));
  process.stdin.on('error', () => (parentGone = true));
  process.stdin.resume();
  const { connection } = await connectTo(address, 'assent server');
  connection.subscribe(subjects.heartbeat(workspace, '*'), {
    callback: () => {
      heardMs = performance.now();
    },
  });
  const look = setInterval(() => {
    if (parentGone && performance.now() - heardMs > SILENCE_MS) left('no client is left');
  }, LOOK_MS);
  return () => {
    clearInterval(look);
    void connection.close();
  };
}
