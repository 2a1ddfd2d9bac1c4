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

  /** Indented, as what belongs to the heading above; on a terminal, broken where it would run out of it. */
  detail(text: string): void {
    const columns = process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY;
    for (const line of wrapped(`${INDENT}${text}`, columns)) this.line(line.trimEnd());
  }

  progress(done: number, of: number, text: string): void {
    if (process.stdout.isTTY) {
      this.#erase();
      // A line that wraps could not be erased.
      const room = Math.max(0, process.stdout.columns - INDENT.length - BAR_CELLS - 2);
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

  #erase(): void {
    if (this.#drawn !== '') process.stdout.write(ERASE_LINE);
  }
}

function bar(share: number): string {
  const filled = Math.round(BAR_CELLS * share);
  return styled('green', '█'.repeat(filled)) + styled('dim', '░'.repeat(BAR_CELLS - filled));
}

/** Broken between words; what follows is a little further in than the line that it continues. */
function wrapped(text: string, columns: number): string[] {
  const hanging = ' '.repeat(text.search(/\S|$/) + 4);
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
