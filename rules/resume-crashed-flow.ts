/**
 * | a worker can find it | resumed so far | opinion                                                                    |
 * | -------------------- | -------------- | -------------------------------------------------------------------------- |
 * | no                   | any            | PASS: whoever starts it again resumes it                                   |
 * | yes                  | 20 times       | PASS: it seems to take its process down with it                            |
 * | yes                  | fewer          | REWRITE to AwaitingResume, due now or when its retry was: the next goes on |
 * | yes, and it is PAUSED | fewer         | REWRITE to the same pause, suspended: the next goes on when it is resumed  |
 */
import { defineRule, pass, rewrite } from './rule.ts';

/** A run that has crashed so often is not the victim of its processes, but their end. */
const RESUMES_MAX = 20;

export const resumeCrashedFlow = defineRule({
  name: 'resume-crashed-flow',
  summary: 'A flow run whose worker died goes on in the next worker; what it completed is not repeated.',
  on: ['flow', 'background'],
  from: ['RUNNING', 'SCHEDULED', 'PAUSED'],
  to: ['CRASHED'],
  needs: ['resume'],
  may: ['rewrite'],
  judge: ({ from, to }, { resume, nowMs }) => {
    if (!resume.byWorker) return pass();
    if (resume.used >= RESUMES_MAX) return pass(undefined, `it was resumed ${String(resume.used)} times already`);
    const why = to.message ?? 'its process died';
    if (from?.type === 'PAUSED') return rewrite({ ...from, name: 'Suspended', suspended: true }, why);
    const dueAtMs = from?.type === 'SCHEDULED' && from.dueAtMs > nowMs ? from.dueAtMs : nowMs;
    return rewrite({ type: 'SCHEDULED', name: 'AwaitingResume', dueAtMs, message: why }, why);
  },
});
