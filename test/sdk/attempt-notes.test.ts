/** What a process says in its logs by itself: failed attempts, changed inputs, and that it goes on with an earlier run. */
import { AsyncResource } from 'node:async_hooks';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { State } from '../../protocol/states.ts';
import type { RunId } from '../../protocol/ids.ts';
import { useClient } from '../../sdk/client/connect.ts';
import { flow, flowRun, runLogger, sleep, task } from '../../sdk/index.ts';
import { memoryWorkspace, type MemoryWorkspace } from './arbiter-in-memory.ts';
import { gate, kindOf } from './waiting.ts';

let workspace: MemoryWorkspace;
let said: string[];

beforeEach(async () => {
  vi.stubEnv('ASSENT_LOG', undefined);
  said = [];
  vi.spyOn(process.stderr, 'write').mockImplementation((line) => said.push(String(line)) > 0);
  workspace = await memoryWorkspace();
  useClient((await workspace.connect()).client);
});

afterEach(async () => {
  useClient(undefined);
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  await workspace.stop();
});

test('what is logged goes to standard error unless ASSENT_LOG is quiet, with the day where nobody watches', async () => {
  const talk = flow({ name: 'talk' }, () => {
    runLogger().info('heard');
  });
  await talk();
  expect(said.join('')).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO .* heard\n$/);
  vi.stubEnv('ASSENT_LOG', 'quiet');
  await talk();
  expect(said).toHaveLength(1);
});

test('each failed attempt is a line: a warning while there is another, then an error', async () => {
  const flaky = task({ name: 'flaky', retries: 1 }, () => {
    throw new Error('no luck');
  });
  await expect(flow({ name: 'lucky' }, () => flaky())()).rejects.toThrow('no luck');
  expect(said).toHaveLength(2);
  expect(said[0]).toMatch(/ WARN {2}.*flaky {2}attempt 1 failed: Error: no luck; the next one begins at \d{4}-/);
  expect(said[1]).toMatch(/ ERROR .*flaky {2}attempt 2 failed: Error: no luck\n$/);
});

test('a task that changes its inputs is warned of, once; one that does not, and what has no parts, is not', async () => {
  const add = task({ name: 'add' }, (rows: number[]) => {
    rows.push(rows.length);
  });
  const look = task({ name: 'look' }, (rows: readonly number[], _n: number) => rows.length);
  const growing = flow({ name: 'growing' }, async () => {
    const rows = [7];
    await add(rows);
    await add(rows);
    await look(rows, 1);
  });
  await growing();
  await growing();
  expect(said).toHaveLength(1);
  expect(said[0]).toMatch(/ WARN .*add {2}its inputs were changed while it ran/);
});

test('calls that are left behind when the function ends are named, and later ones are not done', async () => {
  const step = task({ name: 'step' }, (n: number) => n);
  const leaves = flow({ name: 'leaves' }, () => {
    const made = (async () => {
      await step(1);
      await step(2);
    })();
    void sleep('1h');
    void made;
    return 'ended';
  });
  expect(await leaves()).toBe('ended');
  expect(said[0]).toMatch(/ WARN .*an await is missing before sleep/);
  expect(said[1]).toMatch(/ INFO .*does not wait for 1 of its calls \('step'\): they are cancelled/);
  let goOn = (): void => undefined;
  const calls = flow({ name: 'calls' }, () => {
    goOn = AsyncResource.bind(() => void step(3).then(() => said.push('done')));
  });
  await calls();
  goOn();
  goOn();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(said).toHaveLength(3);
  expect(said[2]).toMatch(/ WARN .*'step' was called when the function had ended, and is not done/);
});

test('a script that goes on with what an earlier process left says so, and how to begin anew', async () => {
  const begun = gate();
  let isOver = false;
  const step = task({ name: 'step' }, () => undefined);
  const steps = flow({ name: 'steps' }, async () => {
    await step();
    if (isOver) return;
    begun.open();
    id = flowRun().id;
    await new Promise(() => undefined);
  });
  let id = '';
  const lost = kindOf(steps());
  await begun.opened;
  const to: State = { type: 'CRASHED', name: 'Crashed' };
  const { client: operator } = await workspace.connect();
  await operator.session.ask({ kind: 'flow', run: id as RunId, to, report: true, execution: 1 });
  expect(await lost).toBe('FENCED');
  isOver = true;
  await steps();
  expect(said.join('')).toContain(
    `goes on with run ${id}, which an earlier process left unfinished: attempt 2, 1 call is answered from the record; with ASSENT_FRESH=1`,
  );
});
