/** The flows that are measured: a task is a no-op whose result is durable before the next one starts. */
import { flow, task } from 'assent';
import { openSync, writeSync } from 'node:fs';

/** Each execution of a task's body appends a line, so that double and missing ones can be counted after a kill -9. */
const executions =
  process.env['BENCH_EXECUTIONS'] === undefined ? undefined : openSync(process.env['BENCH_EXECUTIONS'], 'a');

const step = task({ name: 'step' }, (id: string, i: number) => {
  if (executions !== undefined) writeSync(executions, `${id} ${String(i)}\n`);
  return { ok: true, i };
});

export type Sequence = { readonly id: string; readonly n: number; readonly times?: boolean };

export const sequence = flow({ name: 'sequence' }, async ({ id, n, times }: Sequence) => {
  const startMs = performance.now();
  const timesMs: number[] = [];
  for (let i = 0; i < n; i += 1) {
    await step(id, i);
    if (times === true) timesMs.push(performance.now());
  }
  if (times === true) process.send?.({ type: 'times', startMs, timesMs });
  return { ok: true, n };
});

export const fan = flow({ name: 'fan' }, async ({ id, n }: Sequence) => {
  const all = await Promise.all(Array.from({ length: n }, (_, i) => step(id, i)));
  return { ok: true, n: all.length };
});
