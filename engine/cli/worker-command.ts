/** The command `assent worker`: its options and examples, and who carries it out. */
import type { Command } from 'commander';
import type { Lent } from './lent.ts';
import { report } from './report.ts';

export function workerCommand(root: Command, { command, act, natural }: Lent): void {
  type Options = { pool: string; queue: string; slots: number; grace: string };
  command(root, 'worker <file...>', 'Execute runs of the flows and tasks that files export, until it is stopped.', [
    'worker flows.ts',
    'worker flows.ts reports.ts --queue heavy --slots 4',
  ])
    .option('--pool <name>', 'the pool of workers that it belongs to', 'default')
    .option('--queue <name>', 'the queue within the pool from which it takes runs', 'default')
    .option('--slots <number>', 'runs at once', natural, 100)
    .option('--grace <time>', 'how long flow runs go on as they are when it is told to end', '5s')
    .addHelpText('after', HELP)
    .action((files: string[], options: Options) =>
      act(async (output, place) => {
        const { checkWorker, runWorker } = await import('./worker.ts');
        checkWorker(options);
        const code = await runWorker(output, place, { files, ...options }).catch((error: unknown) =>
          report(error, output.isJson),
        );
        // What a file left open (a server, a timer) must not keep the command from ending.
        await new Promise((resolve) => process.stdout.write('', resolve));
        process.exit(code);
      }, files[0]),
    );
}

const HELP = `
It takes runs that were started for a worker: flows by startRun(flow), tasks by task.delay(…), and the calls of flows
that have the task runner workers(). Start as many workers as you like, on as many machines (ASSENT_URL says where the
server is): each run is given to one of them, and if that one dies, the run goes on in another.

Ctrl-C, or SIGTERM: it takes no more, and finishes what it has. Flow runs that are not done when the grace is over begin
no more tasks; when those at work are done, the run goes on in another worker, at once. A task is never cut off. A second
Ctrl-C leaves at once: what was at work is done again elsewhere, when the engine has noticed.`;
