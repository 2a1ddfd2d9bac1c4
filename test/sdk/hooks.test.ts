/** Hooks of flows and tasks, against the real arbiter and the real rules, in memory. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RunId } from '../../protocol/ids.ts';
import { stateAfter } from '../../protocol/rulings.ts';
import type { State } from '../../protocol/states.ts';
import type { Client } from '../../sdk/client/client.ts';
import { useClient } from '../../sdk/client/connect.ts';
import { flowDefinition } from '../../sdk/flow.ts';
import { cancelRun, flow, flowRun, task, taskRun, type HookContext, type HookFunction } from '../../sdk/index.ts';
import { runHooksOf } from '../../sdk/owed-hooks.ts';
import { memoryWorkspace, type MemoryLink, type MemoryWorkspace } from './arbiter-in-memory.ts';
import { gate, kindOf } from './waiting.ts';

let workspace: MemoryWorkspace;
let client: Client;
let link: MemoryLink;
let seen: string[] = [];

beforeEach(async () => {
  workspace = await memoryWorkspace();
  ({ client, link } = await workspace.connect());
  useClient(client);
  seen = [];
});

afterEach(async () => {
  useClient(undefined);
  await workspace.stop();
});

const note =
  (hook: string): HookFunction =>
  ({ name, state }) => {
    seen.push(`${name} ${hook} ${state.name}`);
  };
const all = {
  onRunning: note('onRunning'),
  onCompletion: note('onCompletion'),
  onFailure: note('onFailure'),
  onCancellation: note('onCancellation'),
  onCrashed: note('onCrashed'),
};

/** Once all that hooks did is recorded, as the process waits for it too. */
async function hooksRan(): Promise<string[]> {
  while (link.held > 0) await new Promise((resolve) => setImmediate(resolve));
  return (await workspace.rulings()).flatMap(({ proposal }) => {
    if (proposal.kind !== 'workspace' || proposal.event.type !== 'HOOK_RAN') return [];
    const { hook, function: name = '', error } = proposal.event;
    return [`${hook} ${name}${error === undefined ? '' : ' failed'}`];
  });
}

const rootRun = async (): Promise<RunId> => {
  const first = (await workspace.rulings()).find(({ proposal }) => proposal.kind === 'flow')?.proposal;
  return first?.kind === 'flow' ? first.run : ('' as RunId);
};

const endOf = async (run: string): Promise<string> =>
  (await workspace.rulings())
    .flatMap((ruling) => {
      const state = stateAfter(ruling);
      return ruling.proposal.kind !== 'workspace' && ruling.proposal.run === run && state !== undefined ? [state] : [];
    })
    .map(({ type, name }) => `${type} ${name}`)
    .at(-1) ?? '';

describe('hooks', () => {
  test('are called in the order of the states, of a flow and of its task, and their calls are recorded', async () => {
    const work = task({ name: 'work', ...all }, () => 7);
    const nightly = flow({ name: 'nightly', ...all }, () => work());
    expect(await nightly()).toBe(7);
    expect(seen).toEqual([
      'nightly onRunning Running',
      'work onRunning Running',
      'work onCompletion Completed',
      'nightly onCompletion Completed',
    ]);
    expect(await hooksRan()).toHaveLength(4);
  });

  test('are called again for each attempt that runs, and for a failure only when it is the last word', async () => {
    const flaky = task({ name: 'flaky', retries: 2, ...all }, () => {
      if (taskRun().attempt < 3) throw new Error('not yet');
    });
    const hopeless = task({ name: 'hopeless', retries: 1, ...all }, (): void => {
      throw new Error('never');
    });
    const nightly = flow({ name: 'nightly', retries: 1, ...all }, async () => {
      await flaky();
      await hopeless();
    });
    await kindOf(nightly());
    const round = ['hopeless onRunning Running', 'hopeless onRunning Retrying', 'hopeless onFailure Failed'];
    expect(seen.filter((one) => !one.startsWith('nightly'))).toEqual([
      'flaky onRunning Running',
      'flaky onRunning Retrying',
      'flaky onRunning Retrying',
      'flaky onCompletion Completed',
      ...round,
      ...round.map((one) => one.replace('onRunning Running', 'onRunning Retrying')),
    ]);
    expect(seen.filter((one) => one.startsWith('nightly'))).toEqual([
      'nightly onRunning Running',
      'nightly onRunning Retrying',
      'nightly onFailure Failed',
    ]);
  });

  test('know the run, its inputs, and what it came to', async () => {
    const told: HookContext[] = [];
    const keep: HookFunction = (context) => told.push(context);
    const bad = new RangeError('bad');
    const work = task({ name: 'work', onCompletion: keep, onFailure: keep }, (n: number) => {
      if (n > 1) throw bad;
      return n + 1;
    });
    let run = '';
    const nightly = flow({ name: 'nightly', onFailure: keep }, async ({ n }: { n: number }) => {
      run = flowRun().id;
      await work(n);
      await work(n + 1);
    });
    await kindOf(nightly({ n: 1 }));
    expect(told).toMatchObject([
      { kind: 'task', name: 'work', flowRunId: run, attempt: 1, inputs: [1], state: { type: 'COMPLETED', value: 2 } },
      { kind: 'task', name: 'work', flowRunId: run, inputs: [2], state: { type: 'FAILED', error: bad } },
      { kind: 'flow', name: 'nightly', runId: run, flowRunId: run, inputs: [{ n: 1 }], state: { error: bad } },
    ]);
  });

  test('of one state are called one after the other; one that fails is logged and recorded, and changes nothing', async () => {
    const first = async (): Promise<void> => {
      seen.push('first begins');
      await new Promise((resolve) => setImmediate(resolve));
      seen.push('first ends');
    };
    const second = (): never => {
      seen.push('second');
      throw new RangeError('of the hook');
    };
    const third = (): void => {
      seen.push('third');
    };
    let run = '';
    const nightly = flow({ name: 'nightly', onCompletion: [first, second, third] }, () => {
      run = flowRun().id;
      return 'done';
    });
    expect(await nightly()).toBe('done');
    expect(seen).toEqual(['first begins', 'first ends', 'second', 'third']);
    expect(await hooksRan()).toEqual(['onCompletion first', 'onCompletion second failed', 'onCompletion third']);
    expect(await endOf(run)).toBe('COMPLETED Completed');
    const logged = link.logged.map(({ lines }) => lines).join('');
    expect(logged).toContain("the hook onCompletion of flow 'nightly' failed");
    expect(logged).toContain('of the hook');
  });

  test('whoever waits for a flow hears of its end when all hooks have ended, those of its tasks too', async () => {
    const slow = (what: string) => async (): Promise<void> => {
      for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      seen.push(what);
    };
    const work = task({ name: 'work', onRunning: slow('running'), onCompletion: slow('completed') }, () => 1);
    await flow({ name: 'nightly', onCompletion: slow('flow completed') }, async () => {
      await work();
      seen.push('the task’s caller goes on');
    })();
    expect(seen.filter((one) => !one.startsWith('flow'))).toEqual([
      'the task’s caller goes on',
      'running',
      'completed',
    ]);
    expect(seen).toContain('flow completed');
  });

  test('run outside of the run: a task that one calls is a plain function', async () => {
    const notify = task({ name: 'notify' }, (text: string) => {
      seen.push(text);
      return kindOf(Promise.resolve().then(() => taskRun()));
    });
    const work = task({ name: 'work', onCompletion: async () => seen.push(await notify('of the task')) }, () => 1);
    const nightly = flow({ name: 'nightly', onCompletion: async () => seen.push(await notify('of the flow')) }, () =>
      work(),
    );
    await nightly();
    expect(seen.sort()).toEqual(['OUTSIDE_RUN', 'OUTSIDE_RUN', 'of the flow', 'of the task']);
    const rulings = await workspace.rulings();
    expect(rulings.some(({ proposal: p }) => p.kind !== 'workspace' && p.create?.name === 'notify')).toBe(false);
  });

  test('onCancellation is called when the run has been cancelled, and not before', async () => {
    const begun = gate();
    const states: string[] = [];
    const on = {
      onCancellation: async ({ name, runId, state }: HookContext): Promise<void> => {
        seen.push(`${name} ${state.name}`);
        states.push((await client.runView(runId as RunId))?.state.type ?? '');
      },
    };
    const hang = task({ name: 'hang', ...on }, async () => {
      begun.open();
      const { signal } = taskRun();
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => {
          resolve();
        });
      });
      throw new Error('stopped');
    });
    const outcome = kindOf(flow({ name: 'nightly', ...on }, () => hang())());
    await begun.opened;
    await cancelRun(await rootRun());
    expect(await outcome).toBe('CANCELLED');
    expect(seen.sort()).toEqual(['hang Cancelled', 'nightly Cancelled']);
    expect(states).toEqual(['CANCELLED', 'CANCELLED']);
  });

  test('of a task that is still at work when its flow fails are called when it is ended', async () => {
    const hang = task({ name: 'hang', ...all }, () => new Promise<never>(() => undefined));
    const fail = task({ name: 'fail' }, (): void => {
      throw new Error('no');
    });
    await kindOf(flow({ name: 'nightly' }, () => Promise.all([hang(), fail()]))());
    expect(seen).toEqual(['hang onRunning Running', 'hang onCancellation Cancelled']);
  });

  test('of a subflow are called like its parent’s, and not again when it is answered from the record', async () => {
    const child = flow({ name: 'child', retries: 1, ...all }, () => {
      if (flowRun().attempt === 1) throw new Error('again');
    });
    const parent = flow({ name: 'parent', retries: 1, ...all }, async () => {
      await child();
      if (flowRun().attempt === 1) throw new Error('again');
    });
    await parent();
    expect(seen).toEqual([
      'parent onRunning Running',
      'child onRunning Running',
      'child onRunning Retrying',
      'child onCompletion Completed',
      'parent onRunning Retrying',
      'parent onCompletion Completed',
    ]);
  });

  test('of a time-out are those of a failure', async () => {
    const hang = (): Promise<never> => new Promise(() => undefined);
    const slow = task({ name: 'slow', timeout: 50, ...all }, hang);
    await kindOf(flow({ name: 'nightly', ...all }, () => slow())());
    await kindOf(flow({ name: 'whole', timeout: 50, ...all }, hang)());
    expect(seen.filter((one) => one.includes('onFailure'))).toEqual([
      'slow onFailure TimedOut',
      'nightly onFailure Failed',
      'whole onFailure TimedOut',
    ]);
  });
});

describe('onCrashed', () => {
  test('is called by the script that goes on with the run, before it does, once for each crash', async () => {
    let hangs = gate();
    let crashes = 2;
    const work = task({ name: 'work' }, async () => {
      if (crashes === 0) return 'done';
      crashes -= 1;
      hangs.open();
      return new Promise<string>(() => undefined);
    });
    const told: HookContext[] = [];
    const nightly = flow(
      {
        name: 'nightly',
        retries: 1,
        onCrashed: [(context) => told.push(context), all.onCrashed],
        onRunning: all.onRunning,
        onCompletion: all.onCompletion,
      },
      async ({ day }: { day: number }) => {
        seen.push('runs');
        return `${await work()} ${String(day)}`;
      },
    );
    for (let crash = 0; crash < 2; crash += 1) {
      nightly({ day: 7 }).catch(() => undefined);
      await hangs.opened;
      hangs = gate();
      link.mute = true;
      link.deaf = true;
      ({ client, link } = await workspace.connect());
      useClient(client);
      const to: State = { type: 'CRASHED', name: 'Crashed', message: 'its process died' };
      const run = await rootRun();
      const { execution = 0 } = (await client.runView(run)) ?? {};
      await client.session.ask({ kind: 'flow', run, to, report: true, execution });
    }
    expect(await nightly({ day: 7 })).toBe('done 7');
    expect(seen).toEqual([
      ...['nightly onRunning Running', 'runs'],
      ...['nightly onCrashed Crashed', 'nightly onRunning Retrying', 'runs'],
      ...['nightly onCrashed Crashed', 'nightly onRunning Retrying', 'runs'],
      'nightly onCompletion Completed',
    ]);
    expect(told).toMatchObject([
      { attempt: 1, inputs: [{ day: 7 }], state: { type: 'CRASHED', message: 'its process died' } },
      { attempt: 2 },
    ]);
  });
});

test('a worker calls the hooks of a run that ended in nobody’s hands, as the hint says', async () => {
  const told: HookContext[] = [];
  const nightly = flow(
    { name: 'nightly', onCancellation: [(context) => told.push(context), () => Promise.reject(new Error('no'))] },
    ({ day }: { day: number }) => day,
  );
  const { startRun } = await import('../../sdk/index.ts');
  const run = await startRun(nightly, { day: 7 }, { at: Date.now() + 60_000 });
  run.result().catch(() => undefined);
  await cancelRun(run.id, 'not on a holiday');
  const hint = workspace.hints.find(({ hook }) => hook !== undefined);
  const definition = flowDefinition(nightly);
  if (hint?.hook === undefined || definition === undefined) throw new Error('there is no hint');
  await runHooksOf(client, definition.settings, { v: 1, ...hint, hook: hint.hook });
  expect(told).toMatchObject([{ runId: run.id, inputs: [{ day: 7 }], state: { type: 'CANCELLED' } }]);
  expect(await hooksRan()).toEqual(['onCancellation ', 'onCancellation  failed']);
  expect(link.logged.map(({ lines }) => lines).join('')).toContain('the hook onCancellation');
});
