/**
 * Where output goes: data to standard output, everything else to standard error.
 *
 * O1 With `-o json`, standard output is one JSON document, or one on each line for what streams; never a colour.
 * O2 A reader that leaves early (`| head`) ends the command without a word.
 */
import { once } from 'node:events';
import { inkOfNotes } from './style.ts';

export type Format = 'text' | 'json';

export class Output {
  readonly format: Format;

  constructor(format: Format) {
    this.format = format;
    process.stdout.once('error', (error: NodeJS.ErrnoException) => {
      process.exit(error.code === 'EPIPE' ? (process.exitCode ?? 0) : 1);
    });
  }

  get isJson(): boolean {
    return this.format === 'json';
  }

  /** One JSON document, or lines for people. */
  document(json: unknown, text: () => readonly string[]): void {
    if (this.isJson) this.line(JSON.stringify(json, undefined, 2));
    else for (const line of text()) this.line(line);
  }

  line(text: string): void {
    process.stdout.write(`${text}\n`);
  }

  /** As `line`, for what may be long: resolves when there is room for more. */
  async flow(text: string): Promise<void> {
    if (!process.stdout.write(`${text}\n`)) await once(process.stdout, 'drain');
  }

  note(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  warn(text: string): void {
    this.note(`${inkOfNotes('yellow', 'warning:')} ${text}`);
  }
}
