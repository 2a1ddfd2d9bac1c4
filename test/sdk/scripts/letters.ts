/** A plain script: one flow of five steps; the step that DIE_AT names ends the process as `kill -9` does. */
import { appendFileSync } from 'node:fs';
import { flow, flowRun, task } from '../../../sdk/index.ts';

const effects = process.argv[2] ?? 'effects.txt';

const step = task({ name: 'step' }, (letter: string) => {
  if (process.env['DIE_AT'] === letter) process.kill(process.pid, 'SIGKILL');
  appendFileSync(effects, `${letter}\n`);
  return letter.toUpperCase();
});

const letters = flow({ name: 'letters' }, async ({ word }: { word: string }) => {
  const done: string[] = [];
  for (const letter of word) done.push(await step(letter));
  return { done: done.join(''), attempt: flowRun().attempt };
});

console.log(JSON.stringify(await letters({ word: 'abcde' })));
