/**
 * The lines of an exported ledger or run (docs/export-format.md). Each line is exactly what `JSON.stringify` makes of it,
 * so that one changed byte anywhere is a line that is no line, or another text.
 */
import type { RunId } from '../../../protocol/ids.ts';
import { sha256 } from '../../../protocol/segment.ts';

/** A stored message of the ledger: the segment's text, unpacked. */
export type SegmentLine = { readonly v: 1; readonly seq: number; readonly kind: 'segment'; readonly text: string };
/** A stored message that is no segment any more; its bytes, base64. */
export type DamagedLine = {
  readonly v: 1;
  readonly seq: number;
  readonly kind: 'damaged';
  readonly problem: string;
  readonly bytes: string;
};
/** One ruling of an exported run, as its line is stored; `check` is over place and line. */
export type RulingLine = {
  readonly v: 1;
  readonly seq: number;
  readonly index: number;
  readonly kind: 'ruling';
  readonly check: string;
  readonly line: string;
};
/**
 * The source of a policy that judged some of the rulings, so that they can be judged again wherever the file goes. They
 * stand after everything else. `policy` is what the rulings call it: the first 16 digits of the source's SHA-256.
 */
export type PolicyLine = { readonly v: 1; readonly kind: 'policy'; readonly policy: string; readonly source: string };
/** The last line: without it, the file was cut off. `digest` is the SHA-256 of all lines before, line feeds included. */
export type EndLine = {
  readonly v: 1;
  readonly kind: 'end';
  readonly of: 'ledger' | 'run';
  /** Of a run. */
  readonly run?: RunId;
  readonly lines: number;
  readonly digest: string;
};
export type ExportLine = SegmentLine | DamagedLine | RulingLine | PolicyLine | EndLine;

export const encodeLine = (line: ExportLine): string => JSON.stringify(line);

export function rulingLineOf(place: { readonly seq: number; readonly index: number }, line: string): RulingLine {
  const { seq, index } = place;
  return { v: 1, seq, index, kind: 'ruling', check: checkOf(seq, index, line), line };
}

export const checkOf = (seq: number, index: number, line: string): string =>
  sha256(`${String(seq)} ${String(index)} ${line}`);

type Read = { readonly ok: true; readonly line: ExportLine } | { readonly ok: false; readonly problem: string };

/** The line that a text is, if it is one to the byte. */
export function readLine(text: string): Read {
  let line: Partial<ExportLine> | null;
  try {
    line = JSON.parse(text) as Partial<ExportLine> | null;
  } catch {
    return { ok: false, problem: 'it is not JSON' };
  }
  if (typeof line !== 'object' || line === null) return { ok: false, problem: 'it is no object' };
  if (line.v !== 1) return { ok: false, problem: 'it is not of version 1' };
  if (!hasItsFields(line)) return { ok: false, problem: 'it is no line of an export' };
  if (encodeLine(line) !== text) return { ok: false, problem: 'it is not written as exports are' };
  return { ok: true, line };
}

const FIELDS: Readonly<Record<ExportLine['kind'], Readonly<Record<string, 'string' | 'number'>>>> = {
  segment: { seq: 'number', text: 'string' },
  damaged: { seq: 'number', problem: 'string', bytes: 'string' },
  ruling: { seq: 'number', index: 'number', check: 'string', line: 'string' },
  policy: { policy: 'string', source: 'string' },
  end: { of: 'string', lines: 'number', digest: 'string' },
};

function hasItsFields(line: Partial<ExportLine>): line is ExportLine {
  if (line.kind === undefined || !Object.hasOwn(FIELDS, line.kind)) return false;
  const known = line as Readonly<Record<string, unknown>>;
  return Object.entries(FIELDS[line.kind]).every(([name, type]) => typeof known[name] === type);
}
