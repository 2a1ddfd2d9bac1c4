/** Artifacts in words: text as text, tables as tables, progress as a bar. */
import type { ArtifactRow } from '../../protocol/query-workspace.ts';
import { cut, ink, oneLine, tableOf } from './style.ts';
import { decodeValue } from './values.ts';

const CELL_COLUMNS = 60;
const BAR_COLUMNS = 30;

/** What there is to see. */
export function artifactLines({ kind, description }: ArtifactRow, data: unknown): string[] {
  const head = description === undefined ? [] : [ink('bold', oneLine(description)), ''];
  switch (kind) {
    case 'markdown':
      return [...head, ...wordsOf(data).split('\n').map(printable)];
    case 'table':
      return [...head, ...tableLines(data)];
    case 'link':
    case 'image':
      return [...head, linkText(data)];
    case 'progress':
      return [...head, progressText(data)];
  }
}

/** What it says, in a few words, where that is short. */
export function gist({ kind, data }: ArtifactRow): string {
  if (data.inline === undefined) return '';
  const value = decodeValue(data.inline);
  switch (kind) {
    case 'markdown':
      return wordsOf(value).trim().split('\n', 1)[0] ?? '';
    case 'table':
      return Array.isArray(value) ? `${String(value.length)} rows` : '';
    case 'link':
    case 'image':
      return linkText(value);
    case 'progress':
      return progressText(value);
  }
}

/** As it is, but for what would move the cursor; a tab may stay. */
const printable = (line: string): string => line.split('\t').map(lineOf).join('\t').trimEnd();
const lineOf = (text: string): string => (text.trim() === '' ? text : `${/^ */.exec(text)?.[0] ?? ''}${oneLine(text)}`);

const wordsOf = (value: unknown): string =>
  typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value);

function tableLines(data: unknown): string[] {
  if (!Array.isArray(data)) return [wordsOf(data)];
  const rows = data.map((row: unknown) => (typeof row === 'object' && row !== null ? row : { value: row }));
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  if (columns.length === 0) return ['(no rows)'];
  const cells = rows.map((row) => columns.map((column) => cellOf((row as Record<string, unknown>)[column])));
  return tableOf([columns.map((column) => ink('bold', oneLine(column))), ...cells]);
}

const cellOf = (value: unknown): string => cut(oneLine(wordsOf(value)), CELL_COLUMNS);

function linkText(data: unknown): string {
  const { url, text } = (data ?? {}) as { url?: unknown; text?: unknown };
  return [text, url]
    .filter((part) => typeof part === 'string')
    .map(oneLine)
    .join('  ');
}

function progressText(data: unknown): string {
  const { done, total } = (data ?? {}) as { done?: unknown; total?: unknown };
  if (typeof done !== 'number') return '';
  if (typeof total !== 'number' || total <= 0) return `${String(done)} done`;
  const share = Math.min(Math.max(done / total, 0), 1);
  const full = Math.round(share * BAR_COLUMNS);
  const bar = `[${'#'.repeat(full)}${'.'.repeat(BAR_COLUMNS - full)}]`;
  return `${bar} ${String(Math.floor(share * 100))} %, ${String(done)} of ${String(total)}`;
}
