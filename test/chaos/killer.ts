/**
 * Who is killed or stopped, when, and for how long, by the seed. Each kind of misfortune comes once before any comes again, so
 * that a short world meets all of them too. Now and then nothing happens for longer than a death takes to be noticed:
 * with somebody killed all the time, nobody's deadline would ever come.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Seeded } from '../support/seeded.ts';
import type { ArbiterMember, SdkMember } from '../faults/processes.ts';
import type { Rig } from '../faults/rig.ts';
import { shuffled } from './plan.ts';

const VICTIMS = ['WORKER', 'SCRIPT', 'ARBITER', 'SERVER'] as const;
export type Victim = (typeof VICTIMS)[number];
export type Misfortune = `${'KILL' | 'STOP'}_${Victim}`;
export const MISFORTUNES: readonly Misfortune[] = VICTIMS.flatMap(
  (victim) => [`KILL_${victim}`, `STOP_${victim}`] as const,
);

/** A process that is killed is started again after at most so long. */
const AWAY_MAX_MS = 500;
const GAP_MS = { least: 150, most: 800 } as const;
const QUIET_MS = { least: 1500, most: 2500 } as const;
const STOPPED_MS = { least: 200, most: 2200 } as const;

export class Killer {
  /** What has happened. */
  readonly met: Misfortune[] = [];
  readonly #rig: Rig;
  readonly #dice: Seeded;
  readonly #log: (line: string) => void;
  /** Nobody meets two things at once. */
  readonly #busy = new Set<object>();
  readonly #running = new Set<Promise<void>>();
  #deck: Misfortune[] = [];

  constructor(rig: Rig, seed: number, log: (line: string) => void) {
    this.#rig = rig;
    this.#dice = new Seeded(seed);
    this.#log = log;
  }

  /** Goes on for so long; resolves when everybody who was stopped or killed is at work again. */
  async run(forMs: number): Promise<void> {
    const untilMs = performance.now() + forMs;
    while (performance.now() < untilMs) {
      const gap = this.#dice.chance(0.15) ? QUIET_MS : GAP_MS;
      await pause(this.#dice.whole(gap.least, gap.most));
      // Those who execute flows die twice as often as those who only rule on them.
      if (this.#deck.length === 0) this.#deck = shuffled(this.#dice, [...MISFORTUNES, 'KILL_WORKER', 'KILL_SCRIPT']);
      this.#begin(this.#deck.pop()!, this.#dice.branch());
    }
    await Promise.all(this.#running);
  }

  #begin(what: Misfortune, dice: Seeded): void {
    const target = this.#targetOf(what, dice);
    if (target === undefined || this.#busy.has(target)) {
      this.#deck.unshift(what);
      return;
    }
    this.#busy.add(target);
    const under = this.#happen(what, target, dice).finally(() => {
      this.#busy.delete(target);
      this.#running.delete(under);
    });
    this.#running.add(under);
  }

  #targetOf(what: Misfortune, dice: Seeded): Rig['server'] | ArbiterMember | SdkMember | undefined {
    const { server, sdks, active } = this.#rig;
    if (what.endsWith('SERVER')) return server;
    if (what.endsWith('ARBITER')) return active;
    const kind = what.endsWith('WORKER') ? 'WORKER' : 'SCRIPT';
    // A script that has done all its jobs is no loss.
    const able = sdks.filter(({ order, hasEnded }) => order.mode === kind && !hasEnded);
    return able.length === 0 ? undefined : dice.pick(able);
  }

  async #happen(what: Misfortune, target: Rig['server'] | ArbiterMember | SdkMember, dice: Seeded): Promise<void> {
    this.met.push(what);
    const isKill = what.startsWith('KILL');
    const forMs = isKill ? dice.whole(0, AWAY_MAX_MS) : dice.whole(STOPPED_MS.least, STOPPED_MS.most);
    this.#log(`${what} for ${String(forMs)} ms`);
    const signal = (name: NodeJS.Signals): void => {
      if ('signal' in target) target.signal(name);
      else process.kill(target.pid, name);
    };
    if (!isKill) signal('SIGSTOP');
    else await target.kill();
    await pause(forMs);
    if (!isKill) signal('SIGCONT');
    else if ('signal' in target) target.again();
    else await target.start();
  }
}
