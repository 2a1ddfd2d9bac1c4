import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LIMITS } from '../../protocol/limits.ts';
import type { ProposalDraft } from '../../protocol/messages.ts';
import { encodeBatch, parseAsk, parseBatch, parseHeartbeat, type ParsedBatch } from '../../protocol/wire.ts';
import { anyDraft } from '../support/arbitraries.ts';

const bytesOf = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const parsed = (bytes: Uint8Array): ParsedBatch['proposals'] => {
  const batch = parseBatch(bytes);
  if (!batch.ok) throw new Error(batch.problem);
  return batch.value.proposals;
};
const RUN = 'a'.repeat(16);
const draft = (more: object): unknown => ({
  kind: 'flow',
  counter: 0,
  run: RUN,
  to: { type: 'RUNNING', name: 'R' },
  ...more,
});
const problemOf = (more: object): string => {
  const [first] = parsed(bytesOf({ v: 1, proposals: [draft(more)] }));
  return first === undefined || first.ok ? '' : first.problem;
};

describe('a batch', () => {
  test('survives the wire, every proposal of it', () => {
    fc.assert(
      fc.property(fc.array(anyDraft, { minLength: 1, maxLength: 5 }), (proposals) => {
        expect(parsed(encodeBatch({ v: 1, proposals }))).toEqual(proposals.map((value) => ({ ok: true, value })));
      }),
    );
  });

  test('is folded alike before and after it was stored: what was parsed is what its line says', () => {
    fc.assert(
      fc.property(anyDraft, (sent) => {
        const [first] = parsed(encodeBatch({ v: 1, proposals: [sent] }));
        const value = first?.ok === true ? first.value : undefined;
        expect(JSON.parse(JSON.stringify(value))).toStrictEqual(value);
      }),
    );
  });

  test.each(['cache-key', 'transaction', 'cache-key[k]', 'transaction[k]'])(
    'does not set or remove the limit %s, which is the engine’s own',
    (limit) => {
      const events = [
        { type: 'LIMIT_SET', limit, slotsMax: 2 },
        { type: 'LIMIT_REMOVED', limit },
      ];
      for (const event of events) {
        const [first] = parsed(bytesOf({ v: 1, proposals: [{ kind: 'workspace', counter: 0, event }] }));
        expect(first).toMatchObject({ ok: false, problem: expect.stringContaining('the engine’s own') as string });
      }
    },
  );

  test.each([
    { carries: { type: 'MESSAGE_SENT', to: RUN, name: 'a\ud800' } },
    { carries: { type: 'EVENT_EMITTED', name: 'a', key: '\udc00' } },
    { create: { kind: 'task', name: 't', receives: { type: 'EVENT', topic: 'a\ud800' } } },
    { create: { kind: 'task', name: 't', receives: { type: 'MESSAGE', mailbox: `${RUN} message:\ud800` } } },
    { create: { kind: 'task', name: 't', cache: { key: '\ud800' } } },
  ])('finds nothing by half a character, which is another one when it has been stored: %j', (more) => {
    expect(problemOf(more)).toContain('half of a character');
  });

  test.each([
    { type: 'VARIABLE_REMOVED', name: 'Rate' },
    { type: 'VARIABLE_REMOVED', name: '' },
    { type: 'VARIABLE_REMOVED', name: 'x'.repeat(256) },
    { type: 'ARTIFACT_MADE', run: RUN, key: 'a/b', kind: 'markdown', data: { digest: 'a'.repeat(64), size: 0 } },
    { type: 'ARTIFACT_MADE', run: RUN, key: 'a', kind: 'video', data: { digest: 'a'.repeat(64), size: 0 } },
  ])('does not name a variable or an artifact as nobody could ask for it: %j', (event) => {
    const [first] = parsed(bytesOf({ v: 1, proposals: [{ kind: 'workspace', counter: 0, event }] }));
    expect(first).toMatchObject({ ok: false });
  });

  test('is not spoilt by one bad proposal in it', () => {
    const [first, second, third] = parsed(
      bytesOf({ v: 1, proposals: [draft({}), { counter: 7, kind: 'x' }, draft({ counter: 2 })] }),
    );
    expect([first?.ok, second, third?.ok]).toMatchObject([true, { ok: false, counter: 7 }, true]);
  });

  test.each<{ what: string; bytes: Uint8Array }>([
    { what: 'nothing', bytes: new Uint8Array() },
    { what: 'no JSON', bytes: Buffer.from('{"v":1,') },
    {
      what: 'no UTF-8',
      bytes: Buffer.concat([Buffer.from('{"v":1,"proposals":["'), Buffer.of(0xff), Buffer.from('"]}')]),
    },
    { what: 'a byte order mark', bytes: Buffer.from('\uFEFF{"v":1,"proposals":[{}]}') },
    { what: 'another version', bytes: bytesOf({ v: 2, proposals: [draft({})] }) },
    { what: 'no proposals', bytes: bytesOf({ v: 1, proposals: [] }) },
    {
      what: 'too many proposals',
      bytes: bytesOf({ v: 1, proposals: Array.from({ length: LIMITS.batchProposalsMax + 1 }, () => 0) }),
    },
    { what: 'a field that nobody knows', bytes: bytesOf({ v: 1, proposals: [draft({})], more: 1 }) },
    { what: 'too many bytes', bytes: Buffer.alloc(LIMITS.batchBytesMax + 1, 0x20) },
  ])('of $what is refused as a whole', ({ bytes }) => {
    expect(parseBatch(bytes)).toMatchObject({ ok: false });
  });
});

describe('no bytes make the door throw', () => {
  const parsers = [parseBatch, parseAsk, parseHeartbeat];
  const check = (bytes: Uint8Array): void => {
    for (const parse of parsers) expect(typeof parse(bytes).ok).toBe('boolean');
  };

  test('random ones', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), check));
  });
  test('random JSON', () => {
    fc.assert(fc.property(fc.jsonValue().map(bytesOf), check));
  });
  test('a batch of random JSON', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue(), { minLength: 1, maxLength: 4 }), (proposals) => {
        check(bytesOf({ v: 1, proposals }));
      }),
    );
  });
  test('a good batch with some bytes changed', () => {
    fc.assert(
      fc.property(
        anyDraft,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 }),
        (sent, changes) => {
          const bytes = Buffer.from(encodeBatch({ v: 1, proposals: [sent] }));
          for (const [place, byte] of changes) bytes[place % bytes.length] = byte;
          check(bytes);
        },
      ),
    );
  });
  test('a good batch that was cut', () => {
    fc.assert(
      fc.property(anyDraft, fc.nat(), (sent, length) => {
        const bytes = encodeBatch({ v: 1, proposals: [sent] });
        check(bytes.subarray(0, length % bytes.length));
      }),
    );
  });
  test.each([10, 1000, 100_000])('arrays nested %i deep', (depth) => {
    check(Buffer.from(`{"v":1,"proposals":[${'['.repeat(depth)}${']'.repeat(depth)}]}`));
    check(Buffer.from(`{"v":1,"proposals":[{"counter":${'['.repeat(depth)}${']'.repeat(depth)}}]}`));
  });
  test('names that objects inherit', () => {
    check(Buffer.from('{"v":1,"proposals":[{"__proto__":{"kind":"flow"},"constructor":1,"toString":2}]}'));
  });
});

describe('a proposal is refused', () => {
  test.each<{ what: string; more: object }>([
    { what: 'a field that nobody knows', more: { extra: 1 } },
    { what: 'a field that nobody knows in its state', more: { to: { type: 'RUNNING', name: 'R', extra: 1 } } },
    { what: 'a field of another state', more: { to: { type: 'RUNNING', name: 'R', dueAtMs: 5 } } },
    { what: 'a field that nobody knows in its definition', more: { create: { kind: 'flow', name: 'f', extra: 1 } } },
    { what: 'its own word of who asks', more: { by: 'engine' } },
    { what: 'an id of its own', more: { id: 'clock/x/1/timeout' } },
    { what: 'an epoch', more: { epoch: 3 } },
    { what: 'an unknown state', more: { to: { type: 'GONE', name: 'G' } } },
    { what: 'a state without a name', more: { to: { type: 'RUNNING', name: '' } } },
    { what: 'a run id with a space', more: { run: `${RUN}. x` } },
    { what: 'a run id with a slash', more: { run: `${RUN}.a/b` } },
    { what: 'a run id that is nested too deeply', more: { run: RUN + '.a'.repeat(30) } },
    { what: 'a negative counter', more: { counter: -1 } },
    { what: 'a counter that is no whole number', more: { counter: 1.5 } },
    { what: 'a counter beyond what is exact', more: { counter: 2 ** 53 } },
    { what: 'a name that is too long', more: { create: { kind: 'flow', name: 'x'.repeat(LIMITS.nameMax + 1) } } },
    {
      what: 'a message that is too long',
      more: { to: { type: 'RUNNING', name: 'R', message: 'x'.repeat(LIMITS.textMax + 1) } },
    },
    { what: 'no slots', more: { create: { kind: 'flow', name: 'f', limits: [{ limit: 'db', slots: 0 }] } } },
    {
      what: 'a delay without end',
      more: { create: { kind: 'flow', name: 'f', retry: { retriesMax: 1, delaysMs: [1e308], jitter: 1 } } },
    },
    { what: 'a time-out without end', more: { create: { kind: 'flow', name: 'f', timeoutMs: 1e300 } } },
    {
      what: 'more jitter than the delay itself',
      more: { create: { kind: 'flow', name: 'f', retry: { retriesMax: 1, delaysMs: [], jitter: 2 } } },
    },
    {
      what: 'more retries than anybody needs',
      more: { create: { kind: 'flow', name: 'f', retry: { retriesMax: 1e9, delaysMs: [], jitter: 0 } } },
    },
    {
      what: 'the key of a cipher without end',
      more: {
        to: {
          type: 'FAILED',
          name: 'F',
          error: { digest: 'a'.repeat(64), size: 1, cipher: { key: 'k'.repeat(1000), box: '' } },
        },
      },
    },
    { what: 'a report that is none', more: { report: false } },
  ])('for $what', ({ more }) => {
    expect(problemOf(more)).not.toBe('');
  });

  test('for its size, and its neighbours are heard', () => {
    const reason = 'x'.repeat(LIMITS.proposalBytesMax);
    const [large, next] = parsed(bytesOf({ v: 1, proposals: [draft({ reason }), draft({ counter: 1 })] }));
    expect(large).toMatchObject({ ok: false, counter: 0, problem: expect.stringContaining('bytes') as string });
    expect(next?.ok).toBe(true);
  });

  test('as a workspace event that only the engine makes', () => {
    const events = [
      { type: 'SESSION_CLOSED', session: 's', silentSinceMs: 0 },
      { type: 'UNREADABLE', problem: 'p', bytes: '' },
    ];
    for (const event of events) {
      expect(parsed(bytesOf({ v: 1, proposals: [{ kind: 'workspace', counter: 0, event }] }))).toMatchObject([
        { ok: false },
      ]);
    }
  });
});

test('what a failed call was given is a value of a size that is set, and two short texts', () => {
  const digest = 'a'.repeat(64);
  const isTaken = (inputs: object): boolean =>
    parsed(bytesOf({ v: 1, proposals: [{ ...(draft({}) as object), inputs }] })).every(({ ok }) => ok);
  expect(isTaken({ value: { digest, size: LIMITS.failureInputsBytesMax }, preview: 'p', note: 'n' })).toBe(true);
  expect(isTaken({ value: { digest, size: LIMITS.failureInputsBytesMax + 1 } })).toBe(false);
  expect(isTaken({ preview: 'p'.repeat(LIMITS.textMax + 1) })).toBe(false);
  expect(isTaken({ other: 1 })).toBe(false);
});

test('every draft that the door lets through is small enough to be ruled on in one segment', () => {
  const error = { digest: 'a'.repeat(64), size: 1, inline: '\u0001'.repeat(LIMITS.inlineBytesMax) };
  const large = draft({ to: { type: 'FAILED', name: 'F', error } }) as ProposalDraft;
  const [first] = parsed(encodeBatch({ v: 1, proposals: [large] }));
  expect(first?.ok).toBe(true);
  expect(Buffer.byteLength(JSON.stringify(large))).toBeLessThan(LIMITS.proposalBytesMax);
});
