/** Variables of a workspace in the fold: set, replaced, removed, and set by what a call's end carries. */
import { describe, expect, test } from 'vitest';
import type { RunId } from '../../protocol/ids.ts';
import { LIMITS } from '../../protocol/limits.ts';
import type { RunDefinition, VariableSet } from '../../protocol/proposals.ts';
import { sha256 } from '../../protocol/segment.ts';
import type { State } from '../../protocol/states.ts';
import { Desk, runId, type DraftOfWish } from '../support/worlds.ts';

const FLOW = runId('flow');
const TASK = `${FLOW}.task` as RunId;
const RUNNING: State = { type: 'RUNNING', name: 'Running' };

const set = (name: string, inline: string, more: Partial<VariableSet> = {}): VariableSet => ({
  type: 'VARIABLE_SET',
  name,
  value: { digest: sha256(inline), size: inline.length, inline },
  ...more,
});
const ofWorkspace = (event: VariableSet | { type: 'VARIABLE_REMOVED'; name: string }): DraftOfWish => ({
  kind: 'workspace',
  event,
});
const end = (to: State, carries: VariableSet): DraftOfWish => ({
  kind: 'task',
  run: TASK,
  to,
  report: true,
  execution: 1,
  carries,
});

function withTask(more: Partial<RunDefinition> = {}): Desk {
  const desk = new Desk();
  desk.ask('one', { kind: 'flow', run: FLOW, to: RUNNING, claim: true, create: { kind: 'flow', name: 'f' } });
  const create = { kind: 'task', name: 't', parent: FLOW, ...more } as const;
  desk.ask('one', { kind: 'task', run: TASK, to: RUNNING, execution: 1, create });
  return desk;
}

describe('a variable', () => {
  test('is what it was set to last, with who set it and when, until it is removed', () => {
    const desk = new Desk();
    desk.ask('one', ofWorkspace(set('rate', '[1]', { tags: ['ops'] })));
    expect(desk.workspace.variables.get('rate')).toMatchObject({ value: { inline: '[1]' }, tags: ['ops'] });
    desk.pass(1000);
    const { atMs } = desk.ask('two', { ...ofWorkspace(set('rate', '[2]')), onBehalfOf: 'Ada' })!;
    const kept = { value: set('rate', '[2]').value, by: 'Ada', atMs };
    expect(desk.workspace.variables.get('rate')).toStrictEqual(kept);
    desk.ask('one', ofWorkspace({ type: 'VARIABLE_REMOVED', name: 'rate' }));
    expect(desk.workspace.variables.get('rate')).toBeUndefined();
  });

  test('that a completion carries is set with it, once', () => {
    const desk = withTask();
    desk.ask('one', end({ type: 'COMPLETED', name: 'Completed' }, set('rate', '[1]')));
    expect(desk.workspace.variables.get('rate')?.value.inline).toBe('[1]');
    expect(desk.ask('one', end({ type: 'COMPLETED', name: 'Completed' }, set('rate', '[2]')))?.outcome).toBe(
      'rejected',
    );
    expect(desk.workspace.variables.get('rate')?.value.inline).toBe('[1]');
  });

  test('that is carried by what a rule makes something else of is not set', () => {
    const desk = withTask({ retry: { retriesMax: 1, delaysMs: [100], jitter: 0 } });
    const ruling = desk.ask('one', end({ type: 'FAILED', name: 'Failed', retriable: true }, set('rate', '[1]')));
    expect(ruling?.outcome).toBe('rewritten');
    expect(desk.workspace.variables.get('rate')).toBeUndefined();
  });

  test('too many is refused, one that is there can still be set', () => {
    const desk = withTask();
    const { value } = set('any', '[1]');
    for (let n = 0; n < LIMITS.variablesMax; n += 1) {
      desk.workspace.variables.set(`v${String(n)}`, { value, by: 'sdk', atMs: 0 as never });
    }
    const refused = desk.ask('one', ofWorkspace(set('one-more', '[1]')));
    expect(refused).toMatchObject({ outcome: 'rejected', trail: [{ code: 'VARIABLES_FULL' }] });
    expect(desk.ask('one', ofWorkspace(set('v7', '[1]')))?.outcome).toBe('accepted');
    const carried = desk.ask('one', end({ type: 'COMPLETED', name: 'Completed' }, set('one-more', '[1]')));
    expect(carried?.outcome).toBe('rejected');
  });
});

test('artifacts and hook records change nothing that anybody is judged by', () => {
  const desk = withTask();
  const rows = (): unknown[] =>
    desk.workspace
      .tables()
      .filter(({ name }) => !['meta', 'sessions', 'answered'].includes(name))
      .map((table) => [...table.entries()]);
  const before = rows();
  desk.ask('one', { kind: 'workspace', event: { type: 'HOOK_RAN', run: FLOW, hook: 'onFailure' } });
  const { value: data } = set('any', '["text"]');
  desk.ask('one', { kind: 'workspace', event: { type: 'ARTIFACT_MADE', run: FLOW, key: 'k', kind: 'markdown', data } });
  expect(rows()).toEqual(before);
});
