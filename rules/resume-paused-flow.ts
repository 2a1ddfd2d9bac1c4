/**
 * | wanted of a paused flow run | the pause                                   | opinion                                        |
 * | --------------------------- | ------------------------------------------- | ---------------------------------------------- |
 * | an end, CANCELLING          | any                                         | PASS                                           |
 * | PENDING PAUSED              | any                                         | REJECT NOT_RESUMABLE                           |
 * | RUNNING, by no claim        | in nobody's hands                           | REJECT NOT_RESUMABLE: nobody would go on       |
 * | RUNNING SCHEDULED           | suspended, and no worker can find it        | REJECT NO_WORKER                               |
 * | SCHEDULED, by a user        | until a time or mail, and nobody's word     | REJECT NOT_RESUMABLE: it would wait on at once |
 * | RUNNING SCHEDULED           | its time is over                            | REWRITE to FAILED: it was never resumed        |
 * | RUNNING SCHEDULED           | anything else                               | PASS                                           |
 *
 * A flow that sleeps, or waits for a message, has no pause that a word could end: woken early, it runs from the top to
 * where it waits, and waits on. Only the clock wakes it, when its time or its mail has come.
 */
import type { State } from '../protocol/states.ts';
import { defineRule, pass, reject, rewrite } from './rule.ts';

export const resumePausedFlow = defineRule({
  name: 'resume-paused-flow',
  summary: 'A paused flow run goes on while its pause lasts, where somebody can go on with it.',
  on: ['flow', 'subflow', 'background'],
  from: ['PAUSED'],
  to: ['SCHEDULED', 'PENDING', 'RUNNING', 'PAUSED'],
  needs: ['resume', 'inHands'],
  may: ['reject', 'rewrite'],
  judge: ({ from, to, kind, claim, asked, by }, { resume, inHands, nowMs }) => {
    // What another rule made of an end is not a resumption.
    if (from?.type !== 'PAUSED' || (asked !== undefined && asked !== to.type)) return pass();
    if (to.type === 'PENDING' || to.type === 'PAUSED') {
      return reject('NOT_RESUMABLE', `a paused run cannot become ${to.type}`);
    }
    if (to.type === 'RUNNING' && !claim && !inHands) {
      return reject('NOT_RESUMABLE', 'no process has it in its hands to go on with it');
    }
    if (from.suspended === true && kind === 'flow' && !resume.byWorker) {
      return reject('NO_WORKER', `no worker could find the ${from.name.toLowerCase()} run to go on with it`);
    }
    if (to.type === 'SCHEDULED' && by !== 'engine' && waitsByItself(from)) {
      return reject(
        'NOT_RESUMABLE',
        `it ${from.wakeOn === undefined ? 'sleeps' : 'waits'}, and goes on by itself: no word ends that`,
      );
    }
    if (from.timeoutAtMs === undefined || from.timeoutAtMs > nowMs) return pass();
    return rewrite(neverResumed(from.suspended === true), 'its pause has timed out and can no longer be resumed');
  },
});

type Paused = Extract<State, { readonly type: 'PAUSED' }>;

const waitsByItself = ({ suspended, key, wakeAtMs, wakeOn }: Paused): boolean =>
  suspended === true && key === undefined && (wakeAtMs !== undefined || wakeOn !== undefined);

/** How a run ends that nobody resumed in time. */
export const neverResumed = (
  suspended: boolean,
): { readonly type: 'FAILED'; readonly name: string; readonly message: string; readonly retriable: false } => ({
  type: 'FAILED',
  name: 'Failed',
  message: `the flow run was ${suspended ? 'suspended' : 'paused'} and never resumed`,
  retriable: false,
});
