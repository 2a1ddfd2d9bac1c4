/** The demo's last part: what the ledger remembers about the run, asked by the command line as anybody would. */
import { assent } from './command.ts';
import { isColoured, styled, type Terminal } from './terminal.ts';
import type { Watcher } from './watcher.ts';

/** Of a long answer, so many lines are shown from the beginning and from the end. */
const LINES_FIRST = 8;
const LINES_LAST = 4;
/** And from between them so many of those that tell of a rule that did not let pass. */
const LINES_NOTABLE = 3;
const HANG_COLUMNS = 4;

export async function showLedger(terminal: Terminal, { flowRun, hardest }: Watcher, stop: AbortSignal): Promise<void> {
  if (flowRun === undefined) return;
  const ask = async (args: readonly string[], { table = false } = {}): Promise<void> => {
    terminal.line();
    terminal.detail(styled('cyan', `$ npx assent ${args.map(quoted).join(' ')}`));
    const { stdout, stderr } = await assent(args, stop, isColoured() && !table);
    const lines = shortened(`${stdout}${stderr}`.trimEnd().split('\n'));
    if (table) for (const line of narrowed(lines)) terminal.row(line);
    else for (const line of lines) terminal.detail(line, HANG_COLUMNS);
  };
  terminal.heading('5  What the ledger remembers');
  terminal.detail('Every step of the run was proposed, ruled on, and recorded:');
  await ask(['events', flowRun], { table: true });
  if (hardest !== undefined) {
    terminal.line();
    terminal.detail(`The page of ${hardest.month} needed ${String(hardest.attempt)} attempts. Why was it tried again?`);
    await ask(['why', hardest.taskRun]);
  }
  terminal.line();
  terminal.detail('The run has ended, so cancelling it now must be refused, and the refusal is on record too:');
  await ask(['runs', 'cancel', flowRun, '--reason', 'too late']);
  await ask(['why', flowRun]);
  terminal.line();
  terminal.detail('And nobody has touched the record: every hash is computed again.');
  await ask(['audit', 'verify']);
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
    terminal.detail(`${`npx assent ${command}`.padEnd(46)}${styled('dim', what)}`);
  }
}

const quoted = (word: string): string => (/\s/.test(word) ? `"${word}"` : word);

/** The beginning, the end, and the most notable of what is between them. */
function shortened(lines: readonly string[]): readonly string[] {
  const [first, last] = [LINES_FIRST, lines.length - LINES_LAST];
  if (last <= first + 1) return lines;
  const between = lines.slice(first, last);
  const refused = between.filter((line) => line.includes('REFUSED'));
  const rewritten = between.filter((line) => line.includes(' rewritten '));
  const notable = [...refused, ...rewritten].slice(0, LINES_NOTABLE);
  const more = `… ${String(between.length - notable.length)} more lines …`;
  return [...lines.slice(0, first), more, ...notable, ...lines.slice(last)];
}

/** A table without the room between its columns that none of these rows needs. */
function narrowed(lines: readonly string[]): readonly string[] {
  const rows = lines.filter((line) => !line.startsWith('…'));
  const kept: boolean[] = [];
  let blanks = 0;
  for (let column = 0; rows.some((row) => column < row.length); column += 1) {
    blanks = rows.every((row) => (row[column] ?? ' ') === ' ') ? blanks + 1 : 0;
    kept.push(blanks <= 2);
  }
  const narrow = (row: string): string =>
    row.replace(/./g, (character, column: number) => (kept[column] ? character : ''));
  return lines.map((line) => (rows.includes(line) ? narrow(line) : line));
}
