/** Flows and tasks for the tests of `assent worker`. */
import { setTimeout as pause } from 'node:timers/promises';
import { flow, task } from 'assent';

export const shout = task({ name: 'shout' }, (text: string) => text.toUpperCase());
export const stumble = task({ name: 'stumble', retries: 1 }, (): number => {
  throw new TypeError('over its feet');
});
/** Under two names: it is one. */
export { shout as yell };

export const nap = task({ name: 'nap' }, async (ms: number) => {
  await pause(ms);
  return ms;
});

const named = { name: 'greet', runName: 'of {parameters.who}' };
export const greet = flow(named, async ({ who }: { who: string }) => `HELLO ${await shout(who)}`);

export const naps = flow({ name: 'naps' }, async () => {
  for (const ms of [300, 301, 302, 303]) await nap(ms);
  return 'rested';
});
