/** What goes wrong in a world, and what an operator does meanwhile. */
import type { AppendFate } from '../../engine/log/memory.ts';
import type { EpochMs, RunId } from '../../protocol/ids.ts';
import { ON_FULL, type LimitSet } from '../../protocol/proposals.ts';
import type { State } from '../../protocol/states.ts';
import { encodeBatch } from '../../protocol/wire.ts';
import type { Kernel } from '../support/memory-arbiter.ts';
import type { Wish } from './client-process.ts';
import type { World } from './world.ts';

export const FATES = ['DROP', 'STORE_BUT_UNKNOWN', 'DROP_UNKNOWN'] as const satisfies readonly AppendFate[];

/** What becomes of an append to the ledger. */
export function fateOf(world: World): AppendFate {
  if (!world.chaos || !world.kernel.happens(0.012)) return 'STORE';
  const fate = world.kernel.pick(FATES);
  world.fault(fate);
  return fate;
}

type Misfortune = (world: World) => void;

const reconnectAll: Misfortune = (world) => {
  for (const { process, arbiter } of world.livingArbiters) {
    process.after(0, () => {
      arbiter.reconnected();
    });
  }
};

type Befalling = {
  readonly weight: number;
  /** Only in every fifth world: those whose seed leaves this rest. */
  readonly onlyIn?: number;
  readonly befall: Misfortune;
};

export const MISFORTUNES: Readonly<Record<string, Befalling>> = {
  ARBITER_KILLED: {
    weight: 5,
    befall: ({ kernel, livingArbiters }) => {
      if (livingArbiters.length > 0) kernel.pick(livingArbiters).process.kill();
    },
  },
  ARBITER_STOPPED: {
    weight: 5,
    befall: ({ kernel, livingArbiters }) => {
      if (livingArbiters.length > 0) kernel.pick(livingArbiters).process.stop(kernel.between(300, 7000));
    },
  },
  LEASE_SILENT: {
    weight: 3,
    befall: (world) => {
      world.leaseSilentUntilMs = world.kernel.nowMs + world.kernel.between(500, 4000);
    },
  },
  APPENDS_DELAYED: {
    weight: 4,
    befall: (world) => {
      const untilMs = world.kernel.nowMs + world.kernel.between(1100, 3000);
      world.leaseSilentUntilMs = untilMs;
      for (const arbiter of world.livingArbiters) {
        if (arbiter.arbiter.role === 'ACTIVE') arbiter.delayedUntilMs = untilMs;
      }
    },
  },
  RECONNECTED: { weight: 3, befall: reconnectAll },
  CLIENT_KILLED: {
    weight: 4,
    befall: (world) => {
      world.kernel.pick(world.clients).process.kill();
      world.kernel.after(world.kernel.between(200, 2000), () => {
        world.clients = [...world.clients.filter(({ isUp }) => isUp), world.newClient()];
      });
    },
  },
  CLIENT_STOPPED: {
    weight: 4,
    befall: ({ kernel, clients }) => {
      kernel.pick(clients).process.stop(kernel.between(1000, 15_000));
    },
  },
  ANSWERS_LOST: {
    weight: 3,
    befall: (world) => {
      world.answersLostUntilMs = world.kernel.nowMs + world.kernel.between(100, 3000);
    },
  },
  WALL_CLOCK_SET: {
    weight: 2,
    befall: (world) => {
      world.wallOffsetMs += world.kernel.between(-3_600_000, 3_600_000);
    },
  },
  PROPOSALS_REWOUND: {
    weight: 2,
    befall: (world) => {
      void world.proposals.bounds().then(({ last }) => {
        world.proposals.rewindTo(Math.max(0, last - Math.floor(world.kernel.between(1, 8))));
        reconnectAll(world);
      });
    },
  },
  PROPOSALS_EXPIRED: {
    weight: 1,
    befall: (world) => {
      // Only what is older than any session that may still be closed.
      void world.proposals.bounds().then(({ last }) => {
        world.proposals.purgeBelow(Math.max(1, last - 400));
      });
    },
  },
  LEDGER_REWOUND: {
    weight: 1,
    onlyIn: 0,
    befall: (world) => {
      void world.ledger.bounds().then(({ last }) => {
        const survives = Math.max(0, last - Math.floor(world.kernel.between(1, 12)));
        world.rewinds.push({ survives, atMs: world.kernel.nowMs });
        world.ledger.rewindTo(survives);
        reconnectAll(world);
      });
    },
  },
  STORE_PUT_BACK: {
    weight: 1,
    onlyIn: 1,
    befall: (world) => {
      // An earlier copy of both streams: what was lost on one is not on the other either.
      void Promise.all([world.ledger.bounds(), world.proposals.bounds()]).then(([ledger, proposals]) => {
        const survives = Math.max(0, ledger.last - Math.floor(world.kernel.between(1, 12)));
        world.rewinds.push({ survives, atMs: world.kernel.nowMs });
        world.ledger.rewindTo(survives);
        world.proposals.rewindTo(Math.max(0, proposals.last - Math.floor(world.kernel.between(5, 30))));
        reconnectAll(world);
      });
    },
  },
  POISON: {
    weight: 1,
    befall: (world) => {
      void world.operator.ask({ kind: 'workspace', event: { type: 'LIMIT_REMOVED', limit: 'poison' } });
    },
  },
};

/** Something goes wrong every now and then, until the chaos is over. */
export function beginMisfortunes(world: World, untilMs: number): void {
  const all = Object.entries(MISFORTUNES)
    .filter(([, { onlyIn = world.seed % 5 }]) => onlyIn === world.seed % 5)
    .flatMap(([name, { weight, befall }]) => Array.from({ length: weight }, () => ({ name, befall })));
  const next = (): void => {
    world.kernel.after(world.kernel.between(200, 3500), () => {
      if (world.kernel.nowMs > untilMs) return;
      const { name, befall } = world.kernel.pick(all);
      world.fault(name);
      befall(world);
      next();
    });
  };
  next();
}

/** Sets limits, cancels, and asks what should not be asked. */
export function operate(world: World, limits: readonly string[]): void {
  const { kernel } = world;
  for (const limit of limits) {
    const event = drawLimit(kernel, limit, 1 + Math.floor(kernel.between(0, 3)));
    void world.operator.ask({ kind: 'workspace', event });
  }
  const next = (): void => {
    kernel.after(kernel.between(300, 4000), () => {
      if (!world.chaos) {
        for (const limit of limits)
          void world.operator.ask({ kind: 'workspace', event: { type: 'LIMIT_SET', limit, slotsMax: 8 } });
        return;
      }
      askSomething(world, limits);
      next();
    });
  };
  next();
}

/** Mostly those who find it full wait; now and then somebody is cancelled. One of the limits is by time. */
function drawLimit(kernel: Kernel, limit: string, slotsMax: number): LimitSet {
  return {
    type: 'LIMIT_SET',
    limit,
    // Runs of a deployment wait long enough to be late.
    slotsMax: limit.startsWith('deployment:') ? Math.min(slotsMax, 1) : slotsMax,
    ...(limit === 'rate' ? { slotsPerSecond: kernel.pick([3, 0.7, 20]) } : {}),
    ...(kernel.happens(0.2) ? { onFull: kernel.pick(ON_FULL) } : {}),
  };
}

function askSomething(world: World, limits: readonly string[]): void {
  const { kernel, operator, plans } = world;
  const { run } = kernel.pick(plans);
  const limit = kernel.pick(limits);
  const wish = (to: State, more: object = {}): Wish => ({ kind: 'flow', run, to, ...more });
  const running: State = { type: 'RUNNING', name: 'Running' };
  const nobody = 'nobody0000000000' as RunId;
  const cancel = (): void => void operator.ask(wish({ type: 'CANCELLING', name: 'Cancelling' }, { reason: 'enough' }));
  const asks: readonly (() => void)[] = [
    cancel,
    cancel,
    cancel,
    () => void operator.ask({ kind: 'workspace', event: drawLimit(kernel, limit, Math.floor(kernel.between(0, 4))) }),
    // What has ended is corrected; what has not is ended under its process.
    () => void operator.ask(wish({ type: 'COMPLETED', name: 'Completed' }, { reason: 'done by hand' })),
    () => void operator.ask(wish({ type: 'CANCELLED', name: 'Cancelled' }, { force: true, reason: 'it must stop' })),
    () => void operator.ask(wish({ type: 'CANCELLED', name: 'Cancelled' }, { force: true })),
    () => void operator.ask(wish({ type: 'COMPLETED', name: 'Completed' }, { force: true, reason: 'done by hand' })),
    () => void operator.ask(wish({ type: 'SCHEDULED', name: 'Late', dueAtMs: 0 as EpochMs })),
    () => void operator.ask(wish(running)),
    () => void operator.ask({ kind: 'workspace', event: { type: 'LIMIT_REMOVED', limit } }),
    () => void operator.ask(wish({ type: 'CANCELLING', name: 'Cancelling' }, { basedOn: 0 })),
    () => void operator.ask(wish({ type: 'PENDING', name: 'Pending' })),
    () => void operator.ask(wish(running, { claim: true })),
    () => void operator.ask({ ...wish(running, { claim: true }), run: nobody } as Wish),
    () =>
      void operator.ask({
        kind: 'flow',
        run: nobody,
        to: { ...running, message: 'boom' },
        claim: true,
        create: { kind: 'flow', name: 'x' },
      }),
    () => void operator.ask({ kind: 'task', run: nobody, to: running, create: { kind: 'flow', name: 'x' } }),
    () => {
      operator.publishGarbage(Buffer.from('no proposal'));
    },
    () => {
      operator.publishGarbage(Buffer.from('{"v":1,"proposals":[{"counter":"x"}]}'));
    },
    () => {
      // Nobody has opened this session.
      const draft = { kind: 'flow', run, to: running, counter: 3 } as const;
      world.publish(
        `stranger${String(Math.floor(kernel.between(1e7, 9e7)))}`,
        encodeBatch({ v: 1, proposals: [draft] }),
      );
    },
  ];
  kernel.pick(asks)();
}
