/**
 * An arbiter in a process of its own, for tests that kill it and stop it. Reports its role, what it says, digests and
 * counters to its parent, the counters often, so that those of a killed one are not lost.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { ArbiterRole } from '../../engine/arbiter/arbiter.ts';
import type { Counters } from '../../engine/arbiter/counters.ts';
import type { ArbiterSettings } from '../../engine/arbiter/parts.ts';
import { startEngine, type Engine } from '../../engine/main.ts';

export type ArbiterOrder = {
  readonly url: string;
  readonly dataDir: string;
  readonly settings: Partial<ArbiterSettings>;
  readonly digests?: boolean;
};

export type ArbiterReport =
  | { readonly type: 'ROLE'; readonly role: ArbiterRole; readonly epoch: number }
  | { readonly type: 'SAID'; readonly line: string }
  /** Of the fold of the arbiter, or of the projector. */
  | { readonly type: 'DIGEST'; readonly of: 'FOLD' | 'VIEW'; readonly seq: number; readonly digest: string }
  | { readonly type: 'COUNTERS'; readonly counters: Counters };

const REPORT_EVERY_MS = 50;
const TRY_AGAIN_MS = 100;

const order = JSON.parse(process.argv[2] ?? '{}') as ArbiterOrder;
const tell = (report: ArbiterReport): void => void process.send?.(report);

/** As whoever keeps a process running would: again until it starts. */
async function start(): Promise<Engine> {
  for (;;) {
    try {
      return await startEngine({
        url: order.url,
        dataDir: order.dataDir,
        settings: order.settings,
        say: (line) => {
          tell({ type: 'SAID', line });
        },
        onRole: (role, epoch) => {
          tell({ type: 'ROLE', role, epoch });
        },
        ...(order.digests === true
          ? {
              onDigest: (seq: number, digest: string) => {
                tell({ type: 'DIGEST', of: 'FOLD', seq, digest });
              },
              onViewDigest: (seq: number, digest: string) => {
                tell({ type: 'DIGEST', of: 'VIEW', seq, digest });
              },
            }
          : {}),
      });
    } catch (error) {
      tell({ type: 'SAID', line: `not started: ${String(error)}` });
      await pause(TRY_AGAIN_MS);
    }
  }
}

process.on('disconnect', () => process.exit(1));
const engine = await start();
process.on('message', () => {
  void engine.stop().then(() => process.exit(0));
});
for (;;) {
  // A thread that ends while it is asked does not answer any more.
  const counters = await Promise.race([engine.counters(), pause(1000)]);
  if (counters !== undefined) tell({ type: 'COUNTERS', counters });
  await pause(REPORT_EVERY_MS);
}
