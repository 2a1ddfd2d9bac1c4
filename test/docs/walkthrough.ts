/**
 * Follows a guide as its reader does: writes the files that it shows, types what stands behind a `$`, and compares what
 * comes with what the guide shows.
 *
 * T1 Every block `ts` is a file and says its name in its first line; every block `console` is typed. Nothing is left out.
 * T2 Ids, times and durations differ from those that are shown. An id that is shown stands, in what is typed later, for the
 *    one that came in its place.
 * T3 In what is shown, `…` stands for anything within a line; alone on a line, for any lines. `^C` is an interrupt, `Killed`
 *    is a `kill -9`, once the lines above have come; a `&` at the end of a command lets it go on in the background.
 * T4 What only looks at runs is typed again until it shows what the guide shows: what others do takes its time.
 */
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { BIN, Folder, namedIn } from './guide-folder.ts';
import { readText } from './markdown.ts';

type Step =
  | { readonly type: 'FILE'; readonly name: string; readonly text: string }
  | { readonly type: 'TYPED'; readonly line: string; readonly shown: readonly string[] };

/** What a guide tells its reader to do, in its order. */
export function stepsOf(guide: string): readonly Step[] {
  return [...readText(guide).matchAll(/^```(ts|console)\n([\s\S]*?)\n```$/gm)].flatMap(([, language, block = '']) => {
    if (language === 'console') return typedIn(block);
    const [name, text] = namedIn(block);
    if (name === '') throw new Error(`${guide}: a block without a file name:\n${block}`);
    return [{ type: 'FILE' as const, name, text }];
  });
}

const typedIn = (block: string): readonly Step[] =>
  block
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [line = '', ...shown] = part.trimEnd().split('\n');
      return { type: 'TYPED', line, shown };
    });

/** Does all that a guide says; a difference fails the test, and names the line that was typed. */
export async function follow(guide: string): Promise<void> {
  const folder = new Folder(['zod', 'fast-check']);
  const reader = new Reader(folder);
  for (const step of stepsOf(guide)) {
    if (step.type === 'FILE') folder.write(step.name, step.text);
    else await reader.type(step.line, step.shown);
  }
}

/** The commands that change nothing. */
const LOOKS = /^(?:runs (?:ls|inspect|logs)|why|events|artifacts|variables (?:ls|get)|limits ls|diff)\b/;
const LOOK_FOR_MS = 20_000;
const DONE_WITHIN_MS = 40_000;

class Reader {
  readonly #folder: Folder;
  /** Ids that came, by the ids that the guide shows. */
  readonly #ids = new Map<string, string>();
  readonly #jobs: ChildProcess[] = [];

  constructor(folder: Folder) {
    this.#folder = folder;
  }

  async type(line: string, shown: readonly string[]): Promise<void> {
    const isBackground = line.endsWith(' &');
    const words = wordsOf(isBackground ? line.slice(0, -2) : line).map((word) => this.#meant(word));
    const [command, ...rest] = words;
    if (command === 'cat') {
      this.#compare(line, shown, readFileSync(join(this.#folder.path, rest[0] ?? ''), 'utf8'));
      return;
    }
    if (command === 'kill') {
      await this.#kill(rest);
      return;
    }
    if (command === 'npx' && rest[0] === 'assent' && LOOKS.test(rest.slice(1).join(' ')) && !isBackground) {
      await this.#look(line, rest.slice(1), shown);
      return;
    }
    const [program, ...args] = rest;
    if (command !== 'npx' || (program !== 'node' && program !== 'assent')) throw new Error(`cannot type: ${line}`);
    const running = this.#folder.start(...(program === 'node' ? args : [BIN, ...args]));
    const said = new Said(running.child);
    const stop = shown.findIndex((text) => text === '^C' || text === 'Killed');
    const wanted = stop < 0 ? shown : shown.slice(0, stop);
    if (stop >= 0 || isBackground) {
      const enough = said.until((text) => this.#differs(wanted, text) === undefined);
      await this.#soon(Promise.race([enough, running.ended]), line, said);
    }
    if (stop >= 0) running.child.kill(shown[stop] === '^C' ? 'SIGINT' : 'SIGKILL');
    if (isBackground) this.#jobs.push(running.child);
    else await this.#soon(running.ended, line, said);
    this.#compare(line, stop < 0 ? shown : [...wanted, '…'], said.text);
  }

  /** What is awaited, or an error that says what came until then. */
  async #soon(awaited: Promise<unknown>, line: string, said: Said): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`$ ${line}\nis not done after ${String(DONE_WITHIN_MS)} ms. It said:\n${said.text}`));
      }, DONE_WITHIN_MS);
    });
    await Promise.race([awaited, tooLong]).finally(() => {
      clearTimeout(timer);
    });
  }

  /** T4. */
  async #look(line: string, args: readonly string[], shown: readonly string[]): Promise<void> {
    const deadlineMs = Date.now() + LOOK_FOR_MS;
    for (;;) {
      const running = this.#folder.start(BIN, ...args);
      const said = new Said(running.child);
      await running.ended;
      if (this.#differs(shown, said.text) === undefined) return;
      if (Date.now() > deadlineMs) this.#compare(line, shown, said.text);
    }
  }

  /** `kill %1` or `kill -9 %1`. */
  async #kill(args: readonly string[]): Promise<void> {
    const job = this.#jobs[Number(args.at(-1)?.slice(1)) - 1];
    if (job === undefined) throw new Error('no such job');
    const ended = new Promise((resolve) => job.once('close', resolve));
    job.kill(args[0] === '-9' ? 'SIGKILL' : 'SIGTERM');
    await ended;
  }

  /** T2. An id may be shortened when it is typed. */
  #meant(word: string): string {
    const [, before = '', id = ''] = /^(.*?)([a-z0-9]{4,16})$/.exec(word) ?? [];
    const shown = [...this.#ids.keys()].find((one) => id !== '' && one.startsWith(id));
    return shown === undefined ? word : `${before}${this.#ids.get(shown) ?? ''}`;
  }

  #compare(line: string, shown: readonly string[], came: string): void {
    const difference = this.#differs(shown, came);
    if (difference === undefined) return;
    expect.fail(`$ ${line}\n${difference}\n--- what came:\n${came}\n--- what the guide shows:\n${shown.join('\n')}`);
  }

  /** The first line that came otherwise; undefined if none did. */
  #differs(shown: readonly string[], text: string): string | undefined {
    const came = text.trimEnd() === '' ? [] : text.trimEnd().split('\n');
    let at = 0;
    for (const [index, line] of shown.entries()) {
      if (line.trim() === '…') {
        const next = shown[index + 1];
        if (next === undefined) return undefined;
        while (at < came.length && !isLike(next, came[at] ?? '')) at += 1;
        continue;
      }
      const found = came[at];
      if (found === undefined || !isLike(line, found)) return `expected '${line}', came '${found ?? 'nothing'}'`;
      this.#learn(line, found);
      at += 1;
    }
    return at < came.length ? `came besides: '${came[at] ?? ''}'` : undefined;
  }

  #learn(shown: string, came: string): void {
    const theirs = came.match(ID) ?? [];
    for (const [index, id] of (shown.match(ID) ?? []).entries()) {
      const real = theirs[index];
      if (real !== undefined) this.#ids.set(id, real);
    }
  }
}

/** What a process has written: what went to standard error, then the rest; which of both came first is chance. */
class Said {
  readonly #written = { stderr: '', stdout: '' };
  #hear: () => void = () => undefined;

  constructor(child: ChildProcess) {
    for (const name of ['stderr', 'stdout'] as const) {
      child[name]?.on('data', (chunk: string) => {
        this.#written[name] += chunk;
        this.#hear();
      });
    }
  }

  get text(): string {
    return this.#written.stderr + this.#written.stdout;
  }

  until(isEnough: (text: string) => boolean): Promise<void> {
    return new Promise<void>((resolve) => {
      this.#hear = (): void => {
        if (isEnough(this.text)) resolve();
      };
      this.#hear();
    });
  }
}

const ID = /\b[a-z0-9]{16}\b/g;
/** What is another each time, and how it looks. The order matters: what is found first is not looked at again. */
const CHANGING: readonly (readonly [RegExp, string])[] = [
  [/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<date>'],
  [ID, '<id>'],
  [/\b(?=[a-f]*\d)[0-9a-f]{8}\b/g, '<id>'],
  [/\b\d\d:\d\d(?::\d\d(?:\.\d+)?)?\b/g, '<time>'],
  [/just now|\b\d+ (?:s|min) ago/g, '<ago>'],
  [/\+\d+\.\d+/g, '<after>'],
  [/\b\d+(?:\.\d+)? ?(?:ms|s|m|min)\b/g, '<span>'],
  [/\s+/g, ' '],
];

const masked = (line: string): string =>
  CHANGING.reduce((text, [what, name]) => text.replaceAll(what, name), line).trim();

function isLike(shown: string, came: string): boolean {
  const pattern = masked(shown)
    .split('…')
    .map((part) => escaped(part.trim()))
    .join('\\s*.*?\\s*');
  return new RegExp(`^${pattern}$`).test(masked(came));
}

/** As a shell splits a line: at blanks, but for what is quoted. */
const wordsOf = (line: string): readonly string[] =>
  [...line.matchAll(/'([^']*)'|"([^"]*)"|([^\s'"]+)/g)].map(
    ([, single, double, plain]) => single ?? double ?? plain ?? '',
  );

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
