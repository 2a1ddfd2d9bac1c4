/** Who gets a message or an event, who waits for it, what wakes a suspended run, and what is forgotten when (M1 to M3, K3). */
import { beforeEach, describe, expect, test } from 'vitest';
import { messageKey, stateDigest } from '../../engine/fold/workspace.ts';
import type { Digest, EpochMs, RunId } from '../../protocol/ids.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { mailboxOf, pauseMailbox, type CarriedEvent, type Receives } from '../../protocol/proposals.ts';
import { decidingEntry, type Ruling } from '../../protocol/rulings.ts';
import type { State } from '../../protocol/states.ts';
import type { Value } from '../../protocol/values.ts';
import { wrongsOf } from '../support/worlds-invariants.ts';
import { Desk, foldAnew, runId } from '../support/worlds.ts';

const FLOW = runId('flow');
const GO = mailboxOf(FLOW, 'go');
const RUNNING: State = { type: 'RUNNING', name: 'Running' };
const valueOf = (inline: string): Value => ({ digest: 'a'.repeat(64) as Digest, size: inline.length, inline });

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
  claim();
});

function claim(session = 'process'): Ruling | undefined {
  const create = { kind: 'flow', name: 'f', work: { pool: 'p', queue: 'q' } } as const;
  return desk.ask(session, { kind: 'flow', run: FLOW, to: RUNNING, claim: true, create });
}

const call = (name: string): RunId => `${FLOW}.${name}` as RunId;
const execution = (): number => desk.run(FLOW)?.execution ?? 0;

function receive(name: string, receives: Receives, session = 'process'): Ruling | undefined {
  const create = { kind: 'task', name, parent: FLOW, receives } as const;
  return desk.ask(session, { kind: 'task', run: call(name), to: RUNNING, execution: execution(), create });
}
const receiveGo = (name: string, untilMs?: number): Ruling | undefined =>
  receive(name, { type: 'MESSAGE', mailbox: GO, ...(untilMs === undefined ? {} : { untilMs: untilMs as EpochMs }) });

const happens = (event: CarriedEvent): Ruling | undefined => desk.ask('op', { kind: 'workspace', event });
const send = (inline: string, to: RunId = FLOW): Ruling | undefined =>
  happens({ type: 'MESSAGE_SENT', to, name: 'go', value: valueOf(inline) });
const moveFlow = (to: State, more: object = {}): Ruling | undefined =>
  desk.ask('process', { kind: 'flow', run: FLOW, to, execution: execution(), ...more });

const resultOf = (name: string): unknown => {
  const { state } = desk.run(call(name)) ?? {};
  return state?.type === 'COMPLETED' ? [state.name, state.result?.inline] : state?.name;
};
const codeOf = (ruling: Ruling | undefined): string | undefined => decidingEntry(ruling?.trail ?? [])?.code;
const mailOf = (mailbox: string): unknown =>
  desk.workspace.mailboxes
    .get(mailbox)
    ?.map((id) => desk.workspace.messages.get(messageKey(mailbox, id))?.value?.inline) ?? [];

describe('a message', () => {
  test('that is there is received at once, the oldest first, each once', () => {
    for (const text of ['1', '2']) send(text);
    expect(receiveGo('a')).toMatchObject({ outcome: 'rewritten', state: { type: 'COMPLETED', name: 'Received' } });
    receiveGo('b');
    expect([resultOf('a'), resultOf('b')]).toEqual([
      ['Received', '1'],
      ['Received', '2'],
    ]);
    expect(receiveGo('c')).toMatchObject({ outcome: 'held', waits: { type: 'MESSAGE', mailbox: GO } });
    expect(desk.workspace.mailboxes.size).toBe(0);
  });

  test('wakes who waits longest, and nobody else', () => {
    for (const name of ['a', 'b']) receiveGo(name);
    send('1');
    expect([resultOf('a'), resultOf('b')]).toEqual([['Received', '1'], undefined]);
    send('2');
    expect(resultOf('b')).toEqual(['Received', '2']);
    expect(desk.workspace.waiting.size).toBe(0);
  });

  test('waits out a pause of the flow run', () => {
    receiveGo('a');
    moveFlow({ type: 'PAUSED', name: 'Paused' });
    send('1');
    expect(resultOf('a')).toBeUndefined();
    moveFlow(RUNNING);
    expect(resultOf('a')).toEqual(['Received', '1']);
  });

  test('to nobody is refused; so is one to a task run, and one to a run that is over', () => {
    expect(codeOf(send('1', runId('nobody')))).toBe('RUN_UNKNOWN');
    receiveGo('a');
    send('1');
    expect(codeOf(send('1', call('a')))).toBe('MALFORMED');
    moveFlow({ type: 'COMPLETED', name: 'Completed' }, { report: true });
    expect(codeOf(send('1'))).toBe('ALREADY_ENDED');
  });

  test('to a run that crashed waits for whoever goes on with it', () => {
    const ids = runId('script');
    desk.ask('script', { kind: 'flow', run: ids, to: RUNNING, claim: true, create: { kind: 'flow', name: 'f' } });
    desk.hear(desk.engineProposal(desk.run(ids)!, { type: 'CRASHED', name: 'Crashed' }));
    expect(desk.run(ids)?.state.type).toBe('CRASHED');
    expect(send('1', ids)).toMatchObject({ outcome: 'accepted' });
    expect(mailOf(mailboxOf(ids, 'go'))).toEqual(['1']);
  });

  test('to a run that crashed is given up when nobody comes for it', () => {
    const [gone, back] = [runId('gone'), runId('back')];
    const crash = (run: RunId): unknown =>
      desk.hear(desk.engineProposal(desk.run(run)!, { type: 'CRASHED', name: 'Crashed' }));
    const claim = (run: RunId): unknown =>
      desk.ask(run, { kind: 'flow', run, to: RUNNING, claim: true, create: { kind: 'flow', name: 'f' } });
    for (const run of [gone, back]) {
      claim(run);
      send('1', run);
      crash(run);
    }
    desk.pass(LIMITS.mailKeptMs / 2);
    send('2', gone);
    claim(back);
    desk.pass(LIMITS.mailKeptMs / 2 + 1);
    send('3', back);
    // The last message came later than its end; and what goes on has its mail.
    expect([mailOf(mailboxOf(gone, 'go')), mailOf(mailboxOf(back, 'go'))]).toEqual([
      ['1', '2'],
      ['1', '3'],
    ]);
    desk.pass(LIMITS.mailKeptMs);
    send('4', back);
    expect([mailOf(mailboxOf(gone, 'go')), mailOf(mailboxOf(back, 'go'))]).toEqual([[], ['1', '3', '4']]);
    expect([...desk.workspace.messages.entries()]).toHaveLength(3);
    expect(wrongsOf(desk.workspace)).toEqual([]);
    desk.seal();
    expect(stateDigest(foldAnew(desk.segments))).toBe(desk.digest);
  });

  test('is stored once: one more writes nothing of those before it', () => {
    send('the first one');
    desk.seal();
    send('the second one');
    const written = JSON.stringify(desk.workspace.recorder.journal?.map(({ is }) => is));
    expect([written.includes('the first one'), written.includes('the second one')]).toEqual([false, true]);
  });

  test('finds its mailbox full when nobody receives any', () => {
    const many = Array.from({ length: LIMITS.mailboxMessagesMax }, (_, index) => `0/${String(index)}`);
    desk.workspace.mailboxes.set(GO, many);
    expect(codeOf(send('1'))).toBe('MAILBOX_FULL');
  });

  test('goes with the flow run at the top', () => {
    send('1');
    moveFlow({ type: 'COMPLETED', name: 'Completed' }, { report: true });
    expect([desk.workspace.mailboxes.size, [...desk.workspace.mailboxesUnder.keys()]]).toEqual([0, []]);
  });

  test('that a call carries is sent with its end, and not with what a rule makes of it', () => {
    const carries = { type: 'MESSAGE_SENT', to: FLOW, name: 'go', value: valueOf('1') } as const;
    const run = call('send');
    const done = { type: 'COMPLETED', name: 'Completed' } as const;
    const create = { kind: 'task', name: 'send', parent: FLOW } as const;
    desk.ask('process', { kind: 'task', run, to: RUNNING, execution: 1, create });
    const report = { kind: 'task', run, report: true, execution: 1, carries } as const;
    expect(codeOf(desk.ask('process', { ...report, to: { type: 'PAUSED', name: 'Paused' } }))).toBe('MALFORMED');
    expect(desk.ask('process', { ...report, to: done })).toMatchObject({ outcome: 'accepted' });
    expect(desk.ask('process', { ...report, to: done })).toMatchObject({ outcome: 'rejected' });
    expect(mailOf(GO)).toEqual(['1']);
  });

  test('is not for a call of another flow run', () => {
    const mailbox = mailboxOf(runId('other'), 'go');
    expect(codeOf(receive('a', { type: 'MESSAGE', mailbox }))).toBe('MALFORMED');
  });
});

describe('who waits', () => {
  test('for a message gives up when its time is over', () => {
    receiveGo('a', desk.nowMs + 500);
    desk.pass(499);
    expect(resultOf('a')).toBeUndefined();
    desk.pass(1);
    expect(desk.run(call('a'))?.state).toMatchObject({ type: 'FAILED', name: 'TimedOut', retriable: false });
    send('1');
    expect(mailOf(GO)).toEqual(['1']);
  });

  test('and gave up, is not asked to wait again by a flow run that goes on, but by one that begins anew', () => {
    receiveGo('a', desk.nowMs + 500);
    desk.pass(500);
    desk.hear(desk.engineProposal(desk.run(FLOW)!, { type: 'CRASHED', name: 'Crashed' }));
    desk.pass(0);
    claim('worker');
    expect(receiveGo('a', desk.nowMs + 500)).toMatchObject({ outcome: 'rewritten', state: { name: 'TimedOut' } });
    moveFlow({ type: 'FAILED', name: 'Failed' }, { report: true });
    claim('another');
    expect(receiveGo('a', desk.nowMs + 500)).toMatchObject({ outcome: 'held' });
    send('1');
    expect(resultOf('a')).toEqual(['Received', '1']);
  });

  test('and is asked to wait again after it ended waits for as long as it is now told', () => {
    receiveGo('a', desk.nowMs + 500);
    desk.pass(500);
    moveFlow({ type: 'FAILED', name: 'Failed' }, { report: true });
    claim('another');
    const receives = { type: 'MESSAGE', mailbox: GO, untilMs: (desk.nowMs + 900) as EpochMs } as const;
    const create = { kind: 'task', name: 'a', parent: FLOW, receives } as const;
    const asked = { kind: 'task', run: call('a'), execution: execution(), create } as const;
    const to: State = { type: 'SCHEDULED', name: 'Waiting', dueAtMs: desk.nowMs as EpochMs };
    expect(desk.ask('process', { ...asked, to, reason: 'again' })).toMatchObject({ outcome: 'accepted' });
    expect(desk.ask('process', { ...asked, to: RUNNING })).toMatchObject({
      outcome: 'held',
      waits: { untilMs: receives.untilMs },
    });
  });

  test('is given no slot before there is something for it', () => {
    desk.ask('op', { kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'db', slotsMax: 1 } });
    const receives = { type: 'MESSAGE', mailbox: GO } as const;
    const create = { kind: 'task', name: 'a', parent: FLOW, receives, limits: [{ limit: 'db', slots: 1 }] } as const;
    desk.ask('process', { kind: 'task', run: call('a'), to: RUNNING, execution: 1, create });
    expect(desk.workspace.limits.get('db')?.used).toBe(0);
  });
});

describe('an event', () => {
  const paid = (key?: string): Ruling | undefined =>
    happens({ type: 'EVENT_EMITTED', name: 'paid', ...(key === undefined ? {} : { key }), value: valueOf(key ?? '0') });

  test('is heard by all that listen, under its name and under its key', () => {
    receive('any', { type: 'EVENT', topic: 'paid' });
    receive('seven', { type: 'EVENT', topic: 'paid[7]' });
    receive('eight', { type: 'EVENT', topic: 'paid[8]' });
    paid('7');
    expect(['any', 'seven', 'eight'].map(resultOf)).toEqual([['Received', '7'], ['Received', '7'], undefined]);
    const topics = ['paid', 'paid[7]', 'paid[8]'].map((topic) => [topic, [FLOW]]);
    expect([...desk.workspace.listening.entries()]).toEqual(topics);
  });

  test('from before the call is not heard', () => {
    paid();
    expect(receive('a', { type: 'EVENT', topic: 'paid' })).toMatchObject({ outcome: 'held', waits: { topic: 'paid' } });
  });

  test('is kept for a flow run that is suspended, and for its next call', () => {
    receive('a', { type: 'EVENT', topic: 'paid' });
    moveFlow({ type: 'PAUSED', name: 'Waiting', suspended: true });
    for (const key of ['1', '2']) paid(key);
    expect(desk.workspace.held.size).toBe(0);
    moveFlow({ type: 'SCHEDULED', name: 'Resuming', dueAtMs: desk.nowMs as EpochMs });
    claim('worker');
    receive('a', { type: 'EVENT', topic: 'paid' }, 'worker');
    receive('b', { type: 'EVENT', topic: 'paid' }, 'worker');
    expect([resultOf('a'), resultOf('b')]).toEqual([
      ['Received', '1'],
      ['Received', '2'],
    ]);
    moveFlow({ type: 'COMPLETED', name: 'Completed' }, { report: true });
    expect([desk.workspace.listening.size, [...desk.workspace.mailboxesUnder.keys()]]).toEqual([0, []]);
  });

  test('is listened for no more when the flow run is over', () => {
    receive('a', { type: 'EVENT', topic: 'paid' });
    moveFlow({ type: 'FAILED', name: 'Failed' }, { report: true });
    expect([desk.workspace.listening.size, [...desk.workspace.mailboxesUnder.keys()]]).toEqual([0, []]);
  });
});

describe('the input of a resumption', () => {
  test.each(['RUNNING', 'SCHEDULED'] as const)('lies in the mailbox of the pause, when it goes on as %s', (type) => {
    const suspended = type === 'SCHEDULED' ? { suspended: true as const } : {};
    moveFlow({ type: 'PAUSED', name: 'Paused', key: 'approval', ...suspended });
    const to: State = type === 'RUNNING' ? RUNNING : { type, name: 'Resuming', dueAtMs: desk.nowMs as EpochMs };
    desk.ask('op', { kind: 'flow', run: FLOW, to, input: valueOf('yes') });
    expect(mailOf(pauseMailbox(FLOW, 'approval'))).toEqual(['yes']);
  });

  test('is there, and says nothing, when nothing was said', () => {
    moveFlow({ type: 'PAUSED', name: 'Paused', key: 'approval' });
    desk.ask('op', { kind: 'flow', run: FLOW, to: RUNNING });
    expect(mailOf(pauseMailbox(FLOW, 'approval'))).toEqual([undefined]);
  });

  test('is not kept of a resumption that is refused', () => {
    desk.ask('op', { kind: 'flow', run: FLOW, to: RUNNING, input: valueOf('yes') });
    expect(desk.workspace.mailboxes.size).toBe(0);
  });
});

describe('a suspended flow run', () => {
  const suspend = (more: object): Ruling | undefined =>
    moveFlow({ type: 'PAUSED', name: 'Waiting', suspended: true, ...more });

  test('goes on when its sleep is over', () => {
    suspend({ wakeAtMs: desk.nowMs + 500 });
    desk.pass(499);
    expect(desk.run(FLOW)?.state.type).toBe('PAUSED');
    desk.pass(1);
    // The clock has proposed both: that it goes on, and that a worker takes it.
    expect(desk.run(FLOW)?.state.type).toBe('PENDING');
    expect(
      desk.ruled.map(({ ruling }) => ruling.state?.name ?? ('to' in ruling.proposal ? ruling.proposal.to.name : '')),
    ).toContain('Resuming');
  });

  test('goes on when a message comes for it, and receives it', () => {
    receiveGo('a');
    suspend({ wakeOn: [GO] });
    expect(desk.run(FLOW)?.state.type).toBe('PAUSED');
    happens({ type: 'MESSAGE_SENT', to: FLOW, name: 'other' });
    desk.pass(0);
    expect(desk.run(FLOW)?.state.type).toBe('PAUSED');
    send('1');
    desk.pass(0);
    expect(desk.run(FLOW)?.state.type).toBe('PENDING');
    claim('worker');
    receive('a', { type: 'MESSAGE', mailbox: GO }, 'worker');
    expect(resultOf('a')).toEqual(['Received', '1']);
  });

  test('goes on at once when the message came before the pause was ruled on', () => {
    receiveGo('a');
    send('1');
    expect(resultOf('a')).toEqual(['Received', '1']);
    // Its process has not heard of that yet.
    suspend({ wakeOn: [GO] });
    desk.pass(0);
    expect(desk.run(FLOW)?.state.type).toBe('PENDING');
  });

  test('goes on at once when one of two calls that wait for the same has been served', () => {
    for (const name of ['a', 'b']) receiveGo(name);
    send('1');
    suspend({ wakeOn: [GO, GO] });
    desk.pass(0);
    expect(desk.run(FLOW)?.state.type).toBe('PENDING');
  });

  test('that is woken while somebody is to resume it pauses again at the same place', () => {
    receiveGo('a');
    suspend({ key: 'approval', wakeOn: [GO] });
    send('1');
    desk.pass(0);
    expect(mailOf(pauseMailbox(FLOW, 'approval'))).toEqual([]);
    claim('worker');
    expect(suspend({ key: 'approval' })).toMatchObject({ outcome: 'accepted' });
  });

  test('sleeps no longer than its pause lasts', () => {
    suspend({ wakeAtMs: desk.nowMs + 500, timeoutAtMs: desk.nowMs + 400 });
    desk.pass(600);
    expect(desk.run(FLOW)?.state).toMatchObject({ type: 'FAILED' });
  });
});

test('all of it is the same when it is folded anew, and nothing is wrong with it', () => {
  receive('event', { type: 'EVENT', topic: 'paid' });
  receiveGo('a');
  receiveGo('b', desk.nowMs + 500);
  send('1');
  happens({ type: 'EVENT_EMITTED', name: 'paid' });
  for (const text of ['2', '3']) send(text);
  desk.seal();
  expect(wrongsOf(desk.workspace)).toEqual([]);
  const anew = foldAnew(desk.segments);
  expect([...anew.mailboxes.entries()]).toEqual([...desk.workspace.mailboxes.entries()]);
  expect([...anew.messages.entries()]).toEqual([...desk.workspace.messages.entries()]);
});
