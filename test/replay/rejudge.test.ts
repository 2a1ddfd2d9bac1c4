import { expect, test } from 'vitest';
import { replayRuling } from '../../engine/replay/rejudge.ts';
import { decodeEntry, encodeEntry } from '../../protocol/segment.ts';
import type { Ruling } from '../../protocol/rulings.ts';
import { court } from '../../rules/judge.ts';
import { corePolicies } from '../../rules/policy.ts';
import { defineRule, reject } from '../../rules/rule.ts';
import { Desk, runId } from '../support/worlds.ts';

const RUN = runId('flow');
const create = { kind: 'flow', name: 'f', retry: { retriesMax: 1, delaysMs: [100], jitter: 1 } } as const;
const RUNNING = { type: 'RUNNING', name: 'Running' } as const;

/** A start and a failure that became a retry, by chance. */
function history(): { desk: Desk; stored: Ruling[] } {
  const desk = new Desk({ chance: () => 0.25 });
  desk.ask('s', { kind: 'flow', run: RUN, to: RUNNING, claim: true, create });
  desk.ask('s', { kind: 'flow', run: RUN, to: { type: 'FAILED', name: 'Failed' }, report: true, execution: 1 });
  desk.ask('s', { kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'db', slotsMax: 1 } });
  desk.ask('s', { kind: 'flow', run: runId('nobody'), to: RUNNING });
  return { desk, stored: desk.ruled.map(({ ruling }) => decodeEntry(encodeEntry(ruling)) as Ruling) };
}

test('what was ruled comes out again, with its time and its chance', () => {
  const { desk, stored } = history();
  const [, retried] = stored;
  expect(retried).toMatchObject({ outcome: 'rewritten', state: { name: 'AwaitingRetry', dueAtMs: desk.nowMs + 125 } });
  const again = replayRuling(retried!, RUNNING, 'flow', desk.court);
  expect(again).toEqual({ outcome: 'rewritten', trail: retried?.trail, state: retried?.state });
});

test('what was never judged has nothing to come out', () => {
  const { desk, stored } = history();
  expect(replayRuling(stored[2]!, undefined, 'flow', desk.court)).toBeUndefined();
  expect(stored[3]).toMatchObject({ outcome: 'rejected', trail: [{ rule: 'arbiter', code: 'RUN_UNKNOWN' }] });
  expect(replayRuling(stored[3]!, undefined, 'flow', desk.court)).toBeUndefined();
});

test('under another policy it comes out as that one would have had it', () => {
  const { stored } = history();
  const no = defineRule({
    name: 'no-starts',
    summary: 'Starts nothing.',
    on: ['flow'],
    from: ['NONE'],
    to: ['RUNNING'],
    needs: [],
    may: ['reject'],
    judge: () => reject('NO', 'not today'),
  });
  const flow = { name: 'flow', rules: [no, ...corePolicies.flow.rules] };
  const strict = court({ ...corePolicies, flow });
  expect(replayRuling(stored[0]!, undefined, 'flow', strict)).toMatchObject({
    outcome: 'rejected',
    trail: [{ code: 'NO' }],
  });
});
