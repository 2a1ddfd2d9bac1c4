/** `assent server`: runs an engine until it is told to stop. */
import { relative } from 'node:path';
import { AssentError } from '../../protocol/errors.ts';
import { subjects } from '../../protocol/subjects.ts';
import { connectTo, type Address } from '../connect.ts';
import { startEngine, type Engine, type EngineOptions } from '../main.ts';
import type { MetricsAddress } from '../metrics/server.ts';
import { VERSION } from '../version.ts';
import { EXIT } from './exit-codes.ts';
import type { Output } from './output.ts';
import { inkOfNotes } from './style.ts';
import { parseSpan } from './times.ts';

export type ServerCommand = {
  readonly dataDir: string;
  readonly url: string | undefined;
  readonly workspace: string;
  readonly port?: string;
  readonly durability: string;
  /** Started by a client for itself: ends when that client and all others are gone. */
  readonly ephemeral: boolean;
  readonly heartbeatLimit?: string;
  readonly grace?: string;
  readonly policy?: string;
  readonly metrics?: string;
};

/** Clients beat every second. */
const SILENCE_MS = 2500;
const LOOK_MS = 250;

/** Resolves when the engine has stopped. */
export async function runServer(output: Output, command: ServerCommand): Promise<number> {
  const options = optionsOf(output, command);
  const stop = Promise.withResolvers<string>();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      stop.resolve(signal);
      // Whoever asks twice does not want to wait: kill -9 loses nothing that is settled, and neither does this.
      process.once(signal, () => process.exit(EXIT.interrupted));
    });
  }
  const engine = await startEngine(options);
  greet(output, engine, command);
  const left = command.ephemeral ? whenLeft(engine.clientAddress, engine.workspace, stop.resolve) : undefined;
  const why = await stop.promise;
  output.note(`stopping: ${why}`);
  (await left)?.();
  await engine.stop();
  return EXIT.ok;
}

function optionsOf(output: Output, command: ServerCommand): EngineOptions {
  const { dataDir, url, workspace, port, durability, heartbeatLimit, grace, metrics, policy } = command;
  if (durability !== 'power' && durability !== 'process') {
    throw new AssentError('USAGE', `--durability is 'power' or 'process', not '${durability}'.`);
  }
  const portNumber = port === undefined ? undefined : Number(port);
  if (portNumber !== undefined && !(Number.isInteger(portNumber) && portNumber > 0 && portNumber < 65_536)) {
    throw new AssentError('USAGE', `--port is a number from 1 to 65535, not '${String(port)}'.`);
  }
  return {
    dataDir,
    workspace,
    durability,
    ...(url === undefined ? {} : { url }),
    ...(portNumber === undefined ? {} : { port: portNumber }),
    ...(metrics === undefined ? {} : { metrics: metricsAddress(metrics) }),
    ...(policy === undefined ? {} : { policies: policy }),
    settings: {
      ...(heartbeatLimit === undefined ? {} : { heartbeatLimitMs: spanOption('--heartbeat-limit', heartbeatLimit) }),
      ...(grace === undefined ? {} : { graceMs: spanOption('--grace', grace) }),
    },
    say: (line) => {
      output.note(`${new Date().toISOString()} ${line}`);
    },
  };
}

/** `9464`, `0.0.0.0:9464`, `[::1]:9464`. */
function metricsAddress(text: string): MetricsAddress {
  const [, host, digits] = /^(?:(\[[0-9a-fA-F:.]+\]|[^:\s]+):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) {
    throw new AssentError('USAGE', `--metrics is [HOST:]PORT, as in 9464 or 0.0.0.0:9464, not '${text}'.`);
  }
  return { port, ...(host === undefined ? {} : { host: host.replace(/^\[|\]$/g, '') }) };
}

function spanOption(name: string, text: string): number {
  const ms = parseSpan(text);
  if (ms === undefined || ms <= 0)
    throw new AssentError('USAGE', `${name} is a time like '10s' or '500ms', not '${text}'.`);
  return ms;
}

function greet(
  output: Output,
  { url, workspace, metricsUrl }: Engine,
  { dataDir, durability, ephemeral }: ServerCommand,
): void {
  const bold = (text: string): string => inkOfNotes('bold', text);
  const dim = (text: string): string => inkOfNotes('dim', text);
  const folder = relative(process.cwd(), dataDir) || '.';
  for (const line of [
    '',
    `  ${bold(`Assent ${VERSION}`)} is ready.`,
    '',
    `  address     ${url}`,
    `  workspace   ${workspace}, durability ${durability}`,
    `  data        ${folder.startsWith('..') ? dataDir : folder}`,
    ...(metricsUrl === undefined ? [] : [`  metrics     ${metricsUrl}`]),
    `  process     ${String(process.pid)}${ephemeral ? ', as long as somebody needs it' : ''}`,
    '',
    `  ${bold('assent runs ls')}   ${dim('the runs')}          ${bold('assent doctor')}   ${dim('is everything well?')}`,
    ...(ephemeral ? [] : [`  ${dim('Ctrl-C stops it; nothing that was ruled is lost.')}`]),
    '',
  ]) {
    output.note(line);
  }
}

/** Calls back when standard input is closed and no client was heard for a while. Returns how to stop listening. */
async function whenLeft(address: Address, workspace: string, left: (why: string) => void): Promise<() => void> {
  let parentGone = false;
  let heardMs = performance.now();
  process.stdin.on('end', () => (parentGone = true));
  process.stdin.on('error', () => (parentGone = true));
  process.stdin.resume();
  const { connection } = await connectTo(address, 'assent server');
  connection.subscribe(subjects.heartbeat(workspace, '*'), {
    callback: () => {
      heardMs = performance.now();
    },
  });
  const look = setInterval(() => {
    if (parentGone && performance.now() - heardMs > SILENCE_MS) left('no client is left');
  }, LOOK_MS);
  return () => {
    clearInterval(look);
    void connection.close();
  };
}
