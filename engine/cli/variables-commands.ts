/** The commands of `assent variables`: their options and examples, and who carries them out. */
import type { Command } from 'commander';
import type { Lent } from './lent.ts';

export function variablesCommands(root: Command, { command, connected }: Lent): void {
  const variables = root.command('variables').description('Named values of the workspace that flows read.');
  command(variables, 'ls', 'List the variables, who set them and when.', ['variables ls'])
    .alias('list')
    .action(() => connected(async (client, output) => (await import('./variables.ts')).listVariables(client, output)));
  command(variables, 'get <name>', 'Show a variable’s value; who set it, and when, goes to standard error.', [
    'variables get rate-per-minute',
  ]).action((name: string) =>
    connected(async (client, output) => (await import('./variables.ts')).getVariable(client, output, { name })),
  );
  command(variables, 'set <name> <value>', 'Set a variable: JSON where it is JSON, else text.', [
    'variables set rate-per-minute 60',
    `variables set regions '["eu","us"]' --tag ops`,
  ])
    .option('--tag <tags...>', 'tags to find it by')
    .option('--reason <text>', 'why; it stands on the ledger')
    .action((name: string, value: string, options: { tag?: string[]; reason?: string }) =>
      connected(async (client, output) =>
        (await import('./variables.ts')).setVariable(client, output, { name, value, ...options }),
      ),
    );
  command(variables, 'unset <name>', 'Remove a variable.', ['variables unset rate-per-minute'])
    .option('--reason <text>', 'why; it stands on the ledger')
    .action((name: string, options: { reason?: string }) =>
      connected(async (client, output) =>
        (await import('./variables.ts')).unsetVariable(client, output, { name, ...options }),
      ),
    );
}
