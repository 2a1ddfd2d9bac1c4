/**
 * | the run is              | opinion                            |
 * | ----------------------- | ---------------------------------- |
 * | new                     | PASS                               |
 * | SCHEDULED               | PASS                               |
 * | SCHEDULED, and late     | REJECT DUPLICATE                   |
 * | anything else           | REJECT NOT_SCHEDULED               |
 *
 * Of SCHEDULED states only the name `Late` is governed.
 */
import { defineRule, pass, reject } from './rule.ts';
import { FROM_ANY } from './state-sets.ts';

export const LATE = 'Late';

export const markLateOnce = defineRule({
  name: 'mark-late-once',
  summary: 'Only a scheduled run can be late, and it is marked so once.',
  on: ['flow', 'subflow', 'background'],
  from: FROM_ANY,
  to: ['SCHEDULED'],
  needs: [],
  may: ['reject'],
  judge: ({ from, to }) => {
    if (to.name !== LATE || from === undefined) return pass();
    if (from.type !== 'SCHEDULED') return reject('NOT_SCHEDULED', `the run is ${from.name}, which cannot be late`);
    return from.name === LATE ? reject('DUPLICATE', 'the run is marked late already') : pass();
  },
});
