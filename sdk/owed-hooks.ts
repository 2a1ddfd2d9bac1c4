/** Hooks of a run that ended in nobody's hands: the engine tells a worker, and the worker calls them. */
import type { WorkHint } from '../protocol/messages.ts';
import { isTerminal } from '../protocol/states.ts';
import type { Client } from './client/client.ts';
import { inputsOf, runHooks, shownState, type HookContext } from './hooks.ts';
import { errorOf } from './outcomes.ts';
import { logOf } from './run-logger.ts';
import type { Settings } from './settings.ts';

export type HookHint = WorkHint & { readonly hook: NonNullable<WorkHint['hook']> };

export const isHookHint = (hint: WorkHint): hint is HookHint => hint.hook !== undefined;

/** Calls the hooks that the hint is about; resolves when they have been called. A hint may come more than once. */
export async function runHooksOf(client: Client, settings: Settings, hint: HookHint): Promise<void> {
  const { hook } = hint.hook;
  const hooks = settings.hooks?.[hook];
  if (hooks === undefined) return;
  await runHooks({
    client,
    hooks,
    hook,
    redact: settings.redact,
    context: await contextOf(client, settings, hint),
    warn: (error, words) => {
      logOf(client, hint.run, settings.redact).error({ err: error }, words);
    },
  });
  client.logs.flush(hint.run);
}

async function contextOf(client: Client, { name }: Settings, hint: HookHint): Promise<HookContext> {
  const { run, kind = 'flow', parameters } = hint;
  const { state } = hint.hook;
  const view = await client.runView(run);
  return {
    kind,
    name,
    runId: run,
    flowRunId: run,
    attempt: view?.attempt ?? 0,
    inputs: inputsOf(kind, await client.read(parameters)),
    state: shownState(state, await outcomeOf(client, `${kind === 'task' ? 'Task' : 'Flow'} '${name}'`, state)),
  };
}

async function outcomeOf(
  client: Client,
  whose: string,
  state: HookHint['hook']['state'],
): Promise<{ value?: unknown; error?: unknown }> {
  if (!isTerminal(state)) return {};
  if (state.type === 'COMPLETED') return { value: await client.read(state.result) };
  // Of a process that died nobody knows more than the state's own message.
  return state.type === 'CRASHED' ? {} : { error: await errorOf(client, state, whose) };
}
