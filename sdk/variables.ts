/** Variables of the workspace: named values that flows read and people set. */
import { AssentError } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import type { VariableView } from '../protocol/messages.ts';
import { VARIABLE_NAME } from '../protocol/proposals.ts';
import { checkOptions, tags as tagList } from './checked-options.ts';
import type { Client } from './client/client.ts';
import { recordedCall, watched } from './recorded-call.ts';
import { redactionIn } from './redaction.ts';
import { scopes } from './scope.ts';
import { encodeText, recorded } from './values.ts';
import { happen, inWorkspace, propose } from './workspace-calls.ts';

/** What a variable is besides its value. */
export interface VariableOptions {
  /** To find it by; they replace the ones before. Default: none. */
  readonly tags?: readonly string[];
}

/**
 * Named values of the workspace. A name has `a-z`, `0-9`, `_` and `-`, at most 255 characters; a value is anything that can
 * be recorded. In a flow, `get`, `set` and `unset` are calls: a flow that runs again after a crash gets the value that it
 * got before, and does not set it twice. In a task and outside of runs they are done as they come.
 *
 * @throws AssentError BAD_OPTION for a name that is none, or a wrong option; REJECTED if a rule refused, or the workspace has too many;
 * VALUE_NOT_SERIALIZABLE.
 * @example
 * import { flow, variables } from 'assent';
 *
 * await variables.set('rate-per-minute', 60, { tags: ['ops'] });
 * const report = flow({ name: 'report' }, async () => variables.get('rate-per-minute', 10));
 * console.log(await report()); // 60
 * await variables.unset('rate-per-minute');
 * console.log(await variables.get('rate-per-minute')); // undefined
 */
export const variables: Variables = {
  get(name: string, fallback?: unknown) {
    return watched(async () => {
      checkName(name);
      const scope = scopes.getStore();
      const value = await (scope?.type === 'flow'
        ? recordedCall(scope, { name: 'variables.get', inputs: [name] }, () => read(scope.client, name))
        : inWorkspace((client) => read(client, name)));
      return (value === undefined ? fallback : value) as never;
    });
  },

  set(name, value, options = {}) {
    return watched(async () => {
      checkName(name);
      checkOptions(`The variable '${name}'`, options, { tags: tagList.optional() });
      const { tags = [] } = options;
      const whose = `The variable '${name}'`;
      const shown = redactionIn(scopes.getStore())?.ofData(value) ?? value;
      const text = recorded(encodeText(shown, whose), whose);
      const named = { type: 'VARIABLE_SET', name, value: text.value } as const;
      await happen(text, {
        call: { name: 'variables.set', inputs: [name, value, tags] },
        event: tags.length === 0 ? named : { ...named, tags },
        whose: `Setting the variable '${name}'`,
      });
    });
  },

  unset(name) {
    return watched(async () => {
      checkName(name);
      const remove = (client: Client): Promise<void> =>
        propose(client, { type: 'VARIABLE_REMOVED', name }, `Removing the variable '${name}'`);
      const scope = scopes.getStore();
      if (scope?.type !== 'flow') await inWorkspace(remove);
      else await recordedCall(scope, { name: 'variables.unset', inputs: [name] }, () => remove(scope.client));
    });
  },
};

/** What {@link variables} can do. */
export interface Variables {
  /** The value; `fallback` if the variable is not set, by default undefined. What it is, nobody has checked. */
  get(name: string): Promise<unknown>;
  get<T>(name: string, fallback: T): Promise<T>;
  /** Sets it, or replaces the value that it has. */
  set(name: string, value: unknown, options?: VariableOptions): Promise<void>;
  /** Removes it, if it is there. */
  unset(name: string): Promise<void>;
}

async function read(client: Client, name: string): Promise<unknown> {
  const { value } = (await client.link.ask({ v: 1, type: 'VARIABLE', name })) as VariableView;
  return client.read(value);
}

function checkName(name: string): void {
  if (VARIABLE_NAME.test(name) && name.length <= LIMITS.variableNameMax) return;
  const most = String(LIMITS.variableNameMax);
  throw new AssentError('BAD_OPTION', `A variable's name has a-z, 0-9, '_' and '-', at most ${most}, not '${name}'.`);
}
