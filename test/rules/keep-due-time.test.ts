import { expect, test } from 'vitest';
import type { State } from '../../protocol/states.ts';
import { keepDueTime } from '../../rules/keep-due-time.ts';
import { at, facts, RUN_KINDS, stateOf, testReach, transition } from './fixtures.ts';

testReach(keepDueTime, { on: RUN_KINDS, from: ['SCHEDULED', 'PENDING'], to: ['PENDING'] });

const due = (type: 'SCHEDULED' | 'PENDING', ms: number): State => ({ ...stateOf(type), dueAtMs: at(ms) }) as State;

test.each<{ what: string; from: State; to: State; by?: string; keeps: boolean }>([
  { what: 'a run without a time, handed out', from: stateOf('PENDING'), to: stateOf('PENDING'), keeps: false },
  { what: 'a run without a time, given one', from: stateOf('PENDING'), to: due('PENDING', 700), keeps: false },
  { what: 'a scheduled run, handed out', from: due('SCHEDULED', 500), to: stateOf('PENDING'), keeps: true },
  {
    what: 'a scheduled run, handed out by the clock',
    from: due('SCHEDULED', 500),
    to: stateOf('PENDING'),
    by: 'engine',
    keeps: true,
  },
  {
    what: 'a pending run, whose worker says how far it is',
    from: due('PENDING', 500),
    to: { type: 'PENDING', name: 'Submitting' },
    keeps: true,
  },
  { what: 'a run that is given a later time', from: due('SCHEDULED', 500), to: due('PENDING', 501), keeps: false },
  { what: 'a run that somebody wants sooner', from: due('SCHEDULED', 500), to: due('PENDING', 499), keeps: false },
  {
    what: 'a run that was put off when its clock rang',
    from: due('SCHEDULED', 500),
    to: due('PENDING', 499),
    by: 'engine',
    keeps: true,
  },
  {
    what: 'a run whose clock rang in time',
    from: due('SCHEDULED', 500),
    to: due('PENDING', 500),
    by: 'engine',
    keeps: false,
  },
  {
    what: 'a run that the clock hands out late',
    from: due('SCHEDULED', 500),
    to: due('PENDING', 501),
    by: 'engine',
    keeps: false,
  },
])('$what keeps the time it had: $keeps', ({ from, to, by = 'sdk', keeps }) => {
  const opinion = keepDueTime.judge(transition(from, to, { by }), facts());
  if (keeps) expect(opinion).toMatchObject({ type: 'REWRITE', to: { ...to, dueAtMs: 500 } });
  else expect(opinion).toStrictEqual({ type: 'PASS' });
});
