/** What nobody awaits: it harms no process, what it does is done, and its failure is seen. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunId } from '../../protocol/ids.ts';
import { useClient } from '../../sdk/client/connect.ts';
import { artifacts, flow, flowRun, receive, send, sleep, variables, waitForEvent } from '../../sdk/index.ts';
import { memoryWorkspace, type MemoryWorkspace } from './arbiter-in-memory.ts';

let workspace: MemoryWorkspace;

beforeEach(async () => {
  workspace = await memoryWorkspace();
  useClient((await workspace.connect()).client);
});

// An unhandled rejection anywhere fails the run of the tests.
afterEach(async () => {
  useClient(undefined);
  await workspace.stop();
});

test('a wait that nobody awaits does not keep its flow', async () => {
  const waits = flow({ name: 'waits' }, () => {
    void sleep('1h');
    void receive('never');
    void waitForEvent('never', { timeout: '1h' });
    return 'gone on';
  });
  expect(await waits()).toBe('gone on');
});

test('what is sent, set or shown is done before the flow ends', async () => {
  const does = flow({ name: 'does' }, () => {
    void send(flowRun().id, 'note', 1);
    void variables.set('note', 2);
    void artifacts.markdown('note', 'three');
    return 'done';
  });
  expect(await does()).toBe('done');
  const carried = (await workspace.rulings()).flatMap(({ proposal, outcome }) =>
    proposal.kind !== 'workspace' && proposal.carries !== undefined ? [`${outcome} ${proposal.carries.type}`] : [],
  );
  expect(carried.sort()).toEqual(['accepted ARTIFACT_MADE', 'accepted MESSAGE_SENT', 'accepted VARIABLE_SET']);
});

test('its failure is the flow’s, and no unhandled rejection', async () => {
  const stranger = 'zzzzzzzzzzzzzzzz' as RunId;
  const bad = flow({ name: 'bad' }, () => {
    void send(stranger, 'note', 1);
    return 'fine';
  });
  await expect(bad()).rejects.toMatchObject({ kind: 'UNAWAITED_FAILURE' });
  const worse = flow({ name: 'worse' }, () => {
    void variables.set('No Such Name', 1);
    return 'fine';
  });
  await expect(worse()).rejects.toMatchObject({ kind: 'UNAWAITED_FAILURE' });
});
