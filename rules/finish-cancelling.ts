/**
 * | it reports | opinion                                                   |
 * | ---------- | --------------------------------------------------------- |
 * | COMPLETED  | REWRITE to CANCELLED, the result kept as evidence         |
 * | FAILED     | REWRITE to CANCELLED, the error kept as evidence          |
 * | CRASHED    | REWRITE to CANCELLED: what was asked for has happened     |
 */
import type { State } from '../protocol/states.ts';
import { defineRule, rewrite } from './rule.ts';

export const finishCancelling = defineRule({
  name: 'finish-cancelling',
  summary: 'A run that ends while it is being cancelled is cancelled, whatever it says of itself.',
  on: ['flow', 'subflow', 'task', 'background'],
  from: ['CANCELLING'],
  to: ['FAILED', 'COMPLETED', 'CRASHED'],
  needs: [],
  may: ['rewrite'],
  judge: ({ to }) => rewrite(cancelledWith(to), `it was being cancelled when it ${to.type.toLowerCase()}`),
});

/** The cancelled state that keeps what was reported as evidence. */
export function cancelledWith(to: State): State {
  return {
    type: 'CANCELLED',
    name: 'Cancelled',
    ...(to.type === 'COMPLETED' && to.result !== undefined ? { result: to.result } : {}),
    ...((to.type === 'FAILED' || to.type === 'CRASHED') && to.error !== undefined ? { error: to.error } : {}),
  };
}
