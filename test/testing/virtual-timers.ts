/**
 * Lets plain code live in virtual time: the timers, the time of day and chance of this process, as seen from within
 * `inVirtualTime`; for everybody else they stay as they are.
 *
 * V1 Whether code lives in virtual time is decided where it calls, by its asynchronous context; so a test runner beside
 *    it, and other tests, keep the real time.
 * V2 It does not matter how a timer was come by: the global, `node:timers`, `node:timers/promises`, by whichever import.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers';
import timersPromises from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Seeded } from '../support/seeded.ts';
import { realTimers } from './real-time.ts';
import type { VirtualClock } from './virtual-clock.ts';
import { clearVirtual, forgetTimers, VirtualImmediate, VirtualTimer } from './virtual-timer.ts';

type World = { readonly clock: VirtualClock; readonly chance: Seeded };

const worlds = new AsyncLocalStorage<World>();

/** Runs `act`, and all that it sets going, in virtual time and with this chance. The replacements are undone with the last. */
export async function inVirtualTime<T>(world: World, act: () => Promise<T>): Promise<T> {
  const undo = replaceAll();
  try {
    return await worlds.run(world, act);
  } finally {
    forgetTimers(world.clock);
    undo();
  }
}

type Call = (...given: unknown[]) => unknown;
type Replaced = { readonly of: object; readonly name: string; readonly was: PropertyDescriptor | undefined };

let users = 0;
let replaced: Replaced[] = [];

function replaceAll(): () => void {
  users += 1;
  if (users === 1) {
    replacePromises();
    replaceTimers();
    replaceClocks();
    replaceChance();
    syncBuiltinESMExports();
  }
  return () => {
    users -= 1;
    if (users > 0) return;
    for (const { of, name, was } of replaced.reverse()) {
      if (was === undefined) Reflect.deleteProperty(of, name);
      else Object.defineProperty(of, name, was);
    }
    replaced = [];
    syncBuiltinESMExports();
  };
}

function put(of: object, name: string, value: unknown): void {
  const was = Object.getOwnPropertyDescriptor(of, name);
  replaced.push({ of, name, was });
  Object.defineProperty(of, name, { configurable: true, enumerable: was?.enumerable ?? true, writable: true, value });
}

/** In virtual time `virtual` is called, elsewhere the function that was there. */
function either(of: object, name: string, virtual: (world: World, ...given: never[]) => unknown): Call {
  const was = (of as Record<string, Call>)[name];
  const instead = function (this: unknown, ...given: unknown[]): unknown {
    const world = worlds.getStore();
    if (world === undefined) return was?.apply(this, given);
    return virtual(world, ...(given as never[]));
  };
  put(of, name, instead);
  return instead;
}

function replaceTimers(): void {
  for (const of of [globalThis, timers]) {
    const once = either(of, 'setTimeout', (world, run: Call, ms?: number, ...given: unknown[]) =>
      VirtualTimer.begin(world.clock, { run, ms, given, repeats: false }),
    );
    Object.defineProperty(once, promisify.custom, { value: timersPromises.setTimeout });
    either(of, 'setInterval', (world, run: Call, ms?: number, ...given: unknown[]) =>
      VirtualTimer.begin(world.clock, { run, ms, given, repeats: true }),
    );
    const soon = either(
      of,
      'setImmediate',
      (world, run: Call, ...given: unknown[]) => new VirtualImmediate(world.clock, () => run(...given)),
    );
    Object.defineProperty(soon, promisify.custom, { value: timersPromises.setImmediate });
    for (const name of ['clearTimeout', 'clearInterval', 'clearImmediate'] as const) {
      const really = realTimers[name] as (timer: unknown) => void;
      put(of, name, (timer: unknown) => {
        if (!clearVirtual(timer)) really(timer);
      });
    }
  }
}

type Options = { readonly signal?: AbortSignal; readonly ref?: boolean } | undefined;

function replacePromises(): void {
  const sleep = ({ clock }: World, ms?: number, value?: unknown, options?: Options): Promise<unknown> =>
    abortable(options?.signal, (resolve) => {
      const timer = VirtualTimer.begin(clock, {
        run: () => {
          resolve(value);
        },
        ms,
        given: [],
        repeats: false,
      });
      return () => timer.close();
    });
  const turn = ({ clock }: World, value?: unknown, options?: Options): Promise<unknown> =>
    abortable(options?.signal, (resolve) => {
      const immediate = new VirtualImmediate(clock, () => {
        resolve(value);
      });
      return () => {
        immediate.close();
      };
    });
  either(timersPromises, 'setTimeout', sleep);
  either(timersPromises, 'setImmediate', turn);
  either(timersPromises, 'setInterval', async function* (world, ms?: number, value?: unknown, options?: Options) {
    for (;;) {
      yield await sleep(world, ms, value, options);
    }
  });
  either(timersPromises.scheduler, 'wait', (world, ms?: number, options?: Options) =>
    sleep(world, ms, undefined, options),
  );
  either(timersPromises.scheduler, 'yield', (world) => turn(world));
  either(AbortSignal, 'timeout', ({ clock }, ms?: number) => {
    const controller = new AbortController();
    const run = (): void => {
      controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'));
    };
    VirtualTimer.begin(clock, { run, ms, given: [], repeats: false });
    return controller.signal;
  });
}

/** `begin` returns how to end the wait. */
function abortable(
  signal: AbortSignal | undefined,
  begin: (resolve: (value: unknown) => void) => () => unknown,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      end();
      const error = new Error('The operation was aborted', { cause: signal?.reason });
      reject(Object.assign(error, { name: 'AbortError', code: 'ABORT_ERR' }));
    };
    let end: () => unknown = () => undefined;
    if (signal?.aborted === true) {
      abort();
      return;
    }
    end = begin((value) => {
      signal?.removeEventListener('abort', abort);
      resolve(value);
    });
    signal?.addEventListener('abort', abort, { once: true });
  });
}

function replaceClocks(): void {
  const RealDate = Date;
  const nowMs = (): number | undefined => worlds.getStore()?.clock.nowMs();
  const VirtualDate = new Proxy(RealDate, {
    construct(target, given: unknown[], newTarget) {
      const now = given.length === 0 ? nowMs() : undefined;
      return Reflect.construct(target, now === undefined ? given : [now], newTarget as typeof Date) as object;
    },
    apply(target, self, given: unknown[]) {
      const now = nowMs();
      return now === undefined ? (Reflect.apply(target, self, given) as string) : new RealDate(now).toString();
    },
  });
  either(RealDate, 'now', ({ clock }) => clock.nowMs());
  put(globalThis, 'Date', VirtualDate);
  either(performance, 'now', ({ clock }) => clock.elapsedMs());
  const realBigint = process.hrtime.bigint.bind(process.hrtime);
  const hrtime = either(process, 'hrtime', ({ clock }, since: [number, number] = [0, 0]) => {
    const nanos = BigInt(Math.round(clock.elapsedMs() * 1e6)) - (BigInt(since[0]) * 1_000_000_000n + BigInt(since[1]));
    return [Number(nanos / 1_000_000_000n), Number(nanos % 1_000_000_000n)];
  });
  put(hrtime, 'bigint', () => {
    const clock = worlds.getStore()?.clock;
    return clock === undefined ? realBigint() : BigInt(Math.round(clock.elapsedMs() * 1e6));
  });
}

function replaceChance(): void {
  either(Math, 'random', ({ chance }) => chance.unit());
  either(crypto, 'randomBytes', ({ chance }, size: number, hear?: (error: null, bytes: Buffer) => void) => {
    const bytes = Buffer.from(Uint8Array.from({ length: size }, () => chance.whole(0, 255)));
    if (hear === undefined) return bytes;
    queueMicrotask(() => {
      hear(null, bytes);
    });
    return undefined;
  });
  for (const of of [crypto, globalThis.crypto]) either(of, 'randomUUID', ({ chance }) => uuidFrom(chance));
}

/** Version 4, variant 1, as RFC 9562 has it. */
function uuidFrom(chance: Seeded): string {
  const hex = Array.from({ length: 32 }, () => chance.whole(0, 15).toString(16));
  hex[12] = '4';
  hex[16] = '89ab'[chance.whole(0, 3)] ?? '8';
  return hex.join('').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
