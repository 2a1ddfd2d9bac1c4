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
    terminal.detail(`The page of ${hardest.month} needed ${String(hardest.attempt)} attempts. Why was it tried again?`);
    await ask('why', hardest.taskRun);
  }
  terminal.line();
  terminal.detail('The run has ended, so cancelling it now must be refused, and the refusal is on record too:');
  await ask('runs', 'cancel', flowRun, '--reason', 'too late');
  await ask('why', flowRun);
  terminal.line();
  terminal.detail('And nobody has touched the record: every hash is computed again.');
  await ask('audit', 'verify');
  lookFurther(terminal, flowRun);
}

function lookFurther(terminal: Terminal, flowRun: string): void {
  terminal.heading('6  Look further');
  for (const [command, what] of [
    [`runs inspect ${flowRun}`, 'the run and its tasks'],
    [`runs logs ${flowRun}`, 'what the tasks logged'],
    [`events ${flowRun} -o json`, 'every ruling, with its facts'],
    [`export ${flowRun} run.jsonl`, 'the run in a file that verifies by itself'],
  ] as const) {
    terminal.detail(`${`npx assent ${command}`.padEnd(44)}${styled('dim', what)}`);
  }
}

const quoted = (word: string): string => (/\s/.test(word) ? `"${word}"` : word);

/** The beginning, the end, and between them what was refused. */
function shortened(text: string): string[] {
  const lines = text.trimEnd().split('\n');
  const [first, last] = [LINES_FIRST, lines.length - LINES_LAST];
  if (last <= first + 1) return lines;
  const between = lines.slice(first, last).filter((line) => line.includes('REFUSED'));
  const left = styled('dim', `… ${String(last - first - between.length)} more lines …`);
  return [...lines.slice(0, first), left, ...between, ...lines.slice(last)];
}
