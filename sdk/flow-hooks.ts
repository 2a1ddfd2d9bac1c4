/** The hooks of a flow run, when it has entered a state. */
import type { RunId } from '../protocol/ids.ts';
import type { RunView } from '../protocol/messages.ts';
import { isTerminal, type State, type TerminalType } from '../protocol/states.ts';
import type { Client } from './client/client.ts';
import { HOOK_OF, inputsOf, runHooks, shownState } from './hooks.ts';
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
    await runHooks({
      client,
      hooks,
      hook,
      redact: scope.redactAll,
      context: {
        kind,
        name: flow.settings.name,
        runId: run,
        flowRunId: run,
        attempt: scope.attempt,
        inputs: inputsOf(kind, scope.parameters),
        state: shownState(state, meaning === undefined ? {} : await outcomeOf(meaning)),
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
  await runHooks({
    client,
    hooks,
    hook: 'onCrashed',
    redact: flow.settings.redact,
    context: {
      kind: 'flow',
      name: flow.settings.name,
      runId: run,
      flowRunId: run,
      attempt: crashed.attempt,
      inputs: inputsOf('flow', parameters),
      // Of a process that died nobody knows more than the state's own message.
      state: shownState(crashed.state),
    },
    warn: (error, words) => {
      logOf(client, run, flow.settings.redact).error({ err: error }, words);
    },
  });
}

/** The hooks of a run that have not ended: those of its next state are called after them. */
const called = new WeakMap<Of, Promise<void>>();

async function outcomeOf(meaning: Promise<unknown>): Promise<{ value?: unknown; error?: unknown }> {
  try {
    return { value: await meaning };
  } catch (error) {
    return { error };
  }
}
