/** `assent events RUN`: every ruling on a run and on all that it called, refused and held ones as well. */
import type { AnswerTo, RulingRow } from '../../protocol/query.ts';
import type { Position, Ruling } from '../../protocol/rulings.ts';
import type { Client } from './client.ts';
import { EXIT } from './exit-codes.ts';
import { findRun } from './find-run.ts';
import type { Output } from './output.ts';
import { RULING_HEAD, rulingLine } from './ruling-line.ts';
import { count } from './run-text.ts';
import { ink } from './style.ts';

const PAGE = 500;

export type EventsOptions = { readonly run: string; readonly limit?: number };

export async function showEvents(client: Client, output: Output, options: EventsOptions): Promise<number> {
  const run = await findRun(client, options.run);
  const { limit = Number.POSITIVE_INFINITY } = options;
  if (!output.isJson) output.line(ink('bold', RULING_HEAD));
  let shown = 0;
  for await (const row of rulingsOf(client, run.run)) {
    if (shown === limit) {
      if (!output.isJson) output.note(`… there are more: these are the first ${count(limit, 'ruling')}`);
      break;
    }
    const ruling = JSON.parse(row.line ?? '') as Ruling;
    const known = { beganMs: run.beganMs, root: run.run, name: row.name ?? '' };
    if (output.isJson) await output.flow(`${shown === 0 ? '[' : ','}\n${JSON.stringify(jsonOf(row, ruling))}`);
    else await output.flow(rulingLine(ruling, { ...known, ...(row.from === undefined ? {} : { from: row.from }) }));
    shown += 1;
  }
  if (output.isJson) output.line(shown === 0 ? '[]' : ']');
  return EXIT.ok;
}

const jsonOf = ({ line: _, ...row }: RulingRow, ruling: Ruling): object => ({ ...row, ruling });

/** All rulings under a run with their lines, a page at a time. */
export async function* rulingsOf(client: Client, run: RulingRow['run'] & string): AsyncGenerator<RulingRow> {
  for (let after: Position | undefined = { seq: 0, index: 0 }; after !== undefined;) {
    const page: AnswerTo<'RULINGS'> = await client.query('RULINGS', { run, after, limit: PAGE, lines: true });
    yield* page.rulings;
    after = page.next;
  }
}
