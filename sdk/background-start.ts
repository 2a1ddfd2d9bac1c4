/**
 * Starts runs of tasks that any worker executes: task runs of their own. Owns what is recorded of them; background.ts
 * executes them.
 */
import { runFor } from '../protocol/background-runs.ts';
import type { RunId } from '../protocol/ids.ts';
import { HOOKS, type RunDefinition } from '../protocol/proposals.ts';
import { digestOf } from './call.ts';
import type { Client } from './client/client.ts';
import { currentClient } from './client/connect.ts';
import { newRunId } from './flow-call.ts';
import { both, redactionIn, type Redaction } from './redaction.ts';
import { AwaitedRun } from './run-handle.ts';
import { cancelRun, type RunHandle } from './runs.ts';
import { scopes, type FlowScope, type TaskScope } from './scope.ts';
import { isLoadedByThread, NEVER } from './task-thread.ts';
import type { TaskDefinition } from './task-definition.ts';
import { resolved } from './upstream.ts';
import { encodeText, recorded } from './values.ts';

export type Place = { readonly pool: string; readonly queue: string };

/**
 * A task's run that is started and not awaited: `task.delay(...inputs)`. Started by a flow, it is started once, however often
 * the flow is executed.
 *
 * @throws AssentError VALUE_NOT_SERIALIZABLE, VALUE_TOO_LARGE; REJECTED if a rule refused; NOT_READY by `waitFor`.
 */
export async function delayTask(
  task: TaskDefinition,
  inputs: readonly unknown[],
  place: Place,
): Promise<RunHandle<unknown>> {
  if (isLoadedByThread()) return NEVER;
  const scope = scopes.getStore();
  const run = scope?.type === 'flow' ? startOf(scope, task, inputs) : newRunId();
  const ready = await resolved(`Task '${task.settings.name}'`, [], task.waitFor ?? []);
  if (ready.type === 'NOT_READY') throw ready.error;
  const client = await currentClient();
  client.beginWork();
  try {
    const create = await definitionOf(client, {
      task,
      inputs,
      place,
      startedBy: scope?.run,
      redact: redactionIn(scope),
    });
    const awaited = AwaitedRun.of(client, run, `Task '${task.settings.name}'`);
    awaited.started(await client.ask(startWish(run, create)), scope?.type === 'flow');
    return { id: run, result: () => awaited.result(), cancel: (reason) => cancelRun(run, reason) };
  } finally {
    client.endWork();
  }
}

/** A flow's starts are counted like its calls, apart from them. */
function startOf(flow: FlowScope, { settings, keyOf }: TaskDefinition, inputs: readonly unknown[]): RunId {
  const key = keyOf?.(inputs);
  const { run } = flow.counter.nextOf(`delay ${settings.name}`, digestOf(inputs), key);
  flow.counter.said(run);
  return runFor(run, 0);
}

export const startWish = (run: RunId, create: RunDefinition) =>
  ({ kind: 'task', run, to: { type: 'PENDING', name: 'Pending' }, basedOn: 0, create }) as const;

type Start = {
  readonly task: TaskDefinition;
  readonly inputs: readonly unknown[];
  readonly place: Place;
  readonly startedBy: RunId | undefined;
  /** What the flows around its caller redact. */
  readonly redact: Redaction | undefined;
  /** It does the work of this call, which has the tags, the cache and the hooks. */
  readonly isCall?: true;
};

/** What is recorded of the run; its inputs can be read when this resolves. */
export async function definitionOf(client: Client, start: Start): Promise<RunDefinition> {
  const { task, inputs, place, startedBy, isCall } = start;
  const { settings } = task;
  const redact = both(settings.redact, start.redact);
  const { name, retry, timeoutMs, tags, priority, hooks } = settings;
  const { limits = settings.limits, cache, title } = settings.ofCall?.(contextOf(task, inputs), { redact }) ?? {};
  const whose = `The inputs of task '${name}'`;
  const text = recorded(encodeText(redact?.ofInputs(inputs) ?? inputs, whose), whose);
  await client.store(text);
  const named = HOOKS.filter((hook) => hooks?.[hook] !== undefined);
  return {
    kind: 'task',
    name,
    parameters: text.value,
    work: place,
    ...(startedBy === undefined ? {} : { startedBy }),
    ...(retry === undefined ? {} : { retry }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(limits === undefined ? {} : { limits }),
    ...(priority === undefined ? {} : { priority }),
    ...(title === undefined ? {} : { title }),
    ...(tags === undefined || isCall === true ? {} : { tags }),
    ...(cache === undefined || isCall === true ? {} : { cache }),
    ...(named.length === 0 || isCall === true ? {} : { hooks: named }),
  };
}

function contextOf({ settings, fn }: TaskDefinition, inputs: readonly unknown[]) {
  const scope: FlowScope | TaskScope | undefined = scopes.getStore();
  const flow = scope?.type === 'task' ? scope.flow : scope;
  return {
    task: settings.name,
    source: Function.prototype.toString.call(fn),
    inputs,
    flowRunId: flow?.owner.run ?? '',
    flowName: flow?.owner.name ?? '',
    flowParameters: flow?.owner.parameters,
  };
}
