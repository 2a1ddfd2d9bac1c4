/** Runs a flow to its end in virtual time: the real SDK, rules and arbiter, and a clock that jumps to what is next. */
import { AssentError } from '../../protocol/errors.ts';
import { completePolicies } from '../../rules/compose.ts';
import type { CallableFlow } from '../../sdk/flow-call.ts';
import { flowDefinition } from '../../sdk/flow.ts';
import { servedBy } from '../../sdk/served.ts';
import { Seeded } from '../support/seeded.ts';
import { acceptOpenHandles } from './real-time.ts';
import { VirtualClock } from './virtual-clock.ts';
import { Trial } from './trial.ts';
import type { VirtualRun, VirtualTimeOptions } from './virtual-run.ts';
import { inVirtualTime } from './virtual-timers.ts';

/**
 * Runs a flow in virtual time: a week of waiting, retries hours apart and time-outs take milliseconds. Timers of any kind
 * (`setTimeout`, `node:timers/promises`, `AbortSignal.timeout`), `Date` and `performance.now()` are virtual for the flow
 * and all that it calls, and for nobody else. Time stands still while files are read and sockets are waited for.
 *
 * @throws AssentError BAD_OPTION if it is no flow or a duration cannot be read; what `meanwhile` throws.
 * @example
 * import { setTimeout } from 'node:timers/promises';
 * import { flow, task } from 'assent';
 * import { runInVirtualTime } from 'assent/testing';
 *
 * let calls = 0;
 * const flaky = task({ name: 'flaky', retries: 10, retryDelay: '6h' }, () => {
 *   calls += 1;
 *   if (calls <= 10) throw new Error('not yet');
 *   return calls;
 * });
 * const patient = flow({ name: 'patient' }, async () => {
 *   await setTimeout(7 * 86_400_000);
 *   return flaky();
 * });
 * const run = await runInVirtualTime(patient);
 * console.log(run.value(), run.tookMs / 3_600_000); // 11 228
 */
export function runInVirtualTime<Parameters extends object, Result>(
  flow: (parameters: Parameters) => Promise<Result>,
  parameters: NoInfer<Parameters>,
  options?: VirtualTimeOptions,
): Promise<VirtualRun<Result>>;
export function runInVirtualTime<Result>(
  flow: () => Promise<Result>,
  parameters?: undefined,
  options?: VirtualTimeOptions,
): Promise<VirtualRun<Result>>;
export async function runInVirtualTime(
  flow: unknown,
  parameters?: unknown,
  options: VirtualTimeOptions = {},
): Promise<VirtualRun<unknown>> {
  const main = definitionOf(flow);
  const served = servedBy('runInVirtualTime', [...new Set([flow, ...(options.serves ?? [])])]);
  const clock = new VirtualClock(new Date(options.startAt ?? '2026-01-01T00:00:00Z').getTime());
  const chance = new Seeded(options.seed ?? 1);
  const policies = options.policies === undefined ? undefined : completePolicies(options.policies);
  const call = (): Promise<unknown> => (flow as (given?: unknown) => Promise<unknown>)(parameters);
  acceptOpenHandles();
  return inVirtualTime({ clock, chance }, () =>
    new Trial({ name: main.settings.name, clock, call, options }).live({ served, chance, policies }),
  );
}

function definitionOf(flow: unknown): CallableFlow {
  const definition = flowDefinition(flow);
  if (definition === undefined) throw new AssentError('BAD_OPTION', 'runInVirtualTime needs flows.');
  return definition;
}
