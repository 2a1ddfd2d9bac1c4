/**
 * What the demo writes to the terminal: headings, lines, and one line of progress that is drawn again in place. Where
 * there is no terminal, progress is a plain line now and then. NO_COLOR is respected (`styleText` does).
 */
import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

const ERASE_LINE = '\r\u001b[2K';
const BAR_CELLS = 24;
/** Without a terminal, progress is said each time that another quarter is done. */
const QUIET_SHARE = 0.25;

export const styled = (style: Style, text: string): string => styleText(style, text, { stream: process.stdout });

export class Terminal {
  readonly #live = process.stdout.isTTY;
  #drawn = '';
  #said = 0;

  heading(text: string): void {
    this.line();
    this.line(styled('bold', text));
  }

  line(text = ''): void {
    this.#erase();
    process.stdout.write(`${text}\n`);
    if (this.#drawn !== '') process.stdout.write(this.#drawn);
  }

  /** Indented, as what belongs to the heading above. */
  detail(text: string): void {
    this.line(`   ${text}`);
  }

  progress(done: number, of: number, text: string): void {
    const filled = of === 0 ? 0 : Math.round((BAR_CELLS * done) / of);
    if (this.#live) {
      this.#erase();
      const bar = styled('green', '━'.repeat(filled)) + styled('dim', '━'.repeat(BAR_CELLS - filled));
      this.#drawn = `   ${bar} ${text}`;
      process.stdout.write(this.#drawn);
    } else if (done >= this.#said + of * QUIET_SHARE) {
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
