/** `assent events RUN` and `assent events emit`: their options and examples, and who carries them out. */
import type { Command } from 'commander';
import type { Lent } from './lent.ts';

export function eventsCommands(root: Command, { command, connected, natural }: Lent): void {
  const events: Command = command(
    root,
    'events [run]',
    'Show every ruling on a run and what it called, refusals as well; or emit an event.',
    ['events k3v9x2', 'events k3v9x2 -o json', `events emit order-paid '{"amount":12}' --key 7`],
  )
    .option('--limit <number>', 'only the first so many', natural)
    .action(async (run: string | undefined, { limit }: { limit?: number }) => {
      if (run === undefined) events.error("error: missing required argument 'run'", { exitCode: 2 });
      await connected(async (client, output) =>
        (await import('./events.ts')).showEvents(client, output, { run, ...(limit === undefined ? {} : { limit }) }),
      );
    });
  command(events, 'emit <name> [json]', 'Emit an event to all flow runs that wait for it.', [
    `events emit order-paid '{"amount":12}' --key 7`,
  ])
    .option('--key <key>', 'what it is about: also heard by who waits for this key alone')
    .option('--reason <text>', 'why; it stands on the ledger')
    .action((name: string, data: string | undefined, options: { key?: string; reason?: string }) =>
      connected(async (client, output) =>
        (await import('./send.ts')).emitEvent(client, output, {
          name,
          ...(data === undefined ? {} : { data }),
          ...options,
        }),
      ),
    );
}
