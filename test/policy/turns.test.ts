import { expect, test } from 'vitest';
import { Turns, Words } from '../../engine/arbiter/turns.ts';

test('what takes longer is not overtaken, and what fails stops nothing', async () => {
  const turns = new Turns();
  const done: string[] = [];
  const slow = Promise.withResolvers<undefined>();
  turns.add(async () => {
    await slow.promise;
    done.push('first');
  });
  turns.add(() => Promise.reject(new Error('oh no')));
  await new Promise<void>((resolve) => {
    turns.add(() => {
      done.push('last');
      resolve();
      return Promise.resolve();
    });
    slow.resolve(undefined);
  });
  expect(done).toEqual(['first', 'last']);
});

test('a message that comes before anybody hears is heard, in its order', async () => {
  let say: (message: number) => void = () => undefined;
  const words = new Words<number>((hear) => (say = hear));
  say(1);
  say(2);
  expect(await words.next()).toBe(1);
  expect(await words.next()).toBe(2);
  const next = words.next();
  say(3);
  say(4);
  expect(await next).toBe(3);
  say(5);
  const heard: number[] = [];
  words.hear((message) => heard.push(message));
  say(6);
  expect(heard).toEqual([4, 5, 6]);
});
