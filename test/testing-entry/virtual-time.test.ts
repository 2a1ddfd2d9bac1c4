/** Flows in virtual time: what takes weeks takes milliseconds, and comes out alike each time. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import timers from 'node:timers';
import { setInterval as ticks, setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { isReproduced, replayLedger } from '../../engine/replay/replay.ts';
import { decodeSegment } from '../../protocol/segment.ts';
import { before, definePolicies } from '../../rules/compose.ts';
import { court } from '../../rules/judge.ts';
import { corePolicies } from '../../rules/policy.ts';
import { defineRule, reject } from '../../rules/rule.ts';
import { flow, setLimit, signal, startRun, task } from '../../sdk/index.ts';
import { runInVirtualTime, type VirtualRun } from '../testing/index.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Fails so often, then succeeds. */
function flaky(failures: number, options: { retries: number; retryDelay?: '6h'; retryJitter?: number }) {
  let calls = 0;
  return task({ name: 'flaky', ...options }, () => {
    calls += 1;
    if (calls <= failures) throw new Error(`failure ${String(calls)}`);
    return calls;
  });
}

test('a flow that sleeps a week and retries ten times costs less than a second of work', async () => {
  const attempt = flaky(10, { retries: 10, retryDelay: '6h' });
  const patient = flow({ name: 'patient' }, async () => {
    await pause(7 * DAY_MS);
    return attempt();
  });
  // Not what the clock on the wall says: this machine may have other things to do.
  const before = process.cpuUsage();
  const run = await runInVirtualTime(patient);
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1000).toBeLessThan(1000);
  expect(run.value()).toBe(11);
  expect(run.tookMs).toBe(7 * DAY_MS + 10 * 6 * HOUR_MS);
  expect(run.state).toMatchObject({ type: 'COMPLETED' });
});

describe('what happens at its time', () => {
  test('an attempt that is not done in time is ended at the very moment', async () => {
    const slow = task({ name: 'slow', timeout: '3h' }, () => pause(DAY_MS, 'done'));
    const run = await runInVirtualTime(flow({ name: 'slow-flow' }, () => slow()));
    expect(run.outcome).toBe('failed');
    expect(run.error).toMatchObject({ kind: 'TIMED_OUT' });
    expect(run.tookMs).toBe(3 * HOUR_MS);
    expect(() => run.value()).toThrow(/not done in time/);
  });

  test('a cancel comes when it comes, and the flow has its grace', async () => {
    const forever = flow({ name: 'forever' }, async () => {
      await pause(20 * DAY_MS, undefined, { signal: signal() }).catch(() => undefined);
      await pause(10_000);
    });
    const run = await runInVirtualTime(forever, undefined, {
      meanwhile: async ({ sleep, cancel }) => {
        await sleep('2d');
        await cancel('enough');
      },
    });
    expect(run.error).toMatchObject({ kind: 'CANCELLED' });
    expect(run.state).toMatchObject({ type: 'CANCELLED' });
    expect(run.tookMs).toBe(2 * DAY_MS + 10_000);
    expect(run.why()).toContain('enough');
  });

  test('a run that waits for a slot begins when somebody gives it one', async () => {
    const guarded = flow({ name: 'guarded', limits: ['db'] }, () => 'done');
    const run = await runInVirtualTime(guarded, undefined, {
      limits: { db: 0 },
      meanwhile: async ({ sleep }) => {
        await sleep('5h');
        await setLimit('db', 1);
      },
    });
    expect(run.value()).toBe('done');
    expect(run.tookMs).toBe(5 * HOUR_MS);
    expect(run.rulings.map(({ outcome }) => outcome)).toContain('held');
  });

  test('a run that was started for a worker is executed by one', async () => {
    const late = flow({ name: 'late' }, async ({ hours }: { hours: number }) => {
      await pause(hours * HOUR_MS);
      return hours;
    });
    const starter = flow({ name: 'starter' }, async () => {
      await pause(DAY_MS);
      const handle = await startRun(late, { hours: 5 });
      return handle.result();
    });
    const run = await runInVirtualTime(starter, undefined, { serves: [late] });
    expect(run.value()).toBe(5);
    expect(run.tookMs).toBe(DAY_MS + 5 * HOUR_MS);
    expect(run.runs.map(({ name, state }) => [name, state.type])).toEqual([
      ['starter', 'COMPLETED'],
      ['late', 'COMPLETED'],
    ]);
  });
});

describe('every timer is virtual, by whichever way it was come by', () => {
  const HOURLY: Record<string, () => Promise<unknown>> = {
    setTimeout: () => new Promise((resolve) => setTimeout(resolve, HOUR_MS)),
    'setTimeout of node:timers': () => new Promise((resolve) => timers.setTimeout(resolve, HOUR_MS)),
    'setTimeout, promisified': () => promisify(setTimeout)(HOUR_MS),
    'scheduler.wait': () => timers.promises.scheduler.wait(HOUR_MS),
    setInterval: () =>
      new Promise<void>((resolve) => {
        let left = 6;
        const timer = setInterval(() => {
          left -= 1;
          if (left > 0) return;
          clearInterval(timer);
          resolve();
        }, HOUR_MS / 6);
      }),
    'setInterval of node:timers/promises': async () => {
      let left = 6;
      for await (const _ of ticks(HOUR_MS / 6)) if ((left -= 1) === 0) return;
    },
    'AbortSignal.timeout': () => pause(DAY_MS, undefined, { signal: AbortSignal.timeout(HOUR_MS) }).catch(() => 1),
    'a timer that was refreshed': () =>
      new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, HOUR_MS / 2);
        setTimeout(() => timer.refresh(), HOUR_MS / 2 - 1);
        setTimeout(() => undefined, 1);
      }).then(() => pause(1)),
  };

  test.each(Object.entries(HOURLY))('%s', async (_, wait) => {
    const run = await runInVirtualTime(
      flow({ name: 'hour' }, async () => {
        await wait();
      }),
    );
    expect(run.outcome).toBe('completed');
    expect(run.tookMs).toBe(HOUR_MS);
  });

  test('a timer that was cleared never fires, and setImmediate takes no time', async () => {
    const seen: string[] = [];
    const tidy = flow({ name: 'tidy' }, async () => {
      const timer = setTimeout(() => seen.push('cleared'), 1000);
      clearTimeout(timer);
      clearTimeout(undefined);
      await new Promise(setImmediate);
      seen.push('soon');
      await pause(2000);
    });
    const run = await runInVirtualTime(tidy);
    expect(seen).toEqual(['soon']);
    expect(run.tookMs).toBe(2000);
  });

  test('a timer that keeps no process alive fires too, while somebody waits for something', async () => {
    let ticks = 0;
    const ticking = flow({ name: 'ticking' }, async () => {
      setInterval(() => (ticks += 1), 1000).unref();
      await pause(10_500);
    });
    expect((await runInVirtualTime(ticking)).tookMs).toBe(10_500);
    expect(ticks).toBe(10);
    const endless = flow({ name: 'endless' }, () => {
      setInterval(() => (ticks += 1), 1000).unref();
      return new Promise(() => undefined);
    });
    expect((await runInVirtualTime(endless)).outcome).toBe('unfinished');
  });

  test('the time of day is virtual too', async () => {
    const seen: string[] = [];
    const dated = flow({ name: 'dated' }, async () => {
      seen.push(new Date().toISOString());
      const before = performance.now();
      await pause(DAY_MS);
      seen.push(new Date(Date.now()).toISOString(), String(performance.now() - before));
      expect(process.hrtime.bigint()).toBe(BigInt(DAY_MS) * 1_000_000n);
      expect(process.hrtime()).toEqual([DAY_MS / 1000, 0]);
      return new Date();
    });
    const run = await runInVirtualTime(dated, undefined, { startAt: '2028-02-28T12:00:00Z' });
    expect(seen).toEqual(['2028-02-28T12:00:00.000Z', '2028-02-29T12:00:00.000Z', String(DAY_MS)]);
    expect(run.value()).toBeInstanceOf(Date);
    expect(run.at).toBe(Date.parse('2028-02-29T12:00:00Z'));
  });

  test('outside of it, time is real, also while it runs', async () => {
    const { setTimeout: before, Date: Day } = globalThis;
    let isOver = false;
    const run = runInVirtualTime(flow({ name: 'long' }, () => pause(20 * DAY_MS))).then((ended) => {
      isOver = true;
      return ended;
    });
    const startedMs = Date.now();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(Date.now() - startedMs).toBeLessThan(5000);
    expect((await run).outcome).toBe('completed');
    expect(isOver).toBe(true);
    expect(globalThis.setTimeout).toBe(before);
    expect(globalThis.Date).toBe(Day);
  });

  test('two worlds at once do not meet', async () => {
    const sleeper = flow({ name: 'sleeper' }, async ({ days }: { days: number }) => {
      await pause(days * DAY_MS);
      return days;
    });
    const runs = await Promise.all([1, 2, 3].map((days) => runInVirtualTime(sleeper, { days })));
    expect(runs.map((run) => [run.value(), run.tookMs / DAY_MS])).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
  });

  test('files are read while time stands still', async () => {
    const reader = task({ name: 'reader', timeout: '1s' }, async () => {
      let text = '';
      for (let times = 0; times < 20; times += 1) text = await readFile(import.meta.filename, 'utf8');
      return text.length > 0;
    });
    const run = await runInVirtualTime(flow({ name: 'reads' }, () => reader()));
    expect(run.value()).toBe(true);
    expect(run.tookMs).toBe(0);
  });
});

test('a connection is waited for while time stands still', async () => {
  const server = createServer((_, response) => {
    setTimeout(() => response.end('hello'), 30);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const fetches = task({ name: 'fetches', timeout: '1s' }, async () => {
    return (await fetch(`http://127.0.0.1:${String(port)}`)).text();
  });
  const run = await runInVirtualTime(flow({ name: 'fetching' }, () => fetches()));
  server.closeAllConnections();
  server.close();
  expect(run.value()).toBe('hello');
  expect(run.tookMs).toBeLessThan(1000);
});

test('what a timer of the flow throws ends the test, as it would have ended the process', async () => {
  const careless = flow({ name: 'careless' }, async () => {
    setTimeout(() => {
      throw new RangeError('in a timer');
    }, 1000);
    await pause(5000);
  });
  await expect(runInVirtualTime(careless)).rejects.toThrow('in a timer');
});

describe('what never ends', () => {
  const stuck = flow({ name: 'stuck', limits: ['db'] }, () => 'never');

  test('is said to be unfinished when nothing is left that could happen, and why', async () => {
    const run = await runInVirtualTime(stuck, undefined, { limits: { db: 0 } });
    expect(run.outcome).toBe('unfinished');
    expect(run.why()).toContain("waits for slots of 'db'");
    expect(() => run.value()).toThrow(/unfinished[\s\S]*take-slots held it/);
  });

  test('is left alone when time is up', async () => {
    const run = await runInVirtualTime(
      flow({ name: 'endless' }, () => pause(24 * DAY_MS)),
      undefined,
      { until: '3d' },
    );
    expect(run.outcome).toBe('unfinished');
    expect(run.state).toMatchObject({ type: 'RUNNING' });
    expect(run.tookMs).toBe(3 * DAY_MS);
  });
});

describe('policies and ledgers', () => {
  const noFridays = defineRule({
    name: 'no-fridays',
    summary: 'Starts nothing on a Friday.',
    on: ['flow'],
    from: ['NONE', 'PENDING'],
    to: ['RUNNING'],
    needs: [],
    may: ['reject'],
    judge: (_, { nowMs }) =>
      Math.floor(nowMs / DAY_MS) % 7 === 1 ? reject('FRIDAY', 'it is Friday') : { type: 'PASS' },
  });
  const strict = { flow: { name: 'flow', rules: [noFridays, ...corePolicies.flow.rules] } };
  const plain = flow({ name: 'plain' }, () => 'done');

  test('a policy of the author’s is the one in force', async () => {
    const friday = await runInVirtualTime(plain, undefined, { policies: strict, startAt: '2026-01-02T09:00:00Z' });
    expect(friday.error).toMatchObject({ kind: 'REJECTED' });
    expect(friday.why()).toContain('no-fridays rejected it (FRIDAY): it is Friday');
    const saturday = await runInVirtualTime(plain, undefined, { policies: strict, startAt: '2026-01-03T09:00:00Z' });
    expect(saturday.value()).toBe('done');
  });

  test('a policy module’s part for one flow holds for that flow alone', async () => {
    const policies = definePolicies({
      flows: { guarded: (core) => ({ flow: before(core.flow, 'take-slots', noFridays) }) },
    });
    const guarded = flow({ name: 'guarded' }, () => 'done');
    const onFriday = { policies, startAt: '2026-01-02T09:00:00Z' };
    expect((await runInVirtualTime(guarded, undefined, onFriday)).error).toMatchObject({ kind: 'REJECTED' });
    expect((await runInVirtualTime(plain, undefined, onFriday)).value()).toBe('done');
  });

  const jittery = (): Promise<VirtualRun<number>>[] =>
    [7, 7, 8].map((seed) => {
      const attempt = flaky(3, { retries: 3, retryDelay: '6h', retryJitter: 1 });
      return runInVirtualTime(
        flow({ name: 'jittery' }, () => attempt()),
        undefined,
        { seed },
      );
    });

  test('the same seed gives the same ledger, bit for bit; another seed, other chances', async () => {
    const [one, same, other] = await Promise.all(jittery());
    expect(same?.ledger.map((bytes) => Buffer.from(bytes).toString('hex'))).toEqual(
      one?.ledger.map((bytes) => Buffer.from(bytes).toString('hex')),
    );
    expect(other?.tookMs).not.toBe(one?.tookMs);
  });

  test('every ruling of the ledger comes out again when it is judged again', async () => {
    const [run] = await Promise.all(jittery());
    const stored = run?.ledger.map((bytes, index) => {
      const decoded = decodeSegment(bytes);
      if (!decoded.ok) throw new Error(decoded.problem);
      return decoded.segment.lines.map((line, at) => ({ line, at: { seq: index + 1, index: at } }));
    });
    const report = await replayLedger(stored ?? [], {
      judgesOf: () => ({ courtOf: () => court(corePolicies) }),
      facts: true,
    });
    expect(report.differences).toEqual([]);
    expect(report.facts?.differences).toEqual([]);
    expect(isReproduced(report)).toBe(true);
    expect(report.rulings).toBe(run?.rulings.length);
  });
});
