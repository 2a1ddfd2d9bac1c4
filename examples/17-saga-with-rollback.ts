/**
 * A journey is booked as a whole or not at all. Each booking says how it is undone; when one of them fails, those that were
 * made are undone in reverse order, also when the process dies in between; and the tickets go out only when all is booked.
 *
 *   npx node examples/17-saga-with-rollback.ts           (no cabin is left: all is undone)
 *   npx node examples/17-saga-with-rollback.ts cabin     (there is one)
 */
import { appendFile, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { flow, task, transaction } from 'assent';
import { z } from 'zod';

/** What the outside world has been told, line by line. */
const BOOK = process.argv[3] ?? join(tmpdir(), `journeys-${String(process.pid)}.txt`);
const tell = async (line: string): Promise<void> => {
  await pause(100);
  await appendFile(BOOK, `${line}\n`);
  console.log(line);
};

const book = task(
  {
    name: 'book',
    onCommit: ({ inputs: [what] }) => tell(`send the ticket for the ${what}`),
    onRollback: ({ inputs: [what], result }) => tell(`give back the ${what}, ${String(result)}`),
  },
  async (what: string, isLeft: boolean) => {
    if (!isLeft) throw new Error(`there is no ${what} left`);
    await tell(`book the ${what}`);
    return `number ${String(what.length)}`;
  },
);

export const bookJourney = flow(
  { name: 'book-journey', parameters: z.object({ cabin: z.boolean() }) },
  async ({ cabin }) => {
    try {
      await transaction('journey', async () => {
        await book('train', true);
        await book('hotel', true);
        await book('museum', true);
        await book('cabin', cabin);
      });
      return 'booked';
    } catch (error) {
      return `not booked: ${error instanceof Error ? error.message : String(error)}`;
    }
  },
);

if (process.argv[1] === import.meta.filename) {
  console.log(await bookJourney({ cabin: process.argv[2] === 'cabin' }));
  console.log((await readFile(BOOK, 'utf8')).trimEnd().split('\n').length, 'lines in', BOOK);
}
