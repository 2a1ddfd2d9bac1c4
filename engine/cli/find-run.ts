/** Runs by the beginning of their id. */
import { AssentError } from '../../protocol/errors.ts';
import type { RunDetail } from '../../protocol/query.ts';
import type { Client } from './client.ts';
import { stateText } from './run-text.ts';

const ID = /^[a-z0-9.-]+$/;

/** @throws AssentError RUN_NOT_FOUND; RUN_AMBIGUOUS, with the candidates. */
export async function findRun(client: Client, start: string): Promise<RunDetail> {
  if (!ID.test(start)) throw new AssentError('USAGE', `'${start}' is no beginning of a run's id.`);
  const answer = await client.query('RUN', { run: start });
  switch (answer.found) {
    case 'ONE':
      return answer.run;
    case 'NONE':
      throw new AssentError('RUN_NOT_FOUND', `No run's id begins with '${start}'.`);
    case 'AMBIGUOUS': {
      const lines = answer.candidates.map((row) => `  ${row.run}  ${row.name}  ${stateText(row)}`);
      throw new AssentError('RUN_AMBIGUOUS', `'${start}' is the beginning of several ids:\n${lines.join('\n')}\n`);
    }
  }
}
