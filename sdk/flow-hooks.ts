/** The hooks of a flow run, when it has entered a state. */
import type { RunId } from '../protocol/ids.ts';
import type { RunView } from '../protocol/messages.ts';
import { isTerminal, type State, type TerminalType } from '../protocol/states.ts';
import type { Client } from './client/client.ts';
import { HOOK_OF, runHooks } from './hooks.ts';
import { logOf, logOfRun } from './run-logger.ts';
import { scopes, type FlowScope } from './scope.ts';
import type { Settings } from './settings.ts';

type Of = {
  readonly client: Client;
  readonly kind?: 'task';
  readonly run: RunId;
  readonly flow: { readonly settings: Settings };
};

/** Calls those that belong to the state; undefined if there are none. `meaning`: what an end means to the caller. */
export function flowHook(
  of: Of,
  scope: FlowScope,
  state: State,
  meaning?: Promise<unknown>,
): Promise<void> | undefined {
  const { client, kind = 'flow', run, flow } = of;
  const hook = isTerminal(state) ? HOOK_OF[state.type as TerminalType] : 'onRunning';
  const hooks = flow.settings.hooks?.[hook];
  if (hooks === undefined) return undefined;
  const before = called.get(of);
  const calling = (async () => {
    if (before !== undefined) await before;
    const { type, name, message } = state;
    const said = { type, name, ...(message === undefined ? {} : { message }) };
    await runHooks({
      client,
      hooks,
      hook,
      context: {
        kind,
        name: flow.settings.name,
        runId: run,
        flowRunId: run,
        attempt: scope.attempt,
        inputs: inputsOf(kind, scope.parameters),
        state: { ...said, ...(meaning === undefined ? {} : await outcomeOf(meaning)) },
      },
      warn: (error, words) => {
        scopes.run(scope, () => {
          logOfRun(scope).error({ err: error }, words);
        });
      },
    });
  })();
  called.set(of, calling);
  void calling.finally(() => {
    if (called.get(of) === calling) called.delete(of);
  });
  return calling;
}

/** Calls those for a crash of which the run goes on now. */
export async function crashHook(of: Of, crashed: RunView, parameters: unknown): Promise<void> {
  const { client, run, flow } = of;
  const hooks = flow.settings.hooks?.onCrashed;
  if (hooks === undefined) return;
  const { name } = flow.settings;
  const { type, name: stateName, message } = crashed.state;
  await runHooks({
    client,
    hooks,
    hook: 'onCrashed',
    context: {
      kind: 'flow',
      name,
      runId: run,
      flowRunId: run,
      attempt: crashed.attempt,
      inputs: parameters === undefined ? [] : [parameters],
      // Of a process that died nobody knows more than the state's own message.
      state: { type, name: stateName, ...(message === undefined ? {} : { message }) },
    },
    warn: (error, words) => {
      logOf(client, run).error({ err: error }, words);
    },
  });
}

/** The hooks of a run that have not ended: those of its next state are called after them. */
const called = new WeakMap<Of, Promise<void>>();

function inputsOf(kind: 'flow' | 'task', parameters: unknown): readonly unknown[] {
  if (kind === 'task') return parameters as readonly unknown[];
  return parameters === undefined ? [] : [parameters];
}

async function outcomeOf(meaning: Promise<unknown>): Promise<{ value?: unknown; error?: unknown }> {
  try {
    const value = await meaning;
    return value === undefined ? {} : { value };
  } catch (error) {
    return { error };
  }
}
