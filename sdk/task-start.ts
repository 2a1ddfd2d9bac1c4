/** The wish with which a call of a task begins: what the task run is, should it not exist. */
import type { CallIdentity } from './call.ts';
import type { Wish } from './client/session.ts';
import type { Settings } from './options.ts';
import { RUNNING } from './outcomes.ts';
import type { FlowScope } from './scope.ts';

export function startOf(flow: FlowScope, { run, call }: CallIdentity, settings: Settings): Wish {
  const { name, retry, timeoutMs, limits, priority } = settings;
  return {
    kind: 'task',
    run,
    to: RUNNING,
    execution: flow.execution.number,
    create: {
      kind: 'task',
      name,
      parent: flow.run,
      call,
      ...(retry === undefined ? {} : { retry }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(limits === undefined ? {} : { limits }),
      ...(priority === undefined ? {} : { priority }),
    },
  };
}
