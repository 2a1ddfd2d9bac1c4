/** What a worker serves, by name, and what it does about a hint: the same in a worker and in `assent/testing`. */
import { AssentError } from '../protocol/errors.ts';
import type { WorkHint } from '../protocol/messages.ts';
import { backgroundPlan } from './background.ts';
import type { Client } from './client/client.ts';
import { claimOf, type CallableFlow } from './flow-call.ts';
import { flowDefinition } from './flow.ts';
import type { FlowRunPlan } from './flow-plan.ts';
import { parametersNow } from './parameters.ts';
import type { Settings } from './settings.ts';
import type { TaskDefinition } from './task-definition.ts';
import { taskDefinition } from './task.ts';

/** Flows and tasks have names of their own: a flow and a task may be called the same. */
export type Served = {
  readonly flows: ReadonlyMap<string, CallableFlow>;
  readonly tasks: ReadonlyMap<string, TaskDefinition>;
};

/** `who` takes the list, for errors. @throws AssentError BAD_OPTION */
export function servedBy(who: string, flowsAndTasks: readonly unknown[]): Served {
  const flows = new Map<string, CallableFlow>();
  const tasks = new Map<string, TaskDefinition>();
  if (!Array.isArray(flowsAndTasks)) throw new AssentError('BAD_OPTION', `${who} needs a list of flows and tasks.`);
  for (const one of flowsAndTasks) {
    const [flow, task] = [flowDefinition(one), taskDefinition(one)];
    const { name } = (flow ?? task)?.settings ?? {};
    if (name === undefined) throw new AssentError('BAD_OPTION', `${who} needs a list of flows and tasks.`);
    if ((flow === undefined ? tasks : flows).has(name)) {
      throw new AssentError('BAD_OPTION', `Two ${flow === undefined ? 'tasks' : 'flows'} are called '${name}'.`);
    }
    if (flow !== undefined) flows.set(name, flow);
    else if (task !== undefined) tasks.set(name, task);
  }
  return { flows, tasks };
}

/** What the hint is about; undefined if it is not served here. */
export const settingsFor = ({ flows, tasks }: Served, { name, kind }: WorkHint): Settings | undefined =>
  (kind === 'task' ? tasks.get(name) : flows.get(name))?.settings;

/** How the run of the hint is executed; undefined if it is not served here. */
export function planFor(client: Client, { flows, tasks }: Served, hint: WorkHint): FlowRunPlan | undefined {
  const { name, kind, run, version } = hint;
  if (kind === 'task') {
    const task = tasks.get(name);
    return task === undefined ? undefined : backgroundPlan(client, task, hint);
  }
  const flow = flows.get(name);
  if (flow === undefined) return undefined;
  return {
    client,
    flow,
    run,
    version,
    byWorker: true,
    parameters: () => parametersNow(client, flow, hint),
    start: (basedOn) => claimOf(run, basedOn ?? version),
  };
}
