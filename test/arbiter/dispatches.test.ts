/** Hints on their way: what is not stored holds the mark of done effects, and is given again (D1, D2). */
import { expect, test } from 'vitest';
import { Dispatches } from '../../engine/arbiter/dispatches.ts';
import type { Dispatch } from '../../engine/arbiter/effects.ts';
import { runId } from '../support/worlds.ts';

const hint = (version: number): Dispatch => ({ run: runId('flow'), version, name: 'f', pool: 'p', queue: 'q' });
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a hint that the server does not take is given again, and until then its effects are not done', async () => {
  const given: number[] = [];
  let isUp = false;
  const dispatches = new Dispatches({
    dispatch: ({ version }) => {
      given.push(version);
      return isUp ? Promise.resolve() : Promise.reject(new Error('no server'));
    },
  });
  dispatches.add(hint(1), 7);
  dispatches.add(hint(2), 9);
  await turn();
  expect([given, dispatches.doneUntil(12)]).toEqual([[1, 2], 6]);
  dispatches.giveAgain();
  await turn();
  expect([given, dispatches.doneUntil(12)]).toEqual([[1, 2, 1, 2], 6]);
  isUp = true;
  dispatches.giveAgain();
  await turn();
  expect([given.length, dispatches.doneUntil(12)]).toEqual([6, 12]);
  dispatches.giveAgain();
  expect(given.length).toBe(6);
});
