/** A generated program as real tasks and flows of the public SDK, bound to one process of one world. */
import { setTimeout as pause } from 'node:timers/promises';
import { flow, task, taskRun } from '../../sdk/index.ts';
import { runFlow, type Calls } from './interpreter.ts';
import type { Outside } from './outside.ts';
import { flowName, taskName, type Program, type TaskPlan } from './program.ts';
import { fingerprint, numberOf, shapeOf, textOf } from './values.ts';

/** Where a program is run. */
export type Place = {
  /** Tells this world's run from all others of its workspace. */
  readonly world: string;
  /** The session of the process, for the effects. */
  readonly session: string;
  /** Which execution of the run this process is, for the stamps. */
  readonly number: number;
  readonly outside: Outside;
  /** Whether the process is at work: what a dead one would have done does not happen. */
  isAlive(): boolean;
  latencyMs(): number;
};

export type Parameters = { readonly world: string; readonly at: Date; readonly tags: ReadonlyMap<string, unknown> };

/** The same in every process of a world. */
export const parametersOf = (world: string): Parameters => ({
  world,
  at: new Date(1_700_000_000_000),
  tags: new Map<string, unknown>([['n', { big: 10n }]]),
});

/** What the flow's body sees of its parameters: nothing that differs between worlds. */
export const seenOf = ({ at, tags }: Parameters): unknown => ({ at, tags });

export const mainName = (world: string): string => `main-${world}`;
export const limitName = (world: string): string => `limit-${world}`;

const SHORT_MS = 25;

/** The main flow. */
export function bound(program: Program, place: Place): (parameters: Parameters) => Promise<unknown> {
  const tasks = program.tasks.map((plan, index) => boundTask(plan, taskName(index), place));
  const shaky = task({ name: 'shaky' }, (text: string) =>
    inBody(place, () => {
      if (!place.outside.isRepaired(text)) throw new Error(`${text} is broken`);
      return text;
    }),
  );
  const repair = task({ name: 'repair' }, (text: string) =>
    inBody(place, () => {
      place.outside.repair(text);
    }),
  );
  const calls: Calls = {
    task: (index, inputs) =>
      tasks[index]?.(...inputs) ?? Promise.reject(new Error(`there is no task ${String(index)}`)),
    flow: (index, parameters) => subflow(index)(parameters),
    shaky,
    repair,
  };
  const subflow = (index: number): ((parameters: object) => Promise<unknown>) =>
    flow({ name: flowName(index), retries: program.flows[index]?.retries ?? 0, retryDelay: 3 }, (parameters: object) =>
      runFlow(program, index, parameters, calls),
    );
  return flow(
    { name: mainName(place.world), retries: program.flows[0].retries, retryDelay: 3 },
    (parameters: Parameters) => runFlow(program, 0, seenOf(parameters), calls),
  );
}

type BoundTask = (...inputs: readonly unknown[]) => Promise<unknown>;

function boundTask(plan: TaskPlan, name: string, place: Place): BoundTask {
  const { failures, key, isLimited, isTimed, awaitsRuling, end, sync } = plan;
  const options = {
    name,
    ...(failures === 0 ? {} : { retries: failures, retryDelay: [0, 4] }),
    ...(key === 'NONE' ? {} : { key: key === 'FIXED' ? 'fixed' : (...inputs: unknown[]) => fingerprint(inputs) }),
    ...(isLimited ? { limits: [limitName(place.world)] } : {}),
    ...(end === 'HANGS' ? { timeout: SHORT_MS } : isTimed ? { timeout: '5m' as const } : {}),
    ...(awaitsRuling ? { await: 'ruling' as const } : {}),
  };
  const act = (inputs: readonly unknown[]): unknown => outcome(plan, name, inputs, place.number);
  const inSync = (...inputs: unknown[]): unknown => inBody(place, () => act(inputs));
  const later = async (...inputs: unknown[]): Promise<unknown> => {
    begin(place);
    await pause(place.latencyMs());
    if (end === 'HANGS') await untilAborted(taskRun().signal);
    return ended(place, act(inputs));
  };
  const made: BoundTask = task(options, sync && end !== 'HANGS' ? inSync : later);
  return made;
}

/** A body that did not heed its signal would keep the next attempt of its flow waiting. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = (): void => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort);
  });
}

function inBody(place: Place, act: () => unknown): unknown {
  begin(place);
  return ended(place, act());
}

function begin(place: Place): void {
  const { idempotencyKey: key, attempt } = taskRun();
  if (place.isAlive()) place.outside.append({ phase: 'begin', key, attempt, session: place.session });
}

function ended(place: Place, result: unknown): unknown {
  const { idempotencyKey: key, attempt } = taskRun();
  const text = textOf(result);
  if (place.isAlive()) place.outside.append({ phase: 'end', key, attempt, session: place.session, result: text });
  return result;
}

function outcome(plan: TaskPlan, name: string, inputs: readonly unknown[], by: number): unknown {
  const { attempt } = taskRun();
  if (attempt <= plan.failures) throw errorOf(name, `attempt ${String(attempt)} fails`, inputs);
  const [first] = inputs;
  if (typeof first === 'number' && first < plan.failsBelow)
    throw errorOf(name, `${String(first)} is too small`, inputs);
  if (plan.end === 'FAILS') throw errorOf(name, 'it always fails', inputs);
  const shape = shapeOf(plan.shape, numberOf([name, inputs]) % 1000);
  if (plan.bare) return shape;
  return { task: name, of: fingerprint(inputs), saw: fingerprint(inputs, 'shown'), by, shape };
}

class Mishap extends Error {
  override readonly name = 'Mishap';
  readonly code = 'E_MISHAP';
}

const errorOf = (name: string, why: string, inputs: readonly unknown[]): Error =>
  new Mishap(`${name}: ${why}`, { cause: { inputs: fingerprint(inputs) } });
