/** The benchmark in small, so that it does not rot: it runs, counts what it says, and its ledger holds together. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const MAIN = new URL('main.ts', import.meta.url).pathname;

test('the workloads run, and say what they measured a line each', async () => {
  const args = [MAIN, '--small', '--json', '--durability', 'process', '--only', 'COLD,W1,W2,W3,W4,W6'];
  const { stdout, stderr } = await run(process.execPath, args, { timeout: 120_000 });
  const rows = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(rows.map((row) => [row['workload'], row['variant']].join(' ').trim())).toEqual([
    'COLD',
    'W1',
    'W2',
    'W3',
    'W4',
    'W6 kill-worker',
    'W6 kill-server',
  ]);
  for (const row of rows) expect(row).toMatchObject({ peer: 'assent', durability: 'process' });
  for (const row of rows.filter((one) => one['workload'] === 'W6')) {
    expect(row).toMatchObject({ tasks_never_executed: 0, flows_lost: 0, distinct_tasks: 200 });
  }
  expect(stderr).toContain('audit verify');
}, 150_000);
