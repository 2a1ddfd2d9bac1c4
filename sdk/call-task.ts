/** A call of a task by a flow: its inputs are waited for, it gets its identity, and begins. */
import { noteLateCall } from './attempt-notes.ts';
import { digestOf } from './call.ts';
import { placeOfCaller } from './call-site.ts';
import { Future, NO_WATCH, noteEnd, type FutureWatch } from './future.ts';
import { proposeNotReady } from './not-ready.ts';
import { notBegun } from './outcomes.ts';
import type { FlowScope } from './scope.ts';
import type { CallParts } from './call-end.ts';
import { TaskCall } from './task-call.ts';
import type { TaskDefinition } from './task-definition.ts';
import { isCompared } from './task-start.ts';
import { hasFutures, refusePromises, resolved } from './upstream.ts';

const NO_FUTURES: readonly Future<unknown>[] = [];

export function callTask(flow: FlowScope, task: TaskDefinition, inputs: readonly unknown[]): Future<unknown> {
  if (flow.functionEnded && task.builtIn?.cleanup !== true) noteLateCall(flow, task.settings.name);
  return Future.of<unknown>(watchOf(flow, task), (caller, details) => {
    if (flow.stopped !== undefined && task.builtIn?.cleanup !== true) {
      caller.reject(flow.stopped);
      return;
    }
    const place = isCompared(flow, task) ? placeOfCaller() : undefined;
    const digest = digestOf(inputs);
    // What has a digest has nothing in it to wait for.
    if ((digest === undefined && hasFutures(inputs)) || task.waitFor !== undefined) {
      void callWhenReady(flow, task, inputs, { caller, details, place });
      return;
    }
    const identity = flow.counter.nextOf(task.settings.name, digest, task.keyOf?.(inputs));
    begin({ flow, task, inputs, identity, caller, details, place });
  });
}

/** What only waits holds nobody up who does not look at it; what cleans up begins when the function has ended. */
function watchOf(flow: FlowScope, { builtIn }: TaskDefinition): FutureWatch {
  if (builtIn?.cleanup === true) return NO_WATCH;
  return builtIn?.waits === true ? flow.waits : flow;
}

function begin(parts: CallParts): void {
  const { flow, task, inputs, identity, caller } = parts;
  // What has a digest has no promise in it.
  const refused =
    identity.call.inputs === undefined ? refusePromises(`task '${task.settings.name}'`, inputs) : undefined;
  if (refused !== undefined) caller.reject(refused);
  else if (flow.replays && task.builtIn?.cleanup !== true && flow.recorded?.get(identity.run) === undefined) {
    caller.reject(notBegun(`Task '${task.settings.name}'`));
  } else new TaskCall(parts).begin();
}

async function callWhenReady(
  flow: FlowScope,
  task: TaskDefinition,
  given: readonly unknown[],
  { caller, details, place }: Pick<CallParts, 'caller' | 'details' | 'place'>,
): Promise<void> {
  try {
    const { name } = task.settings;
    const ready = await resolved(`Task '${name}'`, given, task.waitFor ?? NO_FUTURES);
    if (flow.stopped !== undefined) throw flow.stopped;
    const { inputs } = ready;
    const key = ready.type === 'READY' ? task.keyOf?.(inputs) : undefined;
    const identity = flow.counter.nextOf(name, digestOf(inputs), key);
    if (ready.type === 'READY') {
      begin({ flow, task, inputs, identity, caller, details, place });
      return;
    }
    const { error } = ready;
    details.runId = identity.run;
    noteEnd(details, await proposeNotReady(flow, { kind: 'task', name, identity, error }));
    caller.reject(error);
  } catch (error) {
    caller.reject(error);
  }
}
