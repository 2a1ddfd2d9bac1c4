/**
 * One process of a world of real processes: runs a generated program as a script would, or serves it as a worker does, and
 * sends itself the signal that ends or stops it when it hears of a certain ruling. What happens to it goes to its standard
 * output, a line each: SESSION, STOPPING, OUTCOME.
 */
import { readFileSync, writeSync } from 'node:fs';
import type { AnswerMessage } from '../../protocol/messages.ts';
import { currentClient } from '../../sdk/client/connect.ts';
import { AssentError, serve } from '../../sdk/index.ts';
import { bound, parametersOf } from './bound.ts';
import { outcomeText } from './explanation.ts';
import { Outside } from './outside.ts';
import type { Program } from './program.ts';
import { chanceOf } from './values.ts';

export type Instructions = {
  readonly program: Program;
  readonly world: string;
  readonly number: number;
  readonly seed: number;
  /** Of the effects. */
  readonly folder: string;
  readonly as: 'SCRIPT' | 'WORKER';
  readonly signal?: ProcessSignal;
};

export type ProcessSignal = {
  readonly name: 'SIGKILL' | 'SIGSTOP';
  /** The ruling, counted from 1. */
  readonly at: number;
  /** Before it is heard, or when what it made the process propose has been sent. */
  readonly when: 'BEFORE' | 'AFTER';
};

const LATENCY_MAX_MS = 4;

const instructions = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Instructions;
const { program, world, number, seed, folder } = instructions;
const client = await currentClient();
const { session } = client;
if (instructions.signal !== undefined) listenFor(instructions.signal);
say(`SESSION ${session.id}`);

const chance = chanceOf(seed, number);
const main = bound(program, {
  world,
  session: session.id,
  number,
  outside: new Outside(folder, world),
  isAlive: () => true,
  latencyMs: () => Math.floor(chance() * LATENCY_MAX_MS),
});
if (instructions.as === 'WORKER') await serve([main], { pool: world });
else say(await outcome());

async function outcome(): Promise<string> {
  try {
    return `OUTCOME ${outcomeText({ type: 'COMPLETED', value: await main(parametersOf(world)) })}`;
  } catch (error) {
    if (error instanceof AssentError && error.kind === 'FENCED') return 'OUTCOME FENCED';
    return `OUTCOME ${outcomeText({ type: 'FAILED', error })}`;
  }
}

function listenFor({ name, at, when }: ProcessSignal): void {
  let heard = 0;
  let sent = false;
  const send = (): void => {
    if (sent) return;
    sent = true;
    if (name === 'SIGSTOP') say('STOPPING');
    process.kill(process.pid, name);
  };
  const receive = session.receive.bind(session);
  session.receive = (bytes) => {
    const { answers, orders } = JSON.parse(Buffer.from(bytes).toString()) as AnswerMessage;
    heard += answers.length + orders.length;
    if (heard >= at && when === 'BEFORE') send();
    receive(bytes);
    if (heard >= at) setImmediate(() => setImmediate(send));
  };
}

/** Whole and at once: the next thing may be the end. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}
