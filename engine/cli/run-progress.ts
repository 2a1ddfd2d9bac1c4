/**
 * How a run goes on, on standard error: a few lines that are redrawn on a terminal, a line for each thing worth knowing
 * elsewhere.
 *
 * P1 What the run's own code writes to the terminal appears above the redrawn lines, never among them.
 */
import type { RunId } from '../../protocol/ids.ts';
import { decidingEntry, stateAfter, type Ruling } from '../../protocol/rulings.ts';
import { isTerminal, type State } from '../../protocol/states.ts';
import { count, shortId } from './run-text.ts';
import { cut, formatOfState, inkOfNotes, oneLine } from './style.ts';
import { sinceOf, spanOf, withSpans } from './times.ts';

type Call = {
  readonly name: string;
  state: State | undefined;
  waits: string | undefined;
  sinceMs: number;
  attempt: number;
};
type Writer = typeof process.stderr.write;

const REDRAW_MS = 100;
const CALLS_SHOWN = 8;
const MESSAGE_COLUMNS = 60;

export class Progress {
  readonly #run: RunId;
  readonly #name: string;
  readonly #beganMs = Date.now();
  readonly #terminal: Terminal | undefined;
  readonly #calls = new Map<string, Call>();
  #ended = 0;
  #failed = 0;
  #retried = 0;
  #refused = 0;

  constructor(run: RunId, name: string) {
    this.#run = run;
    this.#name = name;
    this.#terminal = process.stderr.isTTY ? new Terminal(() => this.#lines()) : undefined;
    this.#say(`${name} ${run} runs`);
  }

  heard(ruling: Ruling): void {
    const { proposal, outcome } = ruling;
    if (proposal.kind === 'workspace') return;
    const isOwn = proposal.run === this.#run;
    const call = isOwn ? undefined : this.#callOf(proposal.run, proposal.create?.name);
    const state = stateAfter(ruling);
    if (call !== undefined) this.#follow(call, ruling, state);
    const deciding = outcome === 'accepted' ? undefined : decidingEntry(ruling.trail);
    const why = deciding === undefined ? undefined : withSpans(deciding.why);
    if (outcome === 'rejected') this.#refused += 1;
    if (outcome === 'rewritten' && state?.type === 'SCHEDULED') this.#retried += 1;
    const text = this.#worthSaying(ruling, state, why);
    if (text !== undefined) {
      const who = call === undefined ? this.#name : `${oneLine(call.name)} ${shortId(proposal.run).slice(-8)}`;
      this.#say(`${who} ${text}`);
    }
    if (call !== undefined && isTerminal(call.state)) this.#calls.delete(proposal.run);
  }

  /** The last word; nothing is drawn any more. */
  end(text: string): void {
    this.#terminal?.stop();
    process.stderr.write(`${text}\n`);
  }

  #callOf(run: string, name: string | undefined): Call {
    let call = this.#calls.get(run);
    if (call === undefined) {
      call = { name: name ?? shortId(run), state: undefined, waits: undefined, sinceMs: Date.now(), attempt: 0 };
      this.#calls.set(run, call);
    }
    return call;
  }

  #follow(call: Call, ruling: Ruling, state: State | undefined): void {
    call.sinceMs = Date.now();
    call.waits = ruling.outcome === 'held' ? withSpans(decidingEntry(ruling.trail)?.why ?? '') : undefined;
    if (state === undefined) return;
    call.state = state;
    if (state.type === 'RUNNING') call.attempt += 1;
    if (!isTerminal(state)) return;
    this.#ended += 1;
    if (state.type !== 'COMPLETED') this.#failed += 1;
  }

  /** On a terminal only troubles scroll by: the rest is in the redrawn lines. */
  #worthSaying(
    { outcome, trail, waits }: Ruling,
    state: State | undefined,
    why: string | undefined,
  ): string | undefined {
    const message = state?.message === undefined ? '' : `: ${cut(oneLine(state.message), MESSAGE_COLUMNS)}`;
    switch (outcome) {
      case 'rejected':
        return `${this.#ink(['red', 'bold'], 'was REFUSED')}: ${oneLine(why ?? '')} (${decidingEntry(trail)?.rule ?? ''})`;
      case 'rewritten':
        return `${this.#ink('yellow', `is ${state?.name ?? ''}`)}: ${oneLine(why ?? '')}`;
      case 'held':
        // That a retry waits for its time was said when it was granted.
        return waits?.type === 'TIME' || this.#terminal !== undefined ? undefined : `is held: ${oneLine(why ?? '')}`;
      case 'accepted':
        if (state === undefined || !isTerminal(state)) return undefined;
        if (state.type === 'COMPLETED' && this.#terminal !== undefined) return undefined;
        return `${this.#ink(formatOfState(state.type), `is ${state.name}`)}${message}`;
    }
  }

  readonly #ink = inkOfNotes;

  #say(text: string): void {
    process.stderr.write(`${inkOfNotes('dim', sinceOf(Date.now(), this.#beganMs))}  ${text}\n`);
  }

  #lines(): string[] {
    const nowMs = Date.now();
    const calls = [...this.#calls.values()];
    const running = calls.filter(({ state }) => state?.type === 'RUNNING').length;
    const sums = [
      `${String(this.#ended)} done`,
      `${String(running)} running`,
      ...(calls.length > running ? [`${String(calls.length - running)} waiting`] : []),
      ...(this.#retried > 0 ? [`${String(this.#retried)} retried`] : []),
      ...(this.#refused > 0 ? [`${String(this.#refused)} refused`] : []),
      ...(this.#failed > 0 ? [`${String(this.#failed)} not completed`] : []),
    ];
    const shown = calls.slice(0, CALLS_SHOWN).map((call) => `  ${callLine(call, nowMs)}`);
    const more =
      calls.length > CALLS_SHOWN
        ? [inkOfNotes('dim', `  … and ${count(calls.length - CALLS_SHOWN, 'more call')}`)]
        : [];
    const head = `${inkOfNotes('bold', this.#name)} ${this.#run}  ${spanOf(nowMs - this.#beganMs)}   ${sums.join(' · ')}`;
    return [head, ...shown, ...more];
  }
}

function callLine({ name, state, waits, sinceMs, attempt }: Call, nowMs: number): string {
  const what = waits === undefined ? (state?.name ?? 'asked') : `waits, ${waits}`;
  const nth = attempt > 1 ? `attempt ${String(attempt)}  ` : '';
  const text = inkOfNotes(formatOfState(state?.type), cut(oneLine(what), MESSAGE_COLUMNS));
  return `${cut(oneLine(name), 30).padEnd(30)}  ${text}  ${nth}${inkOfNotes('dim', spanOf(nowMs - sinceMs))}`;
}

/** The lines at the bottom of the terminal. */
class Terminal {
  readonly #lines: () => string[];
  readonly #writes: { readonly stream: NodeJS.WriteStream; readonly write: Writer }[] = [];
  readonly #tick: NodeJS.Timeout;
  #drawn = 0;
  #isWithinLine = false;

  constructor(lines: () => string[]) {
    this.#lines = lines;
    for (const stream of [process.stdout, process.stderr]) if (stream.isTTY) this.#takeOver(stream);
    this.#tick = setInterval(() => {
      this.#draw();
    }, REDRAW_MS);
    this.#tick.unref();
  }

  stop(): void {
    clearInterval(this.#tick);
    this.#erase();
    for (const { stream, write } of this.#writes) stream.write = write;
  }

  /** P1. */
  #takeOver(stream: NodeJS.WriteStream): void {
    const write: Writer = stream.write.bind(stream);
    this.#writes.push({ stream, write });
    stream.write = (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
      this.#erase();
      const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8');
      if (text !== '') this.#isWithinLine = !text.endsWith('\n');
      return (write as (...args: unknown[]) => boolean)(chunk, ...rest);
    };
  }

  #put(text: string): void {
    this.#writes.find(({ stream }) => stream === process.stderr)?.write(text);
  }

  #erase(): void {
    if (this.#drawn > 0) this.#put(`\u001b[${String(this.#drawn)}A\u001b[0J`);
    this.#drawn = 0;
  }

  #draw(): void {
    if (this.#isWithinLine) return;
    const lines = this.#lines();
    this.#erase();
    const columns = process.stderr.columns || 80;
    // A line that the terminal breaks would be two to erase.
    this.#put(lines.map((line) => `${fitted(line, columns - 1)}\n`).join(''));
    this.#drawn = lines.length;
  }
}

/** Cut without hurting the colours: a coloured line that is too long loses them. */
function fitted(line: string, columns: number): string {
  const plain = oneLine(line);
  return plain.length <= columns ? line : cut(plain, columns);
}
