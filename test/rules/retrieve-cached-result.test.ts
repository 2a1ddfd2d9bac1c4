import { expect, test } from 'vitest';
import type { RunId } from '../../protocol/ids.ts';
import { retrieveCachedResult } from '../../rules/retrieve-cached-result.ts';
import type { Facts, FromType, Opinion } from '../../rules/rule.ts';
import { at, facts, FROM_TYPES, NOW_MS, testReach, transition, VALUE } from './fixtures.ts';

testReach(retrieveCachedResult, { on: ['task', 'background'], from: FROM_TYPES, to: ['RUNNING'] });

const run = 'flow.other' as RunId;
const judge = (cache: Facts['cache'], from: FromType = 'NONE'): Opinion =>
  retrieveCachedResult.judge(transition(from, 'RUNNING'), facts(cache === undefined ? {} : { cache }));
const hit = { type: 'REWRITE', to: { type: 'COMPLETED', name: 'Cached' }, why: 'run flow.other has computed it' };

test.each<{ what: string; cache: Facts['cache']; opinion: object }>([
  { what: 'it has no key', cache: undefined, opinion: { type: 'PASS' } },
  { what: 'it asks for a fresh result', cache: { key: 'k', refresh: true, entry: { run } }, opinion: { type: 'PASS' } },
  { what: 'nothing is kept', cache: { key: 'k' }, opinion: { type: 'PASS' } },
  {
    what: 'what was kept expires now',
    cache: { key: 'k', entry: { run, expiresAtMs: NOW_MS } },
    opinion: { type: 'PASS', why: 'the kept result has expired' },
  },
  {
    what: 'what was kept has expired',
    cache: { key: 'k', entry: { run, expiresAtMs: at(NOW_MS - 1) } },
    opinion: { type: 'PASS', why: 'the kept result has expired' },
  },
  { what: 'it is kept for a while', cache: { key: 'k', entry: { run, expiresAtMs: at(NOW_MS + 1) } }, opinion: hit },
  { what: 'it is kept for ever', cache: { key: 'k', entry: { run } }, opinion: hit },
  {
    what: 'a result is kept',
    cache: { key: 'k', entry: { run, result: VALUE } },
    opinion: { ...hit, to: { ...hit.to, result: VALUE } },
  },
])('of a call: $what', ({ cache, opinion }) => {
  expect(judge(cache)).toStrictEqual(opinion);
});

test('what is kept does not answer a call that is to be done again', () => {
  const known = facts({ cache: { key: 'k', entry: { run } }, ran: { execution: 1, round: 0, redo: true } });
  const asked = transition('COMPLETED', 'RUNNING');
  expect(retrieveCachedResult.judge(asked, known)).toStrictEqual({ type: 'PASS' });
  expect(retrieveCachedResult.judge(asked, { ...known, ran: { execution: 1, round: 0 } })).toStrictEqual(hit);
});

test.each(FROM_TYPES)('what is kept answers a call from %s', (from) => {
  expect(judge({ key: 'k', entry: { run } }, from)).toStrictEqual(hit);
});
