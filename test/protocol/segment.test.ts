import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Digest } from '../../protocol/ids.ts';
import { decodeSegment, encodeSegment, sha256, type SegmentHeader } from '../../protocol/segment.ts';
import { anyDigest, anyDraft } from '../support/arbitraries.ts';

type Header = Parameters<typeof encodeSegment>[0];

const header: Header = {
  epoch: 3,
  writer: 'w'.repeat(16),
  number: 7,
  parent: { seq: 11, hash: 'f'.repeat(64) as Digest },
  position: { seq: 42, id: 'session000000000:5' },
  effects: 9,
};
const lines = [
  '{"type":"EPOCH","epoch":3}',
  '{"type":"CLOCK_STEPPED","wallMs":1}',
  '{"type":"RULING","why":"größer – 大"}',
];
const many = Array.from({ length: 200 }, (_, i) => `{"type":"RULING","i":${String(i)},"why":"${'x'.repeat(i % 50)}"}`);

const anyHeader: fc.Arbitrary<Header> = fc.record({
  epoch: fc.nat(),
  writer: fc.string({ maxLength: 16 }),
  number: fc.nat(),
  parent: fc.record({ seq: fc.nat(), hash: anyDigest }),
  position: fc.record({ seq: fc.nat(), id: fc.string() }),
  effects: fc.nat(),
});

describe('a segment', () => {
  test('survives being stored, plain or packed', () => {
    fc.assert(
      fc.property(
        anyHeader,
        fc.array(
          anyDraft.map((draft) => JSON.stringify(draft)),
          { minLength: 1, maxLength: 30 },
        ),
        (head, entries) => {
          const { bytes, hash } = encodeSegment(head, entries);
          const decoded = decodeSegment(bytes);
          expect(decoded).toEqual({
            ok: true,
            segment: {
              header: { v: 1, ...head, count: entries.length, lines: sha256(entries.join('\n')) },
              hash,
              lines: entries,
            },
          });
        },
      ),
    );
  });

  test('is plain when it is small and packed when it is large, and the first byte tells', () => {
    expect(encodeSegment(header, lines).bytes[0]).toBe('{'.charCodeAt(0));
    expect(encodeSegment(header, many).bytes[0]).toBe('Z'.charCodeAt(0));
    expect(encodeSegment(header, many).bytes.length).toBeLessThan(many.join('').length);
  });

  test('has the SHA-256 of its header line as its hash, by which the next one names it', () => {
    const { bytes, hash } = encodeSegment(header, lines);
    const [head = ''] = Buffer.from(bytes).toString().split('\n');
    expect(hash).toBe(sha256(head));
    const parent = { seq: 12, hash };
    const next = decodeSegment(encodeSegment({ ...header, parent }, lines).bytes);
    expect(next.ok && next.segment.header.parent).toEqual(parent);
  });
});

describe('one changed byte is found', () => {
  test.each([
    { form: 'plain', entries: lines },
    { form: 'packed', entries: many },
  ])('anywhere in a $form segment', ({ entries }) => {
    const { bytes } = encodeSegment(header, entries);
    for (let place = 0; place < bytes.length; place += 1) {
      for (const bit of [0, 1, 4, 5, 7]) {
        const changed = Uint8Array.from(bytes);
        changed[place]! ^= 1 << bit;
        expect(decodeSegment(changed).ok, `byte ${String(place)}, bit ${String(bit)}`).toBe(false);
      }
    }
  });

  test('or removed, or added', () => {
    for (const entries of [lines, many]) {
      const { bytes } = encodeSegment(header, entries);
      for (let place = 0; place < bytes.length; place += 1) {
        const without = Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + 1)]);
        const twice = Buffer.concat([
          bytes.subarray(0, place),
          bytes.subarray(place, place + 1),
          bytes.subarray(place),
        ]);
        expect(decodeSegment(without).ok).toBe(false);
        // A line feed that is doubled within the entries is an empty entry more, which the header does not count.
        expect(decodeSegment(twice).ok).toBe(false);
      }
    }
  });

  test('and no bytes at all make it throw', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 500 }),
          fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.concat([Buffer.from('Z'), bytes])),
        ),
        (bytes) => {
          expect(decodeSegment(bytes).ok).toBe(false);
        },
      ),
    );
  });
});

describe('a segment whose seal fits is still none', () => {
  const sealed = (head: string): Uint8Array => Buffer.from(`${head}\n{}\n${sha256(head)}`);
  const good: SegmentHeader = { v: 1, ...header, count: 1, lines: sha256('{}') };

  test('control: with a good header it is one', () => {
    expect(decodeSegment(sealed(JSON.stringify(good))).ok).toBe(true);
  });
  test.each<{ what: string; head: string }>([
    { what: 'no JSON', head: '{"v":1' },
    { what: 'null', head: 'null' },
    { what: 'another version', head: JSON.stringify({ ...good, v: 2 }) },
    { what: 'no parent', head: JSON.stringify({ ...good, parent: undefined }) },
    { what: 'no position', head: JSON.stringify({ ...good, position: null }) },
    { what: 'a text for an epoch', head: JSON.stringify({ ...good, epoch: '3' }) },
    { what: 'another count', head: JSON.stringify({ ...good, count: 2 }) },
    { what: 'the hash of other lines', head: JSON.stringify({ ...good, lines: sha256('[]') }) },
  ])('if its header is, or has, $what', ({ head }) => {
    expect(decodeSegment(sealed(head))).toMatchObject({ ok: false });
  });
});
