/** The hooks of a flow run, when it has entered a state. */
import type { RunId } from '../protocol/ids.ts';
import { isTerminal, type State, type TerminalType } from '../protocol/states.ts';
import type { Client } from './client/client.ts';
import { HOOK_OF, runHooks } from './hooks.ts';
import { logOfRun } from './run-logger.ts';
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
    await before;
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
        state: { ...said, ...(await outcomeOf(meaning)) },
      },
      warn: (error, words) => {
        scopes.run(scope, () => {
          logOfRun(scope).error({ err: error }, words);
        });
      },
    });
  })();
  called.set(of, calling);
  return calling;
}

/** The hooks of a run that were called last: those of its next state are called after them. */
const called = new WeakMap<Of, Promise<void>>();

function inputsOf(kind: 'flow' | 'task', parameters: unknown): readonly unknown[] {
  if (kind === 'task') return parameters as readonly unknown[];
  return parameters === undefined ? [] : [parameters];
}

async function outcomeOf(meaning: Promise<unknown> | undefined): Promise<{ value?: unknown; error?: unknown }> {
  if (meaning === undefined) return {};
  try {
    const value = await meaning;
    return value === undefined ? {} : { value };
  } catch (error) {
    return { error };
  }
}
