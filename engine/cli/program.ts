/** What `assent` understands: commands, their options and examples, and who carries them out. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { ON_FULL, type OnFull } from '../../protocol/proposals.ts';
import type { RuleRow } from '../../protocol/query.ts';
import { VERSION } from '../version.ts';
import type { Client } from './client.ts';
import { EXIT, EXIT_CODES_HELP } from './exit-codes.ts';
import type { Output } from './output.ts';
import { placeOf, workspaceOf, type Place } from './place.ts';
import { policyCommands } from './policy-commands.ts';
import { report } from './report.ts';

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
      .option('--data <folder>', 'the data folder (default: ASSENT_DATA, or .assent in the project)')
      .addHelpText('after', ROOT_HELP);
    this.#server();
    this.#run();
    this.#runs();
    this.#explain();
    this.#limits();
    this.#audit();
    policyCommands(this.root, {
      command: (...of) => this.#command(...of),
      act: (act) => this.#act(act),
      connected: (act) => this.#connected(act),
      natural,
    });
  }

  get isJson(): boolean {
    return this.root.opts<Globals>().output === 'json';
  }

  /** Describes a command and says at the end of its help how it is used. */
  #command(parent: Command, usage: string, description: string, examples: readonly string[]): Command {
    const shown = examples.map((example) => `  $ assent ${example}`).join('\n');
    return parent.command(usage).description(description).addHelpText('after', `\nExample:\n${shown}`);
  }

  async #act(act: Act): Promise<void> {
    const { output, data } = this.root.opts<Globals>();
    const { Output } = await import('./output.ts');
    this.exitCode = await act(new Output(output), placeOf(data));
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
    type Options = { param: string[]; params?: string; resume?: string };
    const collect = (value: string, before: string[]): string[] => [...before, value];
    this.#command(this.root, 'run <file>', 'Run a flow of a file: FILE, or FILE:flow where it exports several.', [
      'run examples/01-github-stars.ts --param repository=nodejs/node',
      `run flows.ts:nightly --params '{"day":"2026-11-22"}'`,
      'run flows.ts:nightly --resume k3v9x2',
    ])
      .option('--param <name=value>', 'a parameter; JSON where it is JSON, else text', collect, [])
      .option('--params <json>', 'all parameters as one JSON object')
      .option('--resume <run>', 'go on with a run that crashed or was left')
      .action((target: string, { param, params, resume }: Options) =>
        this.#act(async (output, place) => {
          const { runFlow } = await import('./run.ts');
          const options = { target, param, params, resume };
          const code = await runFlow(output, place, options).catch((error: unknown) => report(error, output.isJson));
          // What the file left open (a server, a timer) must not keep the command from ending.
          await new Promise((resolve) => process.stdout.write('', resolve));
          process.exit(code);
        }),
      );
  }

  #runs(): void {
    const runs = this.root.command('runs').description('Look at runs, and cancel them.');
    this.#command(runs, 'ls', 'List the newest flow runs.', [
      'runs ls --state failed,crashed --limit 50',
      "runs ls --name 'nightly*'",
    ])
      .alias('list')
      .option('--state <types...>', 'only these types of state')
      .option('--name <flow>', 'only this flow; * stands for anything')
      .option('--limit <number>', 'at most so many', natural, 20)
      .action((options: { state?: string[]; name?: string; limit: number }) =>
        this.#connected(async (client, output) => (await import('./runs-ls.ts')).listRuns(client, output, options)),
      );
    this.#command(runs, 'inspect <run>', 'Show a run, its parameters and result, and what it called.', [
      'runs inspect k3v9x2',
    ])
      .option('--limit <number>', 'at most so many calls', natural, 100)
      .action((run: string, { limit }: { limit: number }) =>
        this.#connected(async (client, output) =>
          (await import('./runs-inspect.ts')).inspectRun(client, output, { run, limit }),
        ),
      );
    this.#command(runs, 'cancel <run>', 'Ask for a run to be cancelled; it gets the time to end by itself.', [
      "runs cancel k3v9x2 --reason 'wrong input'",
    ])
      .requiredOption('--reason <text>', 'why; it stands on the ledger')
      .action((run: string, { reason }: { reason: string }) =>
        this.#connected(async (client, output) =>
          (await import('./runs-cancel.ts')).cancelRun(client, output, { run, reason }),
        ),
      );
    this.#states(runs);
    this.#command(runs, 'watch <run>', 'Show what is ruled about a run as it happens, until it ends.', [
      'runs watch k3v9x2',
    ]).action((run: string) =>
      this.#connected(async (client, output) => (await import('./runs-watch.ts')).watchRun(client, output, { run })),
    );
    this.#command(runs, 'logs <run>', 'Show what a run logged.', ['runs logs k3v9x2 --follow'])
      .option('-f, --follow', 'go on until the run ends', false)
      .action((run: string, { follow }: { follow: boolean }) =>
        this.#connected(async (client, output) =>
          (await import('./runs-logs.ts')).showLogs(client, output, { run, follow }),
        ),
      );
  }

  #states(runs: Command): void {
    type Asked = { readonly reason?: string };
    this.#command(runs, 'pause <run>', 'Pause a flow run: what runs goes on, what it calls from now on waits.', [
      "runs pause k3v9x2 --reason 'the API is down' --timeout 2h",
    ])
      .option('--reason <text>', 'why; it stands on the ledger')
      .option('--timeout <time>', 'the run fails if nobody resumes it within this (default: it waits)')
      .action((run: string, options: Asked & { timeout?: string }) =>
        this.#connected(async (client, output) =>
          (await import('./runs-set-state.ts')).pauseRun(client, output, {
            run,
            ...options,
          }),
        ),
      );
    this.#command(runs, 'resume <run>', 'Let a paused flow run go on.', ['runs resume k3v9x2'])
      .option('--reason <text>', 'why; it stands on the ledger')
      .action((run: string, asked: Asked) =>
        this.#connected(async (client, output) =>
          (await import('./runs-set-state.ts')).resumeRun(client, output, { run, ...asked }),
        ),
      );
    this.#command(runs, 'set-state <run> <state>', 'Ask for any state of a run; the rules say whether it comes true.', [
      "runs set-state k3v9x2 failed --reason 'its data was wrong'",
      "runs set-state k3v9x2 completed --force --reason 'done by hand'",
    ])
      .requiredOption('--reason <text>', 'why; it stands on the ledger')
      .option('--name <name>', "the state's name (default: the type's own)")
      .option('--force', 'override the rules; what they would have said is recorded', false)
      .action((run: string, state: string, options: Required<Asked> & { name?: string; force: boolean }) =>
        this.#connected(async (client, output) =>
          (await import('./runs-set-state.ts')).setState(client, output, { run, state, ...options }),
        ),
      );
  }

  #explain(): void {
    this.#command(this.root, 'events <run>', 'Show every ruling on a run and what it called, refusals as well.', [
      'events k3v9x2',
      'events k3v9x2 -o json',
    ])
      .option('--limit <number>', 'only the first so many', natural)
      .action((run: string, { limit }: { limit?: number }) =>
        this.#connected(async (client, output) =>
          (await import('./events.ts')).showEvents(client, output, { run, ...(limit === undefined ? {} : { limit }) }),
        ),
      );
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

  #limits(): void {
    const limits = this.root.command('limits').description('Named limits: how many runs may do a thing at once.');
    this.#command(limits, 'ls', 'List the limits, and who holds their slots.', ['limits ls'])
      .alias('list')
      .action(() =>
        this.#connected(async (client, output) => (await import('./limits.ts')).listLimits(client, output)),
      );
    this.#command(
      limits,
      'set <name> <slots>',
      'Set how many slots a limit has; 0 stops everything that asks for it.',
      [
        'limits set github-api 4',
        'limits set emails 10 --per-second 5',
        'limits set deployment:nightly 1 --on-full cancel-new',
      ],
    )
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
        this.#connected(async (client, output) =>
          (await import('./limits.ts')).setLimit(client, output, { name, slots, perSecond, onFull }),
        ),
      );
    this.#command(limits, 'rm <name>', 'Remove a limit: it bounds nothing any more.', ['limits rm github-api']).action(
      (name: string) =>
        this.#connected(async (client, output) => (await import('./limits.ts')).removeLimit(client, output, { name })),
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
