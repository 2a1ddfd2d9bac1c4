/**
 * The bytes of a stored ledger message: a header line, one line per entry, and a seal. `docs/protocol.md` has the
 * format for other languages.
 *
 * S1 The hash of a segment is the SHA-256 of its header line's bytes; the header holds the hash of the entry lines, the
 *    hash of its parent and its parent's sequence, so the hash of the head stands for the whole ledger.
 * S2 The seal is the segment's own hash, so that one changed byte anywhere is found at the very segment.
 * S3 The first byte tells the form: `{` is plain text, `Z` is packed by zstd (after 8 bytes of the packed form's hash).
 */
import { hash as digestOf } from 'node:crypto';
import * as zlib from 'node:zlib';
import { AssentError } from './errors.ts';
import type { Digest } from './ids.ts';
import { LIMITS } from './limits.ts';
import type { Entry } from './rulings.ts';

export type SegmentHeader = {
  readonly v: 1;
  readonly epoch: number;
  /** The writing incarnation's random id. */
  readonly writer: string;
  /** Counts this writer's segments; 0 is the one that begins its epoch. */
  readonly number: number;
  /** The segment before: its sequence in the stream and its hash; sequence 0 and the empty string for the first. */
  readonly parent: { readonly seq: number; readonly hash: Digest | '' };
  /** Up to where PROPOSALS is ruled on: a sequence, and the id of the first proposal of the batch stored there. */
  readonly position: { readonly seq: number; readonly id: string };
  /** Up to which ledger sequence the effects of rulings are done. */
  readonly effects: number;
  readonly count: number;
  /** SHA-256 of the entry lines joined by line feeds. */
  readonly lines: Digest;
};

export type Segment = { readonly header: SegmentHeader; readonly hash: Digest; readonly lines: readonly string[] };

export type Decoded =
  { readonly ok: true; readonly segment: Segment } | { readonly ok: false; readonly problem: string };

export const sha256 = (text: string | Uint8Array): Digest => digestOf('sha256', text, 'hex') as Digest;

/** One line per entry; written once, hashed and stored as it is. */
export const encodeEntry = (entry: Entry): string => JSON.stringify(entry);
export const decodeEntry = (line: string): Entry => JSON.parse(line) as Entry;

const PACKED = 0x5a; // 'Z'
const canPack = typeof zlib.zstdCompressSync === 'function'; // Node 22.15 and newer.
const FASTEST = canPack ? { params: { [zlib.constants.ZSTD_c_compressionLevel]: 1 } } : {};

/** The bytes to store, and the hash that the next segment names. */
export function encodeSegment(
  header: Omit<SegmentHeader, 'v' | 'count' | 'lines'>,
  lines: readonly string[],
): { readonly bytes: Uint8Array; readonly hash: Digest } {
  const body = lines.join('\n');
  const full: SegmentHeader = { v: 1, ...header, count: lines.length, lines: sha256(body) };
  const head = JSON.stringify(full);
  const hash = sha256(head);
  const plain = Buffer.from(`${head}\n${body}\n${hash}`);
  return { bytes: canPack && plain.length > LIMITS.packAboveBytes ? pack(plain) : plain, hash };
}

function pack(plain: Uint8Array): Uint8Array {
  const packed = zlib.zstdCompressSync(plain, FASTEST);
  const guard = Buffer.from(sha256(packed).slice(0, 16), 'hex');
  return Buffer.concat([Buffer.of(PACKED), guard, packed]);
}

/** Checks everything that one segment can show of itself; the chain is the reader's business. */
export function decodeSegment(bytes: Uint8Array): Decoded {
  const text = segmentText(bytes);
  if (text === undefined) return broken('the packed form does not match its guard');
  const headEnd = text.indexOf('\n');
  const sealStart = text.lastIndexOf('\n');
  if (headEnd < 0 || sealStart <= headEnd) return broken('it has no header line, entry lines and seal');
  const head = text.slice(0, headEnd);
  const hash = sha256(head);
  if (text.slice(sealStart + 1) !== hash) return broken('the header does not match the seal');
  const header = headerOf(head);
  if (header === undefined) return broken('the header is none of version 1');
  const body = text.slice(headEnd + 1, sealStart);
  if (sha256(body) !== header.lines) return broken('the entries do not match the header');
  const lines = body.split('\n');
  if (lines.length !== header.count) return broken('the count of entries does not match the header');
  return { ok: true, segment: { header, hash, lines } };
}

/** The seal proves that the header is as it was written, not that it was written well. */
function headerOf(head: string): SegmentHeader | undefined {
  try {
    const header = JSON.parse(head) as Partial<SegmentHeader> | null;
    const { parent, position } = header ?? {};
    const isHeader =
      header?.v === 1 &&
      typeof parent?.seq === 'number' &&
      typeof parent.hash === 'string' &&
      typeof position?.seq === 'number' &&
      typeof position.id === 'string' &&
      [header.epoch, header.number, header.effects, header.count].every(Number.isSafeInteger) &&
      typeof header.writer === 'string';
    return isHeader ? (header as SegmentHeader) : undefined;
  } catch {
    return undefined;
  }
}

/** Fatal, because a replacement character would hide a changed byte. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A stored segment's text, unpacked; undefined if the packed form is damaged, or it is no text. */
export function segmentText(bytes: Uint8Array): string | undefined {
  try {
    if (bytes[0] !== PACKED) return utf8.decode(bytes);
    if (!canPack) throw new AssentError('NODE_TOO_OLD', 'A packed segment needs zstd, which comes with Node.js 22.15.');
    const packed = bytes.subarray(9);
    if (sha256(packed).slice(0, 16) !== Buffer.from(bytes.subarray(1, 9)).toString('hex')) return undefined;
    return utf8.decode(zlib.zstdDecompressSync(packed));
  } catch (error) {
    if (error instanceof AssentError) throw error;
    return undefined;
  }
}

const broken = (problem: string): Decoded => ({ ok: false, problem });
