/** How proposals leave and answers arrive: a session alone, with an arbiter that says what the test wants. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Digest, RunId, SessionId } from '../../protocol/ids.ts';
import { LIMITS } from '../../protocol/limits.ts';
import type { Answer, AnswerMessage, Order, ProposalDraft } from '../../protocol/messages.ts';
import { parseBatch } from '../../protocol/wire.ts';
import { Session, type Wish } from '../../sdk/client/session.ts';

class Outlet {
  up = true;
  readonly batches: ProposalDraft[][] = [];

  propose(_: SessionId, bytes: Uint8Array): void {
    const parsed = parseBatch(bytes);
    if (!parsed.ok) throw new Error(parsed.problem);
    const drafts = parsed.value.proposals.map((one) => {
      if (!one.ok) throw new Error(one.problem);
      return one.value;
    });
    this.batches.push(drafts);
  }

  counters(): number[][] {
    return this.batches.map((batch) => batch.map(({ counter }) => counter));
  }
}

const RUN = 'aaaaaaaaaaaaaaaa' as RunId;
const wish = (text = ''): Wish => ({
  kind: 'flow',
  run: RUN,
  to: {
    type: 'COMPLETED',
    name: 'Completed',
    ...(text === '' ? {} : { result: { digest: '0'.repeat(64) as Digest, size: text.length, inline: text } }),
  },
  report: true,
});

let outlet: Outlet;
let session: Session;
let expired: number;
let epochs: number;
let silences: number[];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setImmediate', 'setInterval', 'setTimeout', 'performance', 'clearInterval'] });
  outlet = new Outlet();
  expired = 0;
  epochs = 0;
  silences = [];
  session = new Session(outlet, {
    ordered: () => undefined,
    epochChanged: () => (epochs += 1),
    expired: () => (expired += 1),
    silent: (forMs) => silences.push(Math.round(forMs / 1000)),
  });
});

afterEach(() => {
  session.close();
  vi.useRealTimers();
});

const tick = (): void => {
  vi.advanceTimersByTime(1);
};

function answer(...answers: Partial<Answer>[]): void {
  hear({ answers: answers.map((one) => ({ outcome: 'accepted', version: 1, seq: 1, index: 0, counter: 0, ...one })) });
}

function hear(message: Partial<AnswerMessage>): void {
  session.receive(Buffer.from(JSON.stringify({ v: 1, epoch: 1, answers: [], orders: [], ...message })));
}

/** A first proposal is answered. */
function open(): void {
  session.propose(wish(), () => undefined);
  tick();
  answer({ counter: 0 });
}

test('what is proposed in one tick leaves in one batch, in order, counted from 0 without gaps', () => {
  for (let i = 0; i < 3; i += 1) session.propose(wish(), () => undefined);
  expect(outlet.batches).toHaveLength(0);
  tick();
  expect(outlet.counters()).toEqual([[0, 1, 2]]);
  answer({ counter: 0 });
  session.propose(wish(), () => undefined);
  tick();
  expect(outlet.counters()[1]).toEqual([3]);
});

test('until the first answer only the first batch is on its way, however often', () => {
  session.propose(wish(), () => undefined);
  tick();
  session.propose(wish(), () => undefined);
  tick();
  expect(outlet.counters()).toEqual([[0]]);
  vi.advanceTimersByTime(1300);
  // What came later may go with it, but not without it.
  expect(outlet.counters()).toEqual([[0], [0, 1]]);
  session.restored();
  tick();
  expect(outlet.counters()[2]).toEqual([0, 1]);
  answer({ counter: 0 });
  session.propose(wish(), () => undefined);
  tick();
  expect(outlet.counters()[3]).toEqual([2]);
});

test('with a proposal that is published again go all that were sent after it', () => {
  session.propose(wish(), () => undefined);
  tick();
  answer({ counter: 0 });
  session.propose(wish(), () => undefined);
  tick();
  vi.advanceTimersByTime(700);
  session.propose(wish(), () => undefined);
  tick();
  vi.advanceTimersByTime(600);
  expect(outlet.counters().slice(1)).toEqual([[1], [2], [1, 2]]);
});

test('a batch holds no more proposals and no more bytes than the limits say', () => {
  open();
  for (let i = 0; i < LIMITS.batchProposalsMax + 1; i += 1) session.propose(wish(), () => undefined);
  tick();
  expect(outlet.batches.slice(1).map((batch) => batch.length)).toEqual([LIMITS.batchProposalsMax, 1]);
  const text = 'x'.repeat(16_000);
  for (let i = 0; i < 60; i += 1) session.propose(wish(text), () => undefined);
  tick();
  const sizes = outlet.batches.slice(3).map((batch) => JSON.stringify(batch).length);
  expect(sizes.length).toBeGreaterThan(1);
  for (const size of sizes) expect(size).toBeLessThanOrEqual(LIMITS.batchBytesMax);
});

test('the first proposal after an answer says up to where all are answered', () => {
  for (let i = 0; i < 3; i += 1) session.propose(wish(), () => undefined);
  tick();
  answer({ counter: 0 }, { counter: 2 });
  session.propose(wish(), () => undefined);
  session.propose(wish(), () => undefined);
  tick();
  expect(outlet.batches[1]?.map(({ done }) => done)).toEqual([1, undefined]);
  answer({ counter: 1 });
  session.propose(wish(), () => undefined);
  tick();
  expect(outlet.batches[2]?.map(({ done }) => done)).toEqual([3]);
});

test('a proposal without an answer is published again with the same counter, after 1 s, 2 s, 4 s …, at most 30 s', () => {
  session.propose(wish(), () => undefined);
  tick();
  const gapsMs: number[] = [];
  let seen = outlet.batches.length;
  for (let gapMs = 10; gapsMs.length < 7; gapMs += 10) {
    vi.advanceTimersByTime(10);
    if (outlet.batches.length === seen) continue;
    seen = outlet.batches.length;
    gapsMs.push(gapMs);
    gapMs = 0;
  }
  // It looks every quarter of a second.
  [1, 2, 4, 8, 16, 30, 30].forEach((seconds, i) => {
    expect(gapsMs[i]).toBeGreaterThanOrEqual(seconds * 1000);
    expect(gapsMs[i]).toBeLessThanOrEqual(seconds * 1000 + 300);
  });
  expect(new Set(outlet.counters().flat())).toEqual(new Set([0]));
});

test('held is a receipt: the proposal waits on, is asked after, less and less often, and is settled once', () => {
  const answers: Answer[] = [];
  session.propose(wish(), (one) => answers.push(one));
  tick();
  answer({ outcome: 'held' });
  for (const [index, seconds] of [2, 4, 8, 16, 30, 30].entries()) {
    vi.advanceTimersByTime(seconds * 1000 - 300);
    expect(outlet.batches).toHaveLength(index + 1);
    vi.advanceTimersByTime(600);
    expect(outlet.batches).toHaveLength(index + 2);
    answer({ outcome: 'held' });
  }
  answer({ outcome: 'accepted' });
  answer({ outcome: 'accepted' });
  expect(answers.map(({ outcome }) => outcome)).toEqual(['accepted']);
});

test('after the link was down, everything unanswered and everything held is published again at once, in order', () => {
  for (let i = 0; i < 4; i += 1) session.propose(wish(), () => undefined);
  tick();
  answer({ counter: 1 }, { counter: 2, outcome: 'held' });
  outlet.up = false;
  session.propose(wish(), () => undefined);
  vi.advanceTimersByTime(5000);
  expect(outlet.batches).toHaveLength(1);
  outlet.up = true;
  session.restored();
  tick();
  expect(outlet.counters().slice(1)).toEqual([[0, 2, 3, 4]]);
});

test('no more than the limit is on its way; held ones do not count', () => {
  open();
  const count = LIMITS.sessionInFlightMax + 10;
  for (let i = 0; i < count; i += 1) session.propose(wish(), () => undefined);
  tick();
  const sent = (): number => outlet.batches.flat().length - 1;
  expect(sent()).toBe(LIMITS.sessionInFlightMax);
  answer({ counter: 1, outcome: 'held' }, { counter: 2 });
  tick();
  expect(sent()).toBe(LIMITS.sessionInFlightMax + 2);
});

test('orders reach whoever follows the run, and nobody else', () => {
  const heard: Order[] = [];
  const listen = (order: Order): void => void heard.push(order);
  session.follow(RUN, listen);
  const order: Order = {
    run: RUN,
    state: { type: 'CANCELLING', name: 'Cancelling' },
    version: 2,
    execution: 1,
    by: 'cli',
    seq: 2,
    index: 0,
  };
  hear({ orders: [order, { ...order, run: 'bbbbbbbbbbbbbbbb' as RunId }] });
  session.unfollow(RUN, listen);
  hear({ orders: [order] });
  expect(heard).toEqual([order]);
});

test('held proposals of an asker that does not care any more are dropped, and count as done', () => {
  const asker = { mute: false };
  let settled = 0;
  session.propose(wish(), () => (settled += 1), asker);
  session.propose(wish(), () => (settled += 1));
  tick();
  answer({ counter: 0, outcome: 'held' }, { counter: 1 });
  asker.mute = true;
  session.dropMute();
  vi.advanceTimersByTime(60_000);
  expect(outlet.batches).toHaveLength(1);
  session.propose(wish(), () => undefined);
  tick();
  expect(outlet.batches[1]?.[0]?.done).toBe(2);
  expect(settled).toBe(1);
});

test('when another arbiter answers, what is unanswered or held is published again; an expired session is noticed', () => {
  session.propose(wish(), () => undefined);
  session.propose(wish(), () => undefined);
  tick();
  hear({ epoch: 1 });
  answer({ counter: 1, outcome: 'held' });
  tick();
  expect([epochs, outlet.batches.length]).toEqual([0, 1]);
  hear({ epoch: 2 });
  tick();
  expect(epochs).toBe(1);
  expect(outlet.counters()).toEqual([
    [0, 1],
    [0, 1],
  ]);
  answer({ outcome: 'rejected', code: 'SESSION_EXPIRED' });
  expect(expired).toBe(1);
});

test('a silence is noticed after 10 s, and again after twice as long each time; not while something is answered', () => {
  session.propose(wish(), () => undefined);
  tick();
  vi.advanceTimersByTime(100_000);
  expect(silences.length).toBeGreaterThan(1);
  // It looks when it asks again.
  expect([10, 11, 12, 13, 14, 15, 16]).toContain(silences[0]);
  silences.forEach((seconds, i) => {
    if (i > 0) expect(seconds).toBeGreaterThanOrEqual(2 * silences[i - 1]!);
  });
  const before = silences.length;
  answer({ counter: 0 });
  vi.advanceTimersByTime(60_000);
  session.propose(wish(), () => undefined);
  tick();
  vi.advanceTimersByTime(9000);
  expect(silences).toHaveLength(before);
});
