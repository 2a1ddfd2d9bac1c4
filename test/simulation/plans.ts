/** What the flows of a world are and do: drawn from its seed. */
import type { Digest, RunId } from '../../protocol/ids.ts';
import { TRANSACTION_LIMIT, type RunDefinition, type SlotWish } from '../../protocol/proposals.ts';
import type { Kernel } from '../support/memory-arbiter.ts';
import type { CallPlan, FlowPlan } from './flow-program.ts';

/** Limits that flows hold while they run are others than those of tasks, but for the one that shows a deadlock. */
const TASK_LIMITS = ['db', 'api', 'rate'] as const;
const FLOW_LIMIT = 'flows';
export const ALL_LIMITS = [...TASK_LIMITS, FLOW_LIMIT, 'deployment:nightly', 'tag:gpu'] as const;

export function drawFlow(kernel: Kernel, index: number): FlowPlan {
  const run = `flow${String(index).padStart(12, '0')}` as RunId;
  const byWorker = kernel.happens(0.25);
  const definition: RunDefinition = {
    kind: 'flow',
    name: `flow-${String(index)}`,
    ...(kernel.happens(0.5) ? { retry: drawRetry(kernel) } : {}),
    ...(kernel.happens(0.2) ? { limits: [{ limit: FLOW_LIMIT, slots: 1 }] } : {}),
    ...(kernel.happens(0.1) ? { timeoutMs: 8000 } : {}),
    ...(kernel.happens(0.3) ? { priority: Math.floor(kernel.between(-2, 3)) } : {}),
    ...(byWorker ? { work: { pool: 'pool', queue: 'queue' } } : {}),
    ...(kernel.happens(byWorker ? 0.7 : 0.1) ? { deployment: 'nightly' } : {}),
    ...(kernel.happens(0.3) ? { identity: String(index).padStart(64, '0') as Digest } : {}),
  };
  return {
    run,
    definition,
    ...(byWorker || kernel.happens(0.15) ? { startsInMs: kernel.between(0, 4000) } : {}),
    stages: Array.from({ length: 1 + Math.floor(kernel.between(0, 4)) }, (_, stage) =>
      Array.from({ length: 1 + Math.floor(kernel.between(0, 6)) }, (_, i) =>
        drawCall(kernel, `s${String(stage)}-${String(i)}`, 0),
      ),
    ),
    obeysAfterMs: kernel.happens(0.3) ? 60_000 : kernel.between(0, 500),
    failures: kernel.happens(0.15) ? 1 : 0,
    pauses: kernel.happens(0.15),
  };
}

function drawCall(kernel: Kernel, name: string, depth: number): CallPlan {
  const hangs = kernel.happens(0.05);
  const limits = [...TASK_LIMITS, ...(kernel.happens(0.1) ? [FLOW_LIMIT] : [])].filter(() => kernel.happens(0.25));
  const deeper = depth === 0 && kernel.happens(0.12);
  const locks = kernel.happens(deeper || depth > 0 ? 0.5 : 0.03) ? [lockFor(kernel)] : [];
  return {
    name,
    durationMs: kernel.between(5, 1500),
    failures: kernel.happens(0.15) ? 1 + Math.floor(kernel.between(0, 2)) : 0,
    retriable: kernel.happens(0.95),
    hangs,
    definition: {
      ...(hangs || kernel.happens(0.6) ? { retry: drawRetry(kernel) } : {}),
      ...(hangs || kernel.happens(0.1) ? { timeoutMs: kernel.between(300, 3000) } : {}),
      ...(limits.length + locks.length === 0
        ? {}
        : { limits: [...limits.map((limit) => wishFor(kernel, limit)), ...locks] }),
      ...(kernel.happens(0.1) ? { tags: ['gpu'] } : {}),
      ...(kernel.happens(0.1) ? { cache: drawCache(kernel) } : {}),
      ...(kernel.happens(0.2) ? { priority: Math.floor(kernel.between(-2, 3)) } : {}),
    },
    ...(deeper ? { calls: [drawCall(kernel, 'inner-a', 1), drawCall(kernel, 'inner-b', 1)] } : {}),
  };
}

/** Of one limit each tenant has its own slots. */
const wishFor = (kernel: Kernel, limit: string): SlotWish => ({
  limit,
  slots: kernel.happens(0.06) ? 2 : 1,
  ...(limit === 'api' && kernel.happens(0.5) ? { by: kernel.pick(['acme', 'bolt']) } : {}),
});

/** A flow run within a flow run that has one is a transaction; what is called in it may want another. */
const lockFor = (kernel: Kernel): SlotWish => ({
  limit: TRANSACTION_LIMIT,
  slots: 1,
  by: kernel.pick(['a', 'b', 'c']),
});

const drawCache = (kernel: Kernel): NonNullable<RunDefinition['cache']> => ({
  key: `c${String(Math.floor(kernel.between(0, 9)))}`,
  ttlMs: 5000,
  ...(kernel.happens(0.5) ? { once: true } : {}),
});

const drawRetry = (kernel: Kernel): NonNullable<RunDefinition['retry']> => ({
  retriesMax: 1 + Math.floor(kernel.between(0, 3)),
  delaysMs: [kernel.between(0, 800)],
  jitter: kernel.happens(0.5) ? 0.5 : 0,
});
