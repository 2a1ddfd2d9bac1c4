/**
 * | the call's cache key                          | opinion                                        |
 * | --------------------------------------------- | ---------------------------------------------- |
 * | it has none, or asks for a fresh result       | PASS                                           |
 * | nothing is kept under it, or not any more     | PASS                                           |
 * | it is to be done again: somebody said so      | PASS                                           |
 * | a result is kept under it                     | REWRITE to COMPLETED `Cached`, with the result |
 */
import { defineRule, pass, rewrite } from './rule.ts';
import { FROM_ANY } from './state-sets.ts';

export const CACHED = 'Cached';

export const retrieveCachedResult = defineRule({
  name: 'retrieve-cached-result',
  summary: 'A call whose result is kept is answered with it instead of being run.',
  on: ['task', 'background'],
  from: FROM_ANY,
  to: ['RUNNING'],
  needs: ['cache', 'ran'],
  may: ['rewrite'],
  judge: (_, { cache, ran, nowMs }) => {
    if (cache?.entry === undefined || cache.refresh === true || ran?.redo === true) return pass();
    const { run, result, expiresAtMs } = cache.entry;
    if (expiresAtMs !== undefined && expiresAtMs <= nowMs) return pass(undefined, 'the kept result has expired');
    return rewrite(
      { type: 'COMPLETED', name: CACHED, ...(result === undefined ? {} : { result }) },
      `run ${run} has computed it`,
    );
  },
});
