/** What a process says in the logs about attempts: that one failed, changed what it was given, or left calls behind. */
import type { State } from '../protocol/states.ts';
import { areChanged, type CallIdentity } from './call.ts';
import { logOfRun } from './run-logger.ts';
import type { FlowScope, TaskScope } from './scope.ts';
import type { CallParts } from './call-end.ts';
import type { TaskDefinition } from './task-definition.ts';

/** By what its report says, and came to: `stands` is SCHEDULED if there is a further attempt. */
export function noteFailure(
  { flow, task, identity }: Pick<CallParts, 'flow' | 'task' | 'identity'>,
  { attempt, message = '' }: { readonly attempt: number; readonly message: string | undefined },
  stands: State | undefined,
): void {
  if (task.builtIn !== undefined) return;
  const about = { taskRun: identity.run, task: task.settings.name };
  const failed = `attempt ${String(attempt)} failed: ${message}`;
  if (stands?.type !== 'SCHEDULED') logOfRun(flow).error(about, failed);
  else logOfRun(flow).warn(about, `${failed}; the next one begins at ${new Date(stands.dueAtMs).toISOString()}`);
}

/** Of calls that are cut off because the function that made them has ended: the losers of a race, or a forgotten await. */
export function noteCutOff(flow: FlowScope): void {
  if (flow.waits.unseen.size > 0)
    logOfRun(flow).warn(
      'the function has ended, and did not wait for what it was to wait for: an await is missing before sleep, receive, waitForEvent or pause',
    );
  const cut = [...flow.calls].filter(({ isWait }) => isWait !== true).map(({ name }) => `'${name}'`);
  if (cut.length === 0) return;
  const shown = [...new Set(cut)].slice(0, NAMED_MAX).join(', ');
  logOfRun(flow).info(
    `the function has ended, and does not wait for ${String(cut.length)} of its calls (${shown}): they are cancelled. If they were to be done, an await is missing, as in forEach(async …)`,
  );
}

const NAMED_MAX = 5;
const late = new WeakSet<FlowScope>();

export function noteLateCall(flow: FlowScope, name: string): void {
  if (late.has(flow)) return;
  late.add(flow);
  logOfRun(flow).warn(
    `'${name}' was called when the function had ended, and is not done: an await is missing, as in forEach(async …)`,
  );
}

/** Calls of a task that are looked at; what changes its inputs does so in the first ones. */
const LOOKED_AT_MAX = 20;
const lookedAt = new WeakMap<TaskDefinition['fn'], number>();

/**
 * Warns once of a task that changes its inputs. The flow that called it has them too; when it is executed again, the call is
 * answered from the record, and what comes after it gets other inputs than before.
 */
export function noteChangedInputs(
  scope: TaskScope,
  { fn }: TaskDefinition,
  identity: CallIdentity,
  inputs: readonly unknown[],
): void {
  const looks = lookedAt.get(fn) ?? 0;
  const mayChange = inputs.some((input) => typeof input === 'object' && input !== null);
  if (looks >= LOOKED_AT_MAX || !mayChange || identity.call.inputs === undefined) return;
  lookedAt.set(fn, looks + 1);
  if (!areChanged(identity, inputs)) return;
  lookedAt.set(fn, LOOKED_AT_MAX);
  logOfRun(scope).warn(
    'its inputs were changed while it ran; when the flow goes on after a crash, the call is answered from the record and the change is not there: return what has changed instead',
  );
}
