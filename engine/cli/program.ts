/** What `assent` understands: commands, their options and examples, and who carries them out. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { RuleRow } from '../../protocol/query.ts';
import { VERSION } from '../version.ts';
import { artifactsCommands } from './artifacts-commands.ts';
import type { Client } from './client.ts';
import { eventsCommands } from './events-commands.ts';
import { EXIT, EXIT_CODES_HELP } from './exit-codes.ts';
import type { Lent } from './lent.ts';
import { limitsCommands } from './limits-commands.ts';
import type { Output } from './output.ts';
import { placeOf, workspaceOf, type Place } from './place.ts';
import { policyCommands } from './policy-commands.ts';
import { report } from './report.ts';
import { runsCommands } from './runs-commands.ts';
import { variablesCommands } from './variables-commands.ts';
import { workerCommand } from './worker-command.ts';

type Globals = { readonly output: 'text' | 'json'; readonly data?: string };
/** What a command does once it knows where; the answer is the exit code. */
type Act = (output: Output, place: Place) => Promise<number>;

/** Runs what the arguments ask for; the answer is the exit code. Never throws. */
export async function runProgram(args: readonly string[]): Promise<number> {
  const program = new Program();
  try {
    await program.root.parseAsync(args, { from: 'user' });
    return program.exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) return report(error, program.isJson);
    const isHelp = error.code === 'commander.helpDisplayed' || error.code === 'commander.version';
    return isHelp ? EXIT.ok : EXIT.usage;
  }
}

class Program {
  readonly root = new Command('assent');
  exitCode = 0;

  constructor() {
    this.root
      .description('Code proposes, rules rule, the ledger remembers.')
      .version(VERSION)
      .exitOverride()
      .configureHelp({ showGlobalOptions: true })
      .showHelpAfterError('(--help says more)')
      .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'))
      .option(
        '--data <folder>',
        'the data folder (default: ASSENT_DATA, or .assent in the project of the file that is run, else of this folder)',
      )
      .addHelpText('after', ROOT_HELP);
    const lent: Lent = {
      command: (...of) => this.#command(...of),
      act: (act, file) => this.#act(act, file),
      connected: (act) => this.#connected(act),
      natural,
    };
    this.#server();
    this.#run();
    workerCommand(this.root, lent);
    runsCommands(this.root, lent);
    eventsCommands(this.root, lent);
    this.#explain();
    limitsCommands(this.root, lent);
    artifactsCommands(this.root, lent);
    variablesCommands(this.root, lent);
    this.#audit();
    policyCommands(this.root, lent);
  }

  get isJson(): boolean {
    return this.root.opts<Globals>().output === 'json';
  }

  /** Describes a command and says at the end of its help how it is used. */
  #command(parent: Command, usage: string, description: string, examples: readonly string[]): Command {
    const shown = examples.map((example) => `  $ assent ${example}`).join('\n');
    return parent.command(usage).description(description).addHelpText('after', `\nExample:\n${shown}`);
  }

  /** `file`: what is run, whose project's data folder it is. */
  async #act(act: Act, file?: string): Promise<void> {
    const { output, data } = this.root.opts<Globals>();
    const { Output } = await import('./output.ts');
    this.exitCode = await act(new Output(output), placeOf({ data, file }));
  }

  /** As `act`, with a connection to the workspace. */
  async #connected(act: (client: Client, output: Output) => Promise<number>): Promise<void> {
    await this.#act(async (output, place) => {
      const { Client } = await import('./client.ts');
      const client = await Client.open(output, place);
      try {
        return await act(client, output);
      } finally {
        await client.close();
      }
    });
  }

  #server(): void {
    type Options = {
      port?: string;
      workspace?: string;
      durability: string;
      ephemeral?: true;
      heartbeatLimit?: string;
      grace?: string;
      policy?: string;
      metrics?: string;
    };
    this.#command(this.root, 'server', 'Run an engine, with a nats-server of its own unless ASSENT_URL names one.', [
      'server',
      'server --data /var/lib/assent --port 4222 --grace 1m',
    ])
      .option('--port <number>', 'the port of its own nats-server (default: a free one)')
      .option('--workspace <name>', 'the workspace (default: ASSENT_WORKSPACE, or default)')
      .option('--durability <what>', "what a settled ruling survives: 'power' or 'process'", 'power')
      .option('--heartbeat-limit <time>', 'a process that is silent for longer is dead (default: 10s)')
      .option('--grace <time>', 'a cancelled run that does not end by itself is ended after this (default: 30s)')
      .option('--metrics <address>', 'serve metrics for Prometheus at [HOST:]PORT (default host: this machine only)')
      .option('--policy <file>', "rules of your own to put in force, watched for changes; 'core' for Assent's")
      .option('--ephemeral', 'end when standard input closes and no client is left')
      .action(({ workspace, ephemeral, ...options }: Options) =>
        this.#act(async (output, place) => {
          const { runServer } = await import('./server.ts');
          return runServer(output, {
            ...options,
            dataDir: place.dataDir,
            url: place.type === 'SERVER' ? process.env['ASSENT_URL'] : undefined,
            workspace: workspace ?? workspaceOf(),
            ephemeral: ephemeral === true,
          });
        }),
      );
  }

  #run(): void {
    type Options = { param: string[]; params?: string; resume?: string; from?: string; reason?: string };
    const collect = (value: string, before: string[]): string[] => [...before, value];
    this.#command(
      this.root,
      'run <file>',
      'Run a flow of a file: FILE, or FILE:flow where it exports several. Ctrl-C or SIGTERM cancels the run.',
      [
        'run examples/01-github-stars.ts --param repository=nodejs/node',
        `run flows.ts:nightly --params '{"day":"2026-11-22"}'`,
        'run flows.ts:nightly --resume k3v9x2',
        'run flows.ts:nightly --resume k3v9x2 --from charge',
      ],
    )
      .option('--param <name=value>', 'a parameter; JSON where it is JSON, else text', collect, [])
      .option('--params <json>', 'all parameters as one JSON object')
      .option('--resume <run>', 'go on with a run that crashed, failed or was left; what it has finished is kept')
      .option('--from <task>', 'with --resume: do this call again, and all that began after it')
      .option('--reason <text>', 'with --resume: why (needed after a completion or a cancel)')
      .action((target: string, { param, params, ...again }: Options) =>
        this.#act(async (output, place) => {
          const { runFlow } = await import('./run.ts');
          const options = { target, param, params, ...again };
          const code = await runFlow(output, place, options).catch((error: unknown) => report(error, output.isJson));
          // What the file left open (a server, a timer) must not keep the command from ending.
          await new Promise((resolve) => process.stdout.write('', resolve));
          process.exit(code);
        }, target),
      );
  }

  #explain(): void {
    this.#command(
      this.root,
      'why <run>',
      'Explain why a run is in its state, what it waits for, and what the rules did.',
      ['why k3v9x2'],
    )
      .option('--limit <number>', 'at most so many calls', natural, 40)
      .action((run: string, { limit }: { limit: number }) =>
        this.#connected(async (client, output) =>
          (await import('./why.ts')).explainRun(client, output, { run, limit }),
        ),
      );
    this.#command(
      this.root,
      'diff <run> [other]',
      'Show which calls the last two executions of a run made, or two runs: in both, with other inputs, only before, only now.',
      ['diff k3v9x2', 'diff k3v9x2 p0c4mm -o json'],
    )
      .option('--limit <number>', 'at most so many calls of each sort', natural, 40)
      .action((run: string, other: string | undefined, { limit }: { limit: number }) =>
        this.#connected(async (client, output) =>
          (await import('./diff.ts')).showDifference(client, output, {
            run,
            limit,
            ...(other === undefined ? {} : { other }),
          }),
        ),
      );
    this.#command(this.root, 'rules', 'Show how often each rule was asked, what it said, and how long it took.', [
      'rules',
      'rules --kind task -o json',
    ])
      .addOption(
        new Option('--kind <kind>', 'only what was asked about these').choices([
          'flow',
          'subflow',
          'task',
          'background',
          'workspace',
        ]),
      )
      .action(({ kind }: { kind?: RuleRow['kind'] }) =>
        this.#connected(async (client, output) => (await import('./rules.ts')).showRules(client, output, { kind })),
      );
    this.#command(this.root, 'doctor', 'Look whether everything is well; starts nothing.', ['doctor']).action(() =>
      this.#act(async (output, place) => (await import('./doctor.ts')).examine(output, place)),
    );
  }

  #audit(): void {
    const audit = this.root.command('audit').description('Prove that the ledger is what was written.');
    this.#command(audit, 'verify [file]', 'Recompute every hash of the ledger, or of an exported file.', [
      'audit verify',
      'audit verify ledger.jsonl',
    ]).action((file: string | undefined) =>
      file === undefined
        ? this.#connected(async (client, output) => (await import('./audit-verify.ts')).verifyStream(client, output))
        : this.#act(async (output) => (await import('./audit-verify.ts')).verifyExport(output, file)),
    );
    type Replay = { facts: boolean; trust: boolean; limit: number };
    this.#command(
      this.root,
      'replay [what]',
      'Judge again what was ruled, by the recorded facts and policy: a run, an exported file, or the whole ledger.',
      ['replay k3v9x2', 'replay ledger.jsonl --facts', 'replay'],
    )
      .option('--facts', 'also gather the facts anew from the ledger, and decide every ruling as a whole', false)
      .option('--trust', 'execute the sources of policies that an exported file brings', false)
      .option('--limit <number>', 'show at most so many differences', natural, 20)
      .action((what: string | undefined, options: Replay) =>
        this.#act(async (output, place) =>
          (await import('./replay.ts')).replay(output, place, { ...options, ...(what === undefined ? {} : { what }) }),
        ),
      );
    this.#command(
      this.root,
      'export <what...>',
      'Write a run, or with --all the whole ledger, to a file that verifies by itself.',
      ['export k3v9x2 run.jsonl', 'export --all ledger.jsonl'],
    )
      .usage('RUN FILE | --all FILE')
      .option('--all', 'the whole ledger', false)
      .action(async (what: string[], { all }: { all: boolean }, command: Command) => {
        const [first = '', second] = what;
        if (what.length !== (all ? 1 : 2)) command.error('error: export takes RUN FILE, or --all FILE');
        await this.#connected(async (client, output) => {
          const { exportLedger, exportRun } = await import('./export.ts');
          return all
            ? exportLedger(client, output, first)
            : exportRun(client, output, { run: first, file: second ?? '' });
        });
      });
  }
}

function natural(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) throw new InvalidArgumentError('It is a whole number, 1 or more.');
  return number;
}

const ROOT_HELP = `
Runs are named by the beginning of their id. Data goes to standard output, everything else to standard error.

${EXIT_CODES_HELP}

Environment:
  ASSENT_DATA         the data folder            ASSENT_URL    a NATS server that exists: nats://user:secret@host
  ASSENT_WORKSPACE    the workspace there        ASSENT_DEBUG  show stacks
  NO_COLOR, FORCE_COLOR

Example:
  $ assent run examples/01-github-stars.ts --param repository=nodejs/node
  $ assent runs ls
  $ assent why k3v9x2`;
