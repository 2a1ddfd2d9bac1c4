/** The commands of `assent artifacts`: their options and examples, and who carries them out. */
import type { Command } from 'commander';
import type { Lent } from './lent.ts';

export function artifactsCommands(root: Command, { command, connected, natural }: Lent): void {
  const artifacts = root
    .command('artifacts')
    .description('What runs made for people to look at: reports, tables, links.');
  type List = { key?: string; limit: number };
  command(artifacts, 'ls [run]', 'List the newest artifacts, of a run and what it called or of all runs.', [
    'artifacts ls k3v9x2',
    'artifacts ls --key quality-report -o json',
  ])
    .alias('list')
    .option('--key <key>', 'only this key')
    .option('--limit <number>', 'at most so many', natural, 50)
    .action((run: string | undefined, options: List) =>
      connected(async (client, output) =>
        (await import('./artifacts.ts')).listArtifacts(client, output, {
          ...options,
          ...(run === undefined ? {} : { run }),
        }),
      ),
    );
  command(artifacts, 'show <artifact>', 'Show an artifact: the newest of a key, or that of a run as RUN/KEY.', [
    'artifacts show quality-report',
    'artifacts show k3v9x2/quality-report',
  ]).action((artifact: string) =>
    connected(async (client, output) => (await import('./artifacts.ts')).showArtifact(client, output, { artifact })),
  );
}
