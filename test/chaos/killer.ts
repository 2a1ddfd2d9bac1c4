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

const ONE_BY_ONE = ['WORKER', 'SCRIPT', 'ARBITER', 'SERVER'] as const;
export type Misfortune = `${'KILL' | 'STOP'}_${(typeof ONE_BY_ONE)[number]}` | 'KILL_ALL';
export const MISFORTUNES: readonly Misfortune[] = [
  ...ONE_BY_ONE.flatMap((victim) => [`KILL_${victim}`, `STOP_${victim}`] as const),
  // As when the machine loses its power.
  'KILL_ALL',
];
type Target = Rig['server'] | ArbiterMember | SdkMember;

/** A process that is killed is started again after at most so long. */
const AWAY_MAX_MS = 500;
const GAP_MS = { least: 150, most: 800 } as const;
const QUIET_MS = { least: 1500, most: 2500 } as const;
const STOPPED_MS = { least: 200, most: 2200 } as const;
/** What has not happened when the time is over may still do so for so long. */
const LATER_MS = 15_000;

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

  /** Goes on for so long, and until each has happened; resolves when everybody who was stopped or killed is at work again. */
  async run(forMs: number): Promise<void> {
    const untilMs = performance.now() + forMs;
    const isOver = (): boolean => {
      const leftMs = untilMs - performance.now();
      return leftMs < -LATER_MS || (leftMs < 0 && MISFORTUNES.every((one) => this.met.includes(one)));
    };
    while (!isOver()) {
      const gap = this.#dice.chance(0.15) ? QUIET_MS : GAP_MS;
      await pause(this.#dice.whole(gap.least, gap.most));
      // Those who execute flows die twice as often as those who only rule on them.
      if (this.#deck.length === 0) this.#deck = shuffled(this.#dice, [...MISFORTUNES, 'KILL_WORKER', 'KILL_SCRIPT']);
      this.#begin(this.#deck.pop()!, this.#dice.branch());
    }
    await Promise.all(this.#running);
  }

  #begin(what: Misfortune, dice: Seeded): void {
    const targets = this.#targetsOf(what, dice);
    if (targets.length === 0 || targets.some((target) => this.#busy.has(target))) {
      this.#deck.unshift(what);
      return;
    }
    for (const target of targets) this.#busy.add(target);
    const under = this.#happen(what, targets, dice).finally(() => {
      for (const target of targets) this.#busy.delete(target);
      this.#running.delete(under);
    });
    this.#running.add(under);
  }

  #targetsOf(what: Misfortune, dice: Seeded): readonly Target[] {
    const { server, sdks, arbiters, active } = this.#rig;
    if (what === 'KILL_ALL') return [...sdks, ...arbiters, server];
    if (what.endsWith('SERVER')) return [server];
    if (what.endsWith('ARBITER')) return active === undefined ? [] : [active];
    return [dice.pick(sdks.filter(({ order }) => what.endsWith(order.mode)))];
  }

  async #happen(what: Misfortune, targets: readonly Target[], dice: Seeded): Promise<void> {
    this.met.push(what);
    const isKill = what.startsWith('KILL');
    const forMs = isKill ? dice.whole(0, AWAY_MAX_MS) : dice.whole(STOPPED_MS.least, STOPPED_MS.most);
    this.#log(`${what} for ${String(forMs)} ms`);
    if (isKill) await Promise.all(targets.map((target) => target.kill()));
    else for (const target of targets) signal(target, 'SIGSTOP');
    await pause(forMs);
    if (isKill) await Promise.all(targets.map(again));
    else for (const target of targets) signal(target, 'SIGCONT');
  }
}

function signal(target: Target, name: NodeJS.Signals): void {
  if ('signal' in target) target.signal(name);
  else process.kill(target.pid, name);
}

async function again(target: Target): Promise<void> {
  if ('again' in target) target.again();
  else await target.start();
}
