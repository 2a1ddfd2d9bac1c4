/** The command line: reads the arguments and hands over to one file per command. */
import { Command } from 'commander';
import { AssentError } from '../../protocol/errors.ts';
import { VERSION } from '../version.ts';

export async function main(args: readonly string[]): Promise<void> {
  const program = new Command('assent')
    .description('Code proposes, rules rule, the ledger remembers.')
    .version(VERSION)
    .exitOverride();
  program
    .command('server')
    .description('Run an engine, with a nats-server of its own unless ASSENT_URL names one.')
    .option('--data <folder>', 'where everything lies', process.env['ASSENT_DATA'] ?? '.assent')
    .option('--ephemeral', 'end when standard input closes and no client is left')
    .action(async ({ data, ephemeral }: { data: string; ephemeral?: boolean }) => {
      const { runServer } = await import('./server.ts');
      const url = process.env['ASSENT_URL'];
      await runServer({
        dataDir: data,
        ephemeral: ephemeral === true,
        say: (line) => {
          console.error(line);
        },
        ...(url === undefined ? {} : { url }),
      });
    });
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    console.error(error instanceof AssentError ? error.message : error);
    process.exitCode = 1;
  }
}
