/**
 * What the demo writes to the terminal: headings, lines, and one line of progress that is drawn again in place. Where
 * there is no terminal, progress is a plain line now and then. NO_COLOR is respected (`styleText` does).
 */
import { stripVTControlCharacters, styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

const INDENT = '   ';
const ERASE_LINE = '\r\u001b[2K';
const BAR_CELLS = 20;
/** Without a terminal, progress is said each time that another quarter is done. */
const SAID_SHARE = 0.25;

export const styled = (style: Style, text: string): string => styleText(style, text, { stream: process.stdout });

/** Whether the terminal takes colours, and nobody said that it must not. */
export const isColoured = (): boolean => styled('red', ' ') !== ' ';

export class Terminal {
  /** The line of progress as it stands on the terminal. */
  #drawn = '';
  #said = 0;

  heading(text: string): void {
    this.line();
    this.line(styled('bold', text));
  }

  line(text = ''): void {
    this.#erase();
    process.stdout.write(`${text}\n${this.#drawn}`);
  }

  /**
   * Indented, as what belongs to the heading above. On a terminal it is broken where it would run out of it, and goes on
   * so many columns further in.
   */
  detail(text: string, hangColumns = 0): void {
    for (const line of wrapped(`${INDENT}${text}`, this.#columns, hangColumns)) this.line(line.trimEnd());
  }

  /** As {@link detail}, but a row that does not fit loses its last cells instead of its place. */
  row(text: string): void {
    this.line(wrapped(`${INDENT}${text}`, this.#columns, 0)[0]?.trimEnd());
  }

  progress(done: number, of: number, text: string): void {
    if (process.stdout.isTTY) {
      this.#erase();
      // A line that wraps could not be erased.
      const room = Math.max(0, this.#columns - INDENT.length - BAR_CELLS - 2);
      this.#drawn = `${INDENT}${bar(of === 0 ? 0 : done / of)} ${text.slice(0, room)}`;
      process.stdout.write(this.#drawn);
    } else if (done >= this.#said + of * SAID_SHARE) {
      this.#said = done;
      this.detail(text);
    }
  }

  /** The line of progress stays as it is; what follows comes below it. */
  endProgress(): void {
    if (this.#drawn !== '') process.stdout.write('\n');
    this.#drawn = '';
    this.#said = 0;
  }

  get #columns(): number {
    // A terminal that does not know its width says 0.
    return process.stdout.isTTY ? process.stdout.columns || 80 : Number.POSITIVE_INFINITY;
  }

  #erase(): void {
    if (this.#drawn !== '') process.stdout.write(ERASE_LINE);
  }
}

function bar(share: number): string {
  const filled = Math.round(BAR_CELLS * share);
  return styled('green', '█'.repeat(filled)) + styled('dim', '░'.repeat(BAR_CELLS - filled));
}

/** Broken between words. What follows is as far in as the line that it continues, and the hang more. */
function wrapped(text: string, columns: number, hangColumns: number): string[] {
  const hanging = ' '.repeat(text.search(/\S|$/) + hangColumns);
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/(?<=\S)(?= )/)) {
    if (line !== '' && stripVTControlCharacters(line + word).length > columns) {
      lines.push(line);
      line = hanging + word.trimStart();
    } else {
      line += word;
    }
  }
  return [...lines, line];
}
