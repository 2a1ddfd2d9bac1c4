/**
 * A plain script that calls one flow several times at once: for each number of NUMBERS. With DIE it ends itself as
 * `kill -9` does, when all of them have done their first step.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { flow, flowRun, task } from '../../../sdk/index.ts';

const effects = process.argv[2] ?? 'effects.txt';
const which = (process.env['NUMBERS'] ?? '')
  .split(' ')
  .filter((n) => n !== '')
  .map(Number);

const done = (): number => (existsSync(effects) ? readFileSync(effects, 'utf8').trim().split('\n').length : 0);

const first = task({ name: 'first' }, (n: number) => {
  appendFileSync(effects, `first ${String(n)}\n`);
  return n;
});

const second = task({ name: 'second' }, async (n: number) => {
  if (process.env['DIE'] !== undefined) {
    while (done() < which.length) await pause(5);
    process.kill(process.pid, 'SIGKILL');
  }
  appendFileSync(effects, `second ${String(n)}\n`);
  return n;
});

const pair = flow({ name: 'pair' }, async ({ n }: { n: number }) => {
  await first(n);
  await second(n);
  return flowRun().attempt;
});

console.log(JSON.stringify(await Promise.all(which.map((n) => pair({ n })))));
