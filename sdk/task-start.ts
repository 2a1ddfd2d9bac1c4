/** The wish with which a call of a task begins: what the task run is, should it not exist. */
import type { CallIdentity } from './call.ts';
import type { Wish } from './client/session.ts';
import type { Settings } from './options.ts';
import type { RunDefinition } from '../protocol/proposals.ts';
import { RUNNING } from './outcomes.ts';
import type { FlowScope } from './scope.ts';

/** Settings, with what depends on the inputs. */
export type CallSettings = Settings & Pick<RunDefinition, 'cache'>;

export const settingsFor = (settings: Settings, inputs: readonly unknown[]): CallSettings =>
  settings.ofInputs === undefined ? settings : { ...settings, ...settings.ofInputs(inputs) };

export function startOf(flow: FlowScope, { run, call }: CallIdentity, settings: CallSettings, to = RUNNING): Wish {
  const { name, retry, timeoutMs, limits, tags, cache, priority } = settings;
  return {
    kind: 'task',
    run,
    to,
    execution: flow.execution.number,
    create: {
      kind: 'task',
      name,
      parent: flow.run,
      call,
      ...(retry === undefined ? {} : { retry }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(limits === undefined ? {} : { limits }),
      ...(tags === undefined ? {} : { tags }),
      ...(cache === undefined ? {} : { cache }),
      ...(priority === undefined ? {} : { priority }),
    },
  };
}
