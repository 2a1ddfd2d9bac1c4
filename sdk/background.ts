/**
 * A task run of its own in this process, from the wish to run to its end: it is claimed like a flow run, retried and
 * timed out like a task run. flow-run.ts does all that is alike; here is what its attempt does.
 *
 * V1 What does the work of a flow's call shows itself as that call: the same ids, the same log, whoever executes it.
 */
import { isRunFor } from '../protocol/background-runs.ts';
import type { AssentError } from '../protocol/errors.ts';
import type { RunId } from '../protocol/ids.ts';
import type { WorkHint } from '../protocol/messages.ts';
import { parentId, rootOf } from '../protocol/proposals.ts';
import type { Client } from './client/client.ts';
import type { FlowRunPlan } from './flow-plan.ts';
import { RUNNING } from './outcomes.ts';
import { FlowScope, scopes, TaskScope } from './scope.ts';
import type { TaskDefinition } from './task-definition.ts';
import { inProcess } from './task-runner.ts';

export function backgroundPlan(client: Client, task: TaskDefinition, hint: WorkHint): FlowRunPlan {
  const { run, version, parameters } = hint;
  const call = callOf(hint);
  const { hooks: _, ...ofCall } = task.settings;
  return {
    client,
    kind: 'task',
    // The hooks of a call are called where the flow runs.
    flow: { settings: call === undefined ? task.settings : ofCall, fn: (inputs) => attempt(task, inputs, call) },
    run,
    version,
    parameters: () => client.read(parameters),
    start: (basedOn) => ({ kind: 'task', run, to: RUNNING, basedOn: basedOn ?? version, claim: true }),
  };
}

/** The call whose work it does; undefined if it was only started. */
const callOf = ({ run, startedBy }: WorkHint): RunId | undefined =>
  startedBy !== undefined && isRunFor(startedBy, run) ? startedBy : undefined;

/** What the function sees of its surroundings, of a call: those of its flow run. Stopped with the run itself. */
async function attempt(task: TaskDefinition, inputs: readonly unknown[], call: RunId | undefined): Promise<unknown> {
  const own = scopes.getStore();
  if (own?.type !== 'flow') throw new Error('the attempt of a run begins in its scope');
  const flow = call === undefined ? own : await callerOf(own, call);
  const scope = new TaskScope(flow, call ?? own.run, task.settings.name, own.attempt);
  scope.redact = task.settings.redact;
  const stop = (): void => {
    const reason = own.signal.reason as AssentError;
    if (flow !== own) flow.stop(reason);
    scope.abort(reason);
  };
  if (own.signal.aborted) stop();
  own.signal.addEventListener('abort', stop, { once: true });
  const { runner = inProcess } = task.settings;
  try {
    // One that hands its attempts to workers has done so: this is one.
    return await (runner.ownsAttempts === true ? inProcess : runner).run(scope, task, inputs);
  } finally {
    own.signal.removeEventListener('abort', stop);
    if (flow !== own) flow.client.logs.flush(rootOf(flow.run));
  }
}

/** The flow run that made the call, as it looks from here. */
async function callerOf({ client, execution }: FlowScope, call: RunId): Promise<FlowScope> {
  const run = parentId(call) as RunId;
  const { name = '', attempt: number = 1 } = (await client.runView(run)) ?? {};
  return new FlowScope({ client, run, name, attempt: number, execution, runner: inProcess, fail: () => undefined });
}
