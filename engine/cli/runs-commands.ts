/** The commands of `assent runs`: their options and examples, and who carries them out. */
import type { Command } from 'commander';
import type { Lent } from './lent.ts';

export function runsCommands(root: Command, program: Lent): void {
  const { command, connected, natural } = program;
  const runs = root.command('runs').description('Look at runs, and say what is to become of them.');
  command(runs, 'ls', 'List the newest flow runs; what they call, `runs inspect` lists.', [
    'runs ls --state failed,crashed --limit 50',
    "runs ls --name 'nightly*'",
    'runs ls --tasks --state failed',
  ])
    .alias('list')
    .option('--state <types...>', 'only these types of state')
    .option('--name <flow>', 'only of this name; * stands for anything')
    .option('--tasks', 'the task runs that workers execute instead, started by a flow or by `delay`', false)
    .option('--all', 'flow runs and those task runs', false)
    .option('--limit <number>', 'at most so many', natural, 20)
    .action((options: { state?: string[]; name?: string; limit: number; tasks: boolean; all: boolean }) =>
      connected(async (client, output) => (await import('./runs-ls.ts')).listRuns(client, output, options)),
    );
  command(runs, 'inspect <run>', 'Show a run, its parameters and result, and what it called.', ['runs inspect k3v9x2'])
    .option('--limit <number>', 'at most so many calls', natural, 100)
    .action((run: string, { limit }: { limit: number }) =>
      connected(async (client, output) =>
        (await import('./runs-inspect.ts')).inspectRun(client, output, { run, limit }),
      ),
    );
  command(runs, 'cancel <run>', 'Ask for a run to be cancelled; it gets the time to end by itself.', [
    "runs cancel k3v9x2 --reason 'wrong input'",
  ])
    .usage('RUN --reason TEXT [options]')
    .requiredOption('--reason <text>', 'why; it stands on the ledger')
    .action((run: string, { reason }: { reason: string }) =>
      connected(async (client, output) =>
        (await import('./runs-cancel.ts')).cancelRun(client, output, { run, reason }),
      ),
    );
  stateCommands(runs, program);
  command(runs, 'send <run> <name> [json]', 'Send a message to a flow run, which receives it by its name.', [
    'runs send k3v9x2 approved true',
    `runs send k3v9x2 order '{"id":7}'`,
  ])
    .option('--reason <text>', 'why; it stands on the ledger')
    .action((run: string, name: string, data: string | undefined, options: { reason?: string }) =>
      connected(async (client, output) =>
        (await import('./send.ts')).sendMessage(client, output, {
          run,
          name,
          ...(data === undefined ? {} : { data }),
          ...options,
        }),
      ),
    );
  command(runs, 'watch <run>', 'Show what is ruled about a run as it happens, until it ends.', [
    'runs watch k3v9x2',
  ]).action((run: string) =>
    connected(async (client, output) => (await import('./runs-watch.ts')).watchRun(client, output, { run })),
  );
  command(runs, 'logs <run>', 'Show what a run logged.', ['runs logs k3v9x2 --follow'])
    .option('-f, --follow', 'go on until the run ends', false)
    .action((run: string, { follow }: { follow: boolean }) =>
      connected(async (client, output) => (await import('./runs-logs.ts')).showLogs(client, output, { run, follow })),
    );
}

function stateCommands(runs: Command, { command, connected }: Lent): void {
  type Asked = { readonly reason?: string };
  command(runs, 'pause <run>', 'Pause a flow run: what runs goes on, what it calls from now on waits.', [
    "runs pause k3v9x2 --reason 'the API is down' --timeout 2h",
  ])
    .option('--reason <text>', 'why; it stands on the ledger')
    .option('--timeout <time>', 'the run fails if nobody resumes it within this (default: it waits)')
    .action((run: string, options: Asked & { timeout?: string }) =>
      connected(async (client, output) =>
        (await import('./runs-set-state.ts')).pauseRun(client, output, {
          run,
          ...options,
        }),
      ),
    );
  command(
    runs,
    'resume <run>',
    'Let a paused or suspended flow run go on; one that sleeps, or waits for mail, does so by itself.',
    ['runs resume k3v9x2', `runs resume k3v9x2 --input '{"approved":true}'`],
  )
    .option('--input <json>', 'what the pause asks for; refused if it does not meet its schema')
    .option('--reason <text>', 'why; it stands on the ledger')
    .action((run: string, asked: Asked & { input?: string }) =>
      connected(async (client, output) =>
        (await import('./runs-set-state.ts')).resumeRun(client, output, { run, ...asked }),
      ),
    );
  command(
    runs,
    'retry <run>',
    'Let a run that has ended go on in a worker from where it failed; what it has finished is kept. A run of a script goes on ' +
      'by: assent run FILE --resume RUN',
    ['runs retry k3v9x2', "runs retry k3v9x2 --from charge --reason 'the card was replaced'"],
  )
    .option('--from <task>', 'do this call again, and all that began after it: a name, a key, or the end of an id')
    .option('--reason <text>', 'why; it stands on the ledger (needed after a completion or a cancel)')
    .action((run: string, asked: Asked & { from?: string }) =>
      connected(async (client, output) =>
        (await import('./runs-retry.ts')).retryRun(client, output, { run, ...asked }),
      ),
    );
  command(
    runs,
    'set-state <run> <state>',
    'Ask for any state of a run; the rules say whether it comes true. They let an end be corrected by whoever says why, but ' +
      'not the end of a run that completed with a result.',
    [
      "runs set-state k3v9x2 failed --reason 'its data was wrong'",
      "runs set-state k3v9x2 cancelled --force --reason 'no process will end it any more'",
    ],
  )
    .usage('RUN STATE --reason TEXT [options]')
    .requiredOption('--reason <text>', 'why; it stands on the ledger')
    .option('--name <name>', "the state's name (default: the type's own)")
    .option('--force', 'override the rules where they refuse; what they would have said is recorded', false)
    .action((run: string, state: string, options: Required<Asked> & { name?: string; force: boolean }) =>
      connected(async (client, output) =>
        (await import('./runs-set-state.ts')).setState(client, output, { run, state, ...options }),
      ),
    );
}
