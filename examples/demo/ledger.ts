/** The demo's last part: what the ledger remembers about the run, asked by the command line as anybody would. */
import { assent, type Said } from './command.ts';
import { styled, type Terminal } from './terminal.ts';
import type { Watcher } from './watcher.ts';

/** Of a long answer, so many lines are shown from the beginning and from the end. */
const LINES_FIRST = 8;
const LINES_LAST = 4;

export async function showLedger(terminal: Terminal, { flowRun, hardest }: Watcher, stop: AbortSignal): Promise<void> {
  if (flowRun === undefined) return;
  const ask = async (...args: readonly string[]): Promise<Said> => {
    terminal.line();
    terminal.detail(styled('cyan', `$ npx assent ${args.map(quoted).join(' ')}`));
    const said = await assent(args, stop);
    for (const line of shortened(`${said.stdout}${said.stderr}`)) terminal.detail(line);
    return said;
  };
  terminal.heading('5  What the ledger remembers');
  terminal.detail('Every step of the run was proposed, ruled on, and recorded:');
  await ask('events', flowRun);
  if (hardest !== undefined) {
    terminal.line();
    terminal.detail(`The page ${hardest.month} needed ${String(hardest.attempt)} attempts. Why was it tried again?`);
    await ask('why', hardest.taskRun);
  }
  terminal.line();
  terminal.detail('The run has ended, so cancelling it now must be refused; and the refusal is on record, too:');
  await ask('runs', 'cancel', flowRun, '--reason', 'too late');
  await ask('why', flowRun);
  terminal.heading('6  Look further');
  for (const [command, what] of [
    [`npx assent runs inspect ${flowRun}`, 'the run and its tasks'],
    [`npx assent runs logs ${flowRun}`, 'what the tasks logged'],
    [`npx assent events ${flowRun} -o json`, 'every ruling, with its facts'],
    ['npx assent audit verify', 'recompute the hash chain of the whole ledger'],
  ] as const) {
    terminal.detail(`${command.padEnd(44)}${styled('dim', what)}`);
  }
}

const quoted = (word: string): string => (/\s/.test(word) ? `"${word}"` : word);

function shortened(text: string): string[] {
  const lines = text.trimEnd().split('\n');
  if (lines.length <= LINES_FIRST + LINES_LAST + 1) return lines;
  const left = lines.length - LINES_FIRST - LINES_LAST;
  return [...lines.slice(0, LINES_FIRST), styled('dim', `… ${String(left)} more lines …`), ...lines.slice(-LINES_LAST)];
}
