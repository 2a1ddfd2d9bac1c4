/** What waits again, waits out a pause, or fills its mailboxes: nothing that was sent to it meanwhile is lost, or taken for another. */
import { beforeEach, expect, test } from 'vitest';
import type { EpochMs, RunId } from '../../protocol/ids.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { mailboxOf, topicOf, topicParts, type Receives } from '../../protocol/proposals.ts';
import { decidingEntry, type Ruling } from '../../protocol/rulings.ts';
import type { State } from '../../protocol/states.ts';
import { Desk, runId, type DraftOfWish } from '../support/worlds.ts';

const FLOW = runId('flow');
const CALL = `${FLOW}.a` as RunId;
const GO = mailboxOf(FLOW, 'go');
const RUNNING: State = { type: 'RUNNING', name: 'Running' };

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
  claim('process', {
    create: { kind: 'flow', name: 'f', work: { pool: 'p', queue: 'q' } },
  });
});

const claim = (session: string, more: Partial<DraftOfWish>): Ruling | undefined =>
  desk.ask(session, { kind: 'flow', run: FLOW, to: RUNNING, claim: true, ...more } as DraftOfWish);
const execution = (): number => desk.run(FLOW)?.execution ?? 0;
const moveFlow = (to: State, more: Partial<DraftOfWish> = {}): Ruling | undefined =>
  desk.ask('process', { kind: 'flow', run: FLOW, to, execution: execution(), ...more } as DraftOfWish);
const receive = (receives: Receives): Ruling | undefined => {
  const create = { kind: 'task', name: 'a', parent: FLOW, receives } as const;
  return desk.ask('process', { kind: 'task', run: CALL, to: RUNNING, execution: execution(), create });
};
const send = (name: string): Ruling | undefined =>
  desk.ask('op', { kind: 'workspace', event: { type: 'MESSAGE_SENT', to: FLOW, name } });

test('what is received again, because somebody said so, is waited for as long as the call now says', () => {
  const receives = (): Receives => ({ type: 'MESSAGE', mailbox: GO, untilMs: (desk.nowMs + 500) as EpochMs });
  send('go');
  receive(receives());
  expect(desk.run(CALL)?.state.name).toBe('Received');
  desk.pass(10_000);
  moveFlow({ type: 'FAILED', name: 'Failed' }, { report: true });
  claim('process', { redoFrom: CALL });
  expect(receive(receives())).toMatchObject({ outcome: 'held' });
  send('go');
  expect(desk.run(CALL)).toMatchObject({ state: { name: 'Received' }, endedMs: desk.nowMs });
});

test('an event is heard by a call that was made while its flow run was paused', () => {
  desk.ask('op', { kind: 'flow', run: FLOW, to: { type: 'PAUSED', name: 'Paused' } });
  expect(receive({ type: 'EVENT', topic: 'paid' })).toMatchObject({ outcome: 'held', waits: { type: 'FLOW' } });
  desk.ask('op', { kind: 'workspace', event: { type: 'EVENT_EMITTED', name: 'paid' } });
  desk.ask('op', { kind: 'flow', run: FLOW, to: RUNNING });
  expect(desk.run(CALL)?.state.name).toBe('Received');
});

test('a flow run has so many mailboxes that it has not emptied, and no more', () => {
  for (let at = 0; at < LIMITS.mailboxesMax; at += 1)
    desk.workspace.mailboxesUnder.add(FLOW, `${FLOW} message:${String(at)}`);
  const refused = send('go');
  expect(decidingEntry(refused?.trail ?? [])).toMatchObject({ code: 'MAILBOX_FULL' });
});

test('a bracket in the name of an event begins no key, so no two events sound alike', () => {
  const names: [string, string?][] = [
    ['a'],
    ['a', 'b'],
    ['a[b]'],
    ['a[b', ']'],
    ['a', 'b]['],
    ['a[b][', ''],
    ['a\\'],
    ['a\\', 'b'],
    ['a\\[b]'],
  ];
  expect(new Set(names.map(([name, key]) => topicOf(name, key))).size).toBe(names.length);
  for (const [name, key] of names) {
    expect(topicParts(topicOf(name, key))).toEqual(key === undefined ? { name } : { name, key });
  }
  expect(topicOf('paid', '7')).toBe('paid[7]');
});
