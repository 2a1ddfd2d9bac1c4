/** The commands of `assent policy`: their options and examples, and who carries them out. */
import type { Command } from 'commander';
import type { Lent } from './lent.ts';

export function policyCommands(root: Command, program: Lent): void {
  const policy = root.command('policy').description('The rules in force, and those that are tried out beside them.');
  shownCommands(policy, program);
  shadowCommands(policy, program);
}

function shownCommands(policy: Command, { command, act, connected }: Lent): void {
  command(policy, 'show', 'Show the rules in force, in the order in which they are asked.', [
    'policy show',
    'policy show --flow nightly',
  ])
    .option('--flow <name>', 'those that judge the flow of this name')
    .option('--tag <tag>', 'those that judge what has this tag')
    .action((options: { flow?: string; tag?: string }) =>
      connected(async (client, output) => (await import('./policy-show.ts')).showPolicy(client, output, options)),
    );
  command(policy, 'ls', 'List the policies that were ever in force, the newest first.', ['policy ls'])
    .alias('list')
    .action(() => connected(async (client, output) => (await import('./policy-show.ts')).listPolicies(client, output)));
  command(policy, 'check <files...>', 'Look whether files are policies, and what they would change; needs no engine.', [
    'policy check policy.ts',
    'policy check policies/*',
  ]).action((files: string[]) =>
    act(async (output) => (await import('./policy-check.ts')).checkPolicies(output, files)),
  );
}

function shadowCommands(policy: Command, { command, act, connected, natural }: Lent): void {
  type Shadow = { rule?: string; since?: string; limit: number };
  command(policy, 'shadow', 'Show what the shadow rules would have done, and what would have come out otherwise.', [
    'policy shadow',
    'policy shadow --rule no-fridays --since 7d -o json',
  ])
    .option('--rule <name>', 'only this rule')
    .option('--since <when>', 'only since then: 2h, 7d, or a date; counts begin with its hour')
    .option('--limit <number>', 'list at most so many', natural, 50)
    .action((options: Shadow) =>
      connected(async (client, output) => (await import('./policy-shadow.ts')).showShadow(client, output, options)),
    );
  command(policy, 'promote <rule>', 'Take a rule of a declared file out of the shadow, and put it in force.', [
    'policy promote no-fridays',
    'policy promote no-fridays --file policies/house.yaml',
  ])
    .option('--file <file>', 'the file (default: the one that the engine watches)')
    .action((rule: string, { file }: { file?: string }) =>
      act(async (output, place) =>
        (await import('./policy-promote.ts')).promoteRule(output, place, {
          rule,
          ...(file === undefined ? {} : { file }),
        }),
      ),
    );
}
