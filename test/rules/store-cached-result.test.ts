import { expect, test } from 'vitest';
import type { State } from '../../protocol/states.ts';
import { storeCachedResult } from '../../rules/store-cached-result.ts';
import type { Facts } from '../../rules/rule.ts';
import { at, facts, FROM_TYPES, NOW_MS, stateOf, testReach, transition } from './fixtures.ts';

testReach(storeCachedResult, { on: ['task', 'background'], from: FROM_TYPES, to: ['COMPLETED'] });

const completed = stateOf('COMPLETED');
const cached: State = { type: 'COMPLETED', name: 'Cached' };

test.each<{ what: string; cache?: Facts['cache']; to?: State; stays?: true; claims?: readonly object[] }>([
  { what: 'has no key' },
  { what: 'was answered from the cache', cache: { key: 'k' }, to: cached },
  { what: 'stays as it ended', cache: { key: 'k' }, stays: true },
  { what: 'has a key', cache: { key: 'k' }, claims: [{ type: 'CACHE', key: 'k' }] },
  {
    what: 'has a key and a time to live',
    cache: { key: 'k', ttlMs: 250 },
    claims: [{ type: 'CACHE', key: 'k', expiresAtMs: at(NOW_MS + 250) }],
  },
  { what: 'is to be computed afresh', cache: { key: 'k', refresh: true }, claims: [{ type: 'CACHE', key: 'k' }] },
])('the result of a call that $what: kept by $claims', ({ cache, to = completed, stays, claims }) => {
  const asked = transition('RUNNING', to, stays === undefined ? {} : { stays });
  const opinion = storeCachedResult.judge(asked, facts(cache === undefined ? {} : { cache }));
  expect(opinion).toStrictEqual(claims === undefined ? { type: 'PASS' } : { type: 'PASS', claims });
});
