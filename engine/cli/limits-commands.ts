/** The commands of `assent limits`: their options and examples, and who carries them out. */
import { Option, type Command } from 'commander';
import { ON_FULL, type OnFull } from '../../protocol/proposals.ts';
import type { Lent } from './lent.ts';

export function limitsCommands(root: Command, { command, connected }: Lent): void {
  const limits = root.command('limits').description('Named limits: how many runs may do a thing at once.');
  command(limits, 'ls', 'List the limits, and who holds their slots.', ['limits ls'])
    .alias('list')
    .action(() => connected(async (client, output) => (await import('./limits.ts')).listLimits(client, output)));
  command(limits, 'set <name> <slots>', 'Set how many slots a limit has; 0 stops everything that asks for it.', [
    'limits set github-api 4',
    'limits set emails 10 --per-second 5',
    'limits set deployment:nightly 1 --on-full cancel-new',
  ])
    .option('--per-second <number>', 'a rate limit: so many slots come back in a second, whoever took them')
    .addOption(
      new Option(
        '--on-full <what>',
        'what becomes of a run that finds it full: it waits, it is cancelled, or those that run are',
      )
        .choices(ON_FULL)
        .default('enqueue'),
    )
    .action((name: string, slots: string, { perSecond, onFull }: { perSecond?: string; onFull: OnFull }) =>
      connected(async (client, output) =>
        (await import('./limits.ts')).setLimit(client, output, { name, slots, perSecond, onFull }),
      ),
    );
  command(limits, 'rm <name>', 'Remove a limit: it bounds nothing any more.', ['limits rm github-api']).action(
    (name: string) =>
      connected(async (client, output) => (await import('./limits.ts')).removeLimit(client, output, { name })),
  );
}
