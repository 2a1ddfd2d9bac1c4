/** What a seed makes of the processes of a world: who is killed, stopped or cut off, when, and for how long. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Seeded } from '../support/seeded.ts';
import type { Kept } from './processes.ts';
import type { Rig } from './rig.ts';

const ARBITER_ACTS = ['KILL_ARBITER', 'STOP_ARBITER', 'HOLD_ARBITER'] as const;
const SERVER_ACTS = ['KILL_SERVER', 'STOP_SERVER'] as const;
const CLIENT_ACTS = ['KILL_SDK', 'STOP_SDK', 'STOP_SDK_FOR_LONG', 'CUT'] as const;
type Act = (typeof ARBITER_ACTS | typeof SERVER_ACTS | typeof CLIENT_ACTS)[number];

/** Who has a bad time. With everybody, nobody's deadline ever comes: each takeover begins them anew. */
export const MOODS = {
  EVERYBODY: [...ARBITER_ACTS, ...SERVER_ACTS, ...CLIENT_ACTS],
  CLIENTS: CLIENT_ACTS,
  ARBITERS: [...ARBITER_ACTS, ...ARBITER_ACTS, ...CLIENT_ACTS],
  SERVER: [...SERVER_ACTS, ...CLIENT_ACTS],
} as const satisfies Readonly<Record<string, readonly Act[]>>;
export type Mood = keyof typeof MOODS;

export class Schedule {
  readonly #rig: Rig;
  readonly #dice: Seeded;
  readonly #acts: readonly Act[];
  readonly #log: (line: string) => void;
  /** What is under way, by whom it concerns; nobody meets two things at once. */
  readonly #busy = new Set<object>();
  readonly #running = new Set<Promise<void>>();

  constructor(rig: Rig, dice: Seeded, { mood, log }: { mood: Mood; log: (line: string) => void }) {
    this.#rig = rig;
    this.#dice = dice;
    this.#acts = MOODS[mood];
    this.#log = log;
  }

  /** Resolves when everybody who was stopped goes on and everybody who was killed has been started again. */
  async run(forMs: number): Promise<void> {
    const untilMs = performance.now() + forMs;
    while (performance.now() < untilMs) {
      await pause(this.#dice.whole(150, 600));
      this.#begin(this.#dice.pick(this.#acts), this.#dice.branch());
    }
    await Promise.all(this.#running);
  }

  #begin(act: Act, dice: Seeded): void {
    const target = this.#targetOf(act, dice);
    if (target === undefined || this.#busy.has(target)) return;
    this.#busy.add(target);
    this.#log(act);
    const under = this.#act(act, dice, target).finally(() => {
      this.#busy.delete(target);
      this.#running.delete(under);
    });
    this.#running.add(under);
  }

  #targetOf(act: Act, dice: Seeded): object | undefined {
    const { server, arbiters, sdks, active } = this.#rig;
    switch (act) {
      case 'KILL_SERVER':
      case 'STOP_SERVER':
        return server;
      case 'KILL_SDK':
      case 'STOP_SDK':
      case 'STOP_SDK_FOR_LONG':
        return dice.pick(sdks);
      case 'KILL_ARBITER':
      case 'STOP_ARBITER':
      case 'HOLD_ARBITER':
        return active;
      case 'CUT':
        return dice.pick([...arbiters, ...sdks]);
    }
  }

  async #act(act: Act, dice: Seeded, target: object): Promise<void> {
    const { server, arbiters, sdks } = this.#rig;
    const member = [...arbiters, ...sdks].find((one) => one === target);
    switch (act) {
      case 'KILL_SERVER':
        await server.kill();
        await pause(dice.whole(0, 400));
        return server.start();
      case 'STOP_SERVER':
        return stopped((signal) => process.kill(server.pid, signal), dice.whole(200, 900));
      case 'KILL_SDK':
      case 'KILL_ARBITER':
        await member?.kill();
        await pause(dice.whole(0, 300));
        member?.again();
        return;
      case 'STOP_SDK':
        return stoppedMember(member, dice.whole(200, 900));
      case 'STOP_SDK_FOR_LONG':
        return stoppedMember(member, dice.whole(1500, 2500));
      case 'STOP_ARBITER':
        return stoppedMember(member, dice.whole(300, 1500));
      case 'HOLD_ARBITER':
        member?.proxy.hold('TO_SERVER');
        await pause(dice.whole(300, 1300));
        // Released first: what was held up arrives late, but it arrives.
        member?.proxy.release('TO_SERVER');
        if (dice.chance(0.3)) member?.proxy.cut();
        return;
      case 'CUT':
        member?.proxy.cut();
    }
  }
}

const stoppedMember = (member: Kept | undefined, forMs: number): Promise<void> =>
  stopped((signal) => {
    member?.signal(signal);
  }, forMs);

async function stopped(send: (signal: NodeJS.Signals) => void, forMs: number): Promise<void> {
  send('SIGSTOP');
  await pause(forMs);
  send('SIGCONT');
}
