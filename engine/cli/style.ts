/**
 * How text looks on a terminal: the only file that knows colours. `styleText` leaves them out where NO_COLOR is set or
 * the stream is no terminal, and puts them in where FORCE_COLOR asks for them. Nothing is said by colour alone.
 */
import { stripVTControlCharacters, styleText } from 'node:util';
import type { Outcome } from '../../protocol/rulings.ts';
import type { StateType } from '../../protocol/states.ts';

type Format = Parameters<typeof styleText>[0];
export type Ink = (format: Format, text: string) => string;

/** For what goes to standard output, and to standard error. */
export const ink: Ink = (format, text) => styleText(format, text, { stream: process.stdout });
export const inkOfNotes: Ink = (format, text) => styleText(format, text, { stream: process.stderr });

const OF_STATES: Readonly<Record<StateType, Format>> = {
  SCHEDULED: 'yellow',
  PENDING: 'gray',
  RUNNING: 'blue',
  PAUSED: 'magenta',
  CANCELLING: 'gray',
  COMPLETED: 'green',
  FAILED: 'red',
  CRASHED: ['red', 'bold'],
  CANCELLED: 'gray',
};
export const formatOfState = (type: StateType | undefined): Format => (type === undefined ? 'gray' : OF_STATES[type]);

const OF_OUTCOMES: Readonly<Record<Outcome, Format>> = {
  accepted: 'green',
  rewritten: 'yellow',
  rejected: ['red', 'bold'],
  held: 'magenta',
};
export const formatOfOutcome = (outcome: Outcome): Format => OF_OUTCOMES[outcome];

/** Columns that a text takes; good enough for names. */
export const widthOf = (text: string): number => Array.from(stripVTControlCharacters(text)).length;

/** Cut to so many columns. Only for text without colours. */
export const cut = (text: string, columns: number): string =>
  widthOf(text) <= columns
    ? text
    : `${Array.from(text)
        .slice(0, Math.max(0, columns - 1))
        .join('')}…`;

/** What lines are made for; a terminal that is wider is made use of. */
const COLUMNS = 100;
const NOTE_COLUMNS_MIN = 30;
export const roomOf = (): number => Math.max(COLUMNS, process.stdout.isTTY ? process.stdout.columns : 0);

/** A table with a text in each row, without colours, that is cut to the room which the other cells leave. */
export function tableWithTexts(
  rows: readonly { readonly cells: readonly string[]; readonly text: string }[],
  format: Format = 'dim',
): string[] {
  const bare = tableOf(rows.map(({ cells }) => [...cells, '']));
  const width = Math.max(0, ...tableOf(rows.map(({ cells }) => [...cells, '|'])).map(widthOf)) - 1;
  const room = Math.max(NOTE_COLUMNS_MIN, roomOf() - width);
  return rows.map(({ text }, index) => {
    const line = bare[index] ?? '';
    const shown = cut(oneLine(text), room);
    return shown === '' ? line : `${line}${' '.repeat(Math.max(0, width - widthOf(line)))}${ink(format, shown)}`;
  });
}

/** Rows of cells, in columns as wide as their widest cell; the last column is as wide as it is. */
export function tableOf(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, widthOf(cell));
    });
  }
  return rows.map((row) => rowOf(row, widths));
}

export function rowOf(row: readonly string[], widths: readonly number[]): string {
  const cells = row.map((cell, column) =>
    column === row.length - 1 ? cell : cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - widthOf(cell))),
  );
  return cells.join('  ').trimEnd();
}

/** A line broken between words where it is too long, what follows indented by two more than its beginning. */
export function wrapped(line: string, columns: number): string[] {
  if (widthOf(line) <= columns) return [line];
  const indent = /^ */.exec(line)?.[0] ?? '';
  const lines: string[] = [];
  let open = indent;
  for (const word of line.slice(indent.length).split(' ')) {
    const longer = open.trim() === '' ? `${open}${word}` : `${open} ${word}`;
    if (widthOf(longer) > columns && open.trim() !== '') {
      lines.push(open);
      open = `${indent}  ${word}`;
    } else open = longer;
  }
  return [...lines, open];
}

/** On one line: what comes from outside may hold anything, also what would move the cursor. */
export const oneLine = (text: string): string =>
  stripVTControlCharacters(text)
    .replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
    .trim();
