/**
 * | based on            | opinion                                       |
 * | ------------------- | --------------------------------------------- |
 * | nothing             | PASS: the asker does not care, or it reports  |
 * | the run's version   | PASS                                          |
 * | any other version   | REJECT STALE, with the state that the run has |
 */
import { defineRule, pass, reject } from './rule.ts';
import { ANY_STATE, FROM_ANY } from './state-sets.ts';

export const rejectStaleWishes = defineRule({
  name: 'reject-stale-wishes',
  summary: 'A wish that rests on an older version of the run is refused.',
  on: ['flow', 'subflow', 'task', 'background'],
  from: FROM_ANY,
  to: ANY_STATE,
  needs: ['version'],
  may: ['reject'],
  judge: (_, { version: { current, basedOn } }) =>
    basedOn === undefined || basedOn === current
      ? pass()
      : reject('STALE', `the run is at version ${String(current)}, the wish rests on version ${String(basedOn)}`),
});
