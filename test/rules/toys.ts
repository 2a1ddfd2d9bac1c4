/** Toy rules for the tests of the hearing: each says one thing, always. */
import type { State } from '../../protocol/states.ts';
import { defineRule, hold, pass, reject, rewrite, type Opinion, type Rule, type Transition } from '../../rules/rule.ts';
import { at, FROM_TYPES, stateOf, transition } from './fixtures.ts';

export const RUNNING = stateOf('RUNNING');
export const CANCELLED = stateOf('CANCELLED');
export const FAILED = stateOf('FAILED');
export const asked = transition('PENDING', RUNNING);

export function rule(
  name: string,
  opinion: (asked: Transition) => Opinion,
  to: Rule['to'] = ['RUNNING', 'CANCELLED', 'FAILED'],
): Rule {
  return defineRule({
    name,
    summary: name,
    on: ['task'],
    from: FROM_TYPES,
    to,
    needs: [],
    may: ['rewrite', 'reject', 'hold'],
    judge: opinion,
  });
}

export const passing = rule('passing', () => pass());
export const no = rule('no', () => reject('NO', 'because'));
export const waiting = rule('waiting', () => hold({ type: 'FLOW' }, 'later'));
export const noCancel = rule('no-cancel', ({ to }) => (to.type === 'CANCELLED' ? reject('NO', 'not that') : pass()));
export const rewriting = (name: string, to: State): Rule => rule(name, () => rewrite(to, `to ${to.type}`));
export const cancel = rewriting('cancel', CANCELLED);
export const run = rewriting('run', RUNNING);
export const timer = rule('timer', () => pass([{ type: 'TIMER', timer: 'timeout', dueAtMs: at(5) }]));
export const slots = rule('slots', () => pass([{ type: 'SLOTS', slots: [{ limit: 'db', slots: 1 }] }]));
