import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { Chain } from '../../engine/fold/chain.ts';
import type { Digest, RunId } from '../../protocol/ids.ts';
import { decodeSegment, encodeSegment } from '../../protocol/segment.ts';
import { decodeEntry } from '../../protocol/segment.ts';
import { parseBatch } from '../../protocol/wire.ts';
import { CallCounter } from '../../sdk/call.ts';
import { registerSerializer, secret } from '../../sdk/index.ts';
import { decodeText, encodeText } from '../../sdk/values.ts';
import { blocksOf, filesBelow, readText } from './markdown.ts';

class Metres {
  readonly metres: number;
  constructor(metres: number) {
    this.metres = metres;
  }
}
registerSerializer({
  name: 'Metres',
  test: (value) => value instanceof Metres,
  encode: ({ metres }) => metres,
  decode: (metres: number) => new Metres(metres),
});

const page = readText('docs/protocol.md');
const ledger = blocksOf(page, 'ledger');
const sha256 = (text: string | Uint8Array): string => createHash('sha256').update(text).digest('hex');

test('each segment of the example is what the page says of its bytes', () => {
  expect(ledger).toHaveLength(3);
  ledger.forEach((block, index) => {
    const [head = '', ...rest] = block.split('\n');
    const seal = rest.pop();
    const header = JSON.parse(head) as { count: number; lines: string; number: number };
    expect(seal).toBe(sha256(head));
    expect(header).toMatchObject({ count: rest.length, number: index, lines: sha256(rest.join('\n')) });
    expect(page).toContain(`Sequence ${String(index + 1)}, hash \`${String(seal)}\``);
  });
});

test('every segment of the example counts, and a changed byte breaks the ledger at its sequence', async () => {
  const read = async (blocks: readonly string[]): Promise<readonly string[]> => {
    const chain = new Chain({ seq: 0, hash: '' }, () => Promise.resolve(undefined));
    const links: string[] = [];
    for (const [index, block] of blocks.entries()) {
      const message = { seq: index + 1, subject: 'assent.default.ledger', bytes: Buffer.from(block) };
      links.push((await chain.take(message)).type);
    }
    return links;
  };
  expect(await read(ledger)).toEqual(['COUNTED', 'COUNTED', 'COUNTED']);
  const changed = ledger.map((block, index) => (index === 1 ? block.replace('Running', 'Walking') : block));
  await expect(read(changed)).rejects.toMatchObject({ kind: 'LEDGER_BROKEN' });
});

test('the rulings of the example are a chain of their own, and their values have their digests', () => {
  const lines = ledger.slice(1).map((block) => block.split('\n')[1] ?? '');
  const [first, second] = lines.map(decodeEntry);
  expect(first).not.toHaveProperty('prev');
  expect(second).toMatchObject({ prev: sha256(lines[0] ?? '') });
  const values = [...ledger.join('\n').matchAll(/\{"digest":"(\w+)","size":(\d+),"inline":("(?:\\.|[^"])*")\}/g)];
  expect(values).toHaveLength(2);
  for (const [, digest, size, inline = ''] of values) {
    const text = JSON.parse(inline) as string;
    expect([digest, Number(size)]).toEqual([sha256(text), Buffer.byteLength(text)]);
  }
});

test('a long segment is packed as the page says', () => {
  const lines = [JSON.stringify({ type: 'CLOCK_STEPPED', atMs: 0, wallMs: 0, padding: 'x'.repeat(5000) })];
  const header = {
    epoch: 1,
    writer: 'w',
    number: 1,
    parent: { seq: 0, hash: '' as Digest | '' },
    position: { seq: 0, id: '' },
    effects: 0,
  };
  const { bytes } = encodeSegment(header, lines);
  expect(bytes[0]).toBe('Z'.charCodeAt(0));
  expect(Buffer.from(bytes.subarray(1, 9)).toString('hex')).toBe(sha256(bytes.subarray(9)).slice(0, 16));
  // The magic number of a zstd frame.
  expect(Buffer.from(bytes.subarray(9, 13)).toString('hex')).toBe('28b52ffd');
  expect(decodeSegment(bytes)).toMatchObject({ ok: true, segment: { lines } });
});

test.each([
  ['undefined', undefined, '-1'],
  ['"Hello ADA"', 'Hello ADA', '["Hello ADA"]'],
  ['{ who: "Ada" }', { who: 'Ada' }, '[{"who":1},"Ada"]'],
  ['{ a: 1, b: [1, undefined, NaN] }', { a: 1, b: [1, undefined, NaN] }, '[{"a":1,"b":2},1,[1,-1,-3]]'],
  ['new Map([["k", 10n]])', new Map([['k', 10n]]), '[["Map",1,2],"k",["BigInt","10"]]'],
  ['new Date(0)', new Date(0), '[["Date","1970-01-01T00:00:00.000Z"]]'],
  ['new Uint8Array([1, 2, 3])', new Uint8Array([1, 2, 3]), '[["Uint8Array",1],["ArrayBuffer","AQID"]]'],
])('the text of %s is the one on the page, in both directions', (shown, value, text) => {
  const row = page.split('\n').find((line) => line.startsWith(`| \`${shown}\``));
  expect(row).toContain(`\`${text}\``);
  expect(encodeText(value, 'it')).toBe(text);
  expect(decodeText(text)).toEqual(value);
});

// Not on the page as examples, but in its table; the ledger outlives the package that writes them.
test.each([
  [new Set(['x']), '[["Set",1],"x"]'],
  [/a/g, '[["RegExp","a","g"]]'],
  [new URL('https://example.org/'), '[["URL","https://example.org/"]]'],
  [[-0, Infinity, -Infinity], '[[-6,-4,-5]]'],
  [Buffer.from([1, 2, 3]), '[["Buffer",1],["Uint8Array",2],["ArrayBuffer","AQID"]]'],
  [secret.env('KEY'), '[["Secret",1],{"env":2},"KEY"]'],
  [secret.file('/run/key'), '[["Secret",1],{"file":2},"/run/key"]'],
  [new Metres(3), '[["Metres",1],[2],3]'],
])('the notation of values stays what it was: %s', (value, text) => {
  expect(encodeText(value, 'it')).toBe(text);
  expect(decodeText(text)).toEqual(value);
});

test('a call has the id that the page says', () => {
  const parent = 'a1b2c3d4e5f6g7h8' as RunId;
  const [first, second] = [0, 1].map(() => new CallCounter(parent).next('fetchPage', [], 'my key'));
  const digits = sha256(JSON.stringify(['my key', null, 0])).slice(0, 16);
  expect(first?.run).toBe(`${parent}.fetch-page-${digits}`);
  expect(second).toEqual(first);
  const { run, call } = new CallCounter(parent).next('fetchPage', [{ b: 1, a: 2 }]);
  expect(run).toBe(`${parent}.fetch-page-${sha256(JSON.stringify(['fetchPage', call.inputs, 0])).slice(0, 16)}`);
  expect(new CallCounter(parent).next('fetchPage', [{ a: 2, b: 1 }]).run).toBe(run);
});

test('the batch on the page is one', () => {
  const batches = blocksOf(page, 'json').map((block) => parseBatch(Buffer.from(block)));
  expect(batches).toMatchObject([{ ok: true, value: { proposals: [{ ok: true }] } }]);
});

test('every field of the protocol is named on the page', () => {
  const files = filesBelow('protocol', '.ts').filter((path) => !/(errors|limits|ids|subjects|query|wire)/.test(path));
  const fields = files.flatMap((path) =>
    [...readText(path).matchAll(/readonly (\w+)\??:/g)].map(([, name = '']) => name),
  );
  const ofOurOwn = new Set(['ok', 'problem', 'segment', 'value']);
  const missing = [...new Set(fields)].filter((name) => !ofOurOwn.has(name) && !new RegExp(`\\b${name}\\b`).test(page));
  expect(missing).toEqual([]);
});
