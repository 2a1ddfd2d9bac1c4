/**
 * | the completed call                  | opinion                                              |
 * | ----------------------------------- | ---------------------------------------------------- |
 * | has no cache key                    | PASS                                                 |
 * | was itself answered from the cache  | PASS: the kept result does not grow younger          |
 * | stays as it ended (a reuse)         | PASS                                                 |
 * | has a cache key                     | PASS, and CLAIM the entry: kept for its time to live |
 */
import { later } from '../protocol/ids.ts';
import { CACHED } from './retrieve-cached-result.ts';
import { defineRule, pass } from './rule.ts';
import { FROM_ANY } from './state-sets.ts';

export const storeCachedResult = defineRule({
  name: 'store-cached-result',
  summary: 'The result of a call with a cache key is kept for calls that come later.',
  on: ['task', 'background'],
  from: FROM_ANY,
  to: ['COMPLETED'],
  needs: ['cache'],
  may: [],
  judge: ({ to, stays }, { cache, nowMs }) => {
    if (cache === undefined || to.name === CACHED || stays === true) return pass();
    const { key, ttlMs } = cache;
    return pass([{ type: 'CACHE', key, ...(ttlMs === undefined ? {} : { expiresAtMs: later(nowMs, ttlMs) }) }]);
  },
});
