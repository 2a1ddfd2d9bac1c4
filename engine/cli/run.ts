/**
 * `assent run FILE[:flow]`: runs a flow of a file in this process, shows how it goes on, and prints its result.
 *
 * R1 The first Ctrl-C, or SIGTERM, asks for the run to be cancelled and waits for its end; another Ctrl-C leaves at once,
 *    another SIGTERM (a supervisor may send it to a whole group, and npx passes it on) does nothing more.
 * R2 Standard output has the flow's result, and what the user's own code writes there; with `-o json` it has one document,
 *    and what the code writes goes to standard error.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { inspect } from 'node:util';
import { AssentError } from '../../protocol/errors.ts';
import type { RunId } from '../../protocol/ids.ts';
import type { RunDetail } from '../../protocol/query.ts';
import { stateAfter } from '../../protocol/rulings.ts';
import { isTerminal } from '../../protocol/states.ts';
import type { CallableFlow } from '../../sdk/flow-call.ts';
import { Client } from './client.ts';
import { EXIT, exitCodeOf, exitCodeOfState } from './exit-codes.ts';
import { findRun } from './find-run.ts';
import { tailRun, type Tail } from './live-tail.ts';
import type { Output } from './output.ts';
import type { Place } from './place.ts';
import { findFlow, loadSdk, targetOf, type Sdk } from './run-file.ts';
import { parametersOf, refuseUnknown } from './run-parameters.ts';
import { Progress } from './run-progress.ts';
import { stateText } from './run-text.ts';
import { proposeCancel } from './runs-cancel.ts';
import { retryOf } from './runs-retry.ts';
import { inkOfNotes } from './style.ts';
import { decodeValue } from './values.ts';
import { needsOtherNode, runWithTypes } from './with-types.ts';

export type RunOptions = {
  readonly target: string;
  readonly param: readonly string[];
  readonly params: string | undefined;
  readonly resume?: string;
  /** With `resume`: the call from which on it is done again, and why. */
  readonly from?: string;
  readonly reason?: string;
};

export async function runFlow(output: Output, place: Place, options: RunOptions): Promise<number> {
  refuseMixed(options);
  const target = targetOf(options.target);
  const parameters = parametersOf(options.param, options.params);
  if (needsOtherNode([target.path])) return runWithTypes();
  // The SDK goes by the same rule, but does not know what the command line said.
  if (place.type === 'FOLDER') process.env['ASSENT_DATA'] = place.dataDir;
  const client = await Client.begin(output, place);
  const sdk = await loadSdk(target.path);
  try {
    const flow = await findFlow(sdk, target);
    refuseUnknown(options.param, flow.settings.name, flow.schema);
    // A run is known by its script: here it is the file, as if it had been started itself.
    process.argv[1] = target.path;
    const attempt = new Attempt({ output, client, sdk, target: options.target });
    const resumed = options.resume === undefined ? undefined : await findRun(client, options.resume);
    if (resumed !== undefined) {
      await nameRun(client, resumed, options);
      nameResumed(flow, resumed);
      return await attempt.run(flow, recordedParameters(resumed));
    }
    return await attempt.run(flow, parameters);
  } finally {
    await sdk.disconnect();
    await client.close();
  }
}

/** @throws AssentError USAGE: what would be passed over in silence. */
function refuseMixed({ resume, from, reason, param, params }: RunOptions): void {
  if (resume !== undefined && (param.length > 0 || params !== undefined)) {
    throw new AssentError('USAGE', 'A run that is resumed has its parameters: leave out --param and --params.');
  }
  if (resume === undefined && (from ?? reason) !== undefined) {
    throw new AssentError('USAGE', '--from and --reason are for a run that is resumed: --resume RUN says which.');
  }
}

/** What the SDK is to say when it takes the run over; of one that was left there is nothing to say. */
async function nameRun(client: Client, run: RunDetail, { from, reason }: RunOptions): Promise<void> {
  if (from === undefined && !isTerminal(run.state)) return;
  const asked = { ...(from === undefined ? {} : { from }), ...(reason === undefined ? {} : { reason }) };
  const { redoFrom, reason: why } = await retryOf(client, run, asked);
  process.env['ASSENT_RESUME_REASON'] = why;
  if (redoFrom !== undefined) process.env['ASSENT_RESUME_FROM'] = redoFrom;
}

/** The run that ASSENT_RESUME names has its parameters: those that the flow is called with are not looked at. */
function nameResumed(flow: CallableFlow, { run, parent, name }: RunDetail): void {
  if (parent !== undefined)
    throw new AssentError('USAGE', `${run} is a call of a flow run: resume the flow run itself.`);
  if (name !== flow.settings.name) {
    throw new AssentError('USAGE', `${run} is a run of flow '${name}', not of '${flow.settings.name}'.`);
  }
  process.env['ASSENT_RESUME'] = run;
}

function recordedParameters({ parameters }: RunDetail): unknown {
  const value = parameters?.inline === undefined ? undefined : decodeValue(parameters.inline);
  return typeof value === 'object' && value !== null ? value : undefined;
}

const LAST_LINES_MS = 300;
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

type Parts = { readonly output: Output; readonly client: Client; readonly sdk: Sdk; readonly target: string };

class Attempt {
  readonly #parts: Parts;
  #run: RunId | undefined;
  #progress: Progress | undefined;
  #tail: Tail | undefined;
  #interrupts = 0;
  #isCancelled = false;
  /** The name of the state that ended the run: its code may still be at work. */
  #endedAs: string | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async run(flow: CallableFlow, parameters: unknown): Promise<number> {
    const interrupted = (signal: NodeJS.Signals): void => {
      this.#interrupted(signal);
    };
    for (const signal of SIGNALS) process.on(signal, interrupted);
    const giveBack = this.#parts.output.isJson ? divertOutput() : (): void => undefined;
    try {
      const inputs = parameters === undefined ? [] : [parameters];
      const value = await this.#parts.sdk.callFlow(this.#announcing(flow), inputs, true);
      await this.#lastLines();
      giveBack();
      return this.#succeeded(flow, value);
    } catch (error) {
      await this.#lastLines();
      giveBack();
      return await this.#failed(flow, error);
    } finally {
      this.#tail?.stop();
      for (const signal of SIGNALS) process.off(signal, interrupted);
    }
  }

  /** The same flow, whose function says at its start which run it is. */
  #announcing(flow: CallableFlow): CallableFlow {
    const fn = async (parameters: never): Promise<unknown> => {
      await this.#begins(flow.settings.name);
      return flow.fn(parameters);
    };
    return { ...flow, fn };
  }

  async #begins(name: string): Promise<void> {
    if (this.#run !== undefined) return;
    const { client, sdk } = this.#parts;
    this.#run = sdk.flowRun().id as RunId;
    const progress = new Progress(this.#run, name);
    this.#progress = progress;
    this.#tail = await tailRun(client, this.#run, (ruling) => {
      progress.heard(ruling);
      const { proposal } = ruling;
      const state = stateAfter(ruling);
      if (proposal.kind !== 'workspace' && proposal.run === this.#run && isTerminal(state)) this.#endedAs = state?.name;
    });
    this.#tail.ended.catch(() => undefined);
  }

  /** What was ruled last is on its way as well; it is shown before the end is. */
  async #lastLines(): Promise<void> {
    await Promise.race([this.#tail?.heardEnd, pause(LAST_LINES_MS, undefined, { ref: false })]);
  }

  #succeeded({ settings: { name } }: CallableFlow, result: unknown): number {
    const { output } = this.#parts;
    const run = this.#run;
    // A run that was resumed after its end, by its identity, is answered from the record: nothing began.
    this.#end(`${inkOfNotes('green', 'Completed')}  ${run === undefined ? name : `${name} ${run}`}`);
    if (output.isJson) output.document({ run, name, state: 'Completed', result: result ?? null }, () => []);
    else if (result !== undefined) output.line(shown(result));
    return EXIT.ok;
  }

  async #failed({ settings: { name } }: CallableFlow, error: unknown): Promise<number> {
    const { output, client } = this.#parts;
    if (this.#run === undefined) throw error;
    const run = await findRun(client, this.#run).catch(() => undefined);
    const state = run === undefined ? 'ended' : stateText(run);
    this.#end(`${inkOfNotes('red', state)}  ${name} ${this.#run}`);
    if (output.isJson) output.document({ run: this.#run, name, state, error: described(error) }, () => []);
    if (error instanceof AssentError) output.note(error.message);
    else output.note(inspect(error));
    output.note(`What happened: assent why ${this.#run}`);
    if (this.#interrupts > 0) return EXIT.interrupted;
    const code = exitCodeOfState(run?.state);
    return code === EXIT.error || code === EXIT.ok ? exitCodeOf(error) : code;
  }

  #end(text: string): void {
    if (this.#progress === undefined) this.#parts.output.note(text);
    else this.#progress.end(text);
    this.#progress = undefined;
  }

  /** R1. */
  #interrupted(signal: NodeJS.Signals): void {
    const { output, target } = this.#parts;
    if (signal === 'SIGTERM' && this.#interrupts > 0) return;
    this.#interrupts += 1;
    const run = this.#run;
    if (run === undefined || this.#interrupts > 1) {
      this.#end(run === undefined ? 'Left before the run began.' : this.#parting(run, target));
      process.exit(EXIT.interrupted);
    }
    output.note(`Cancelling ${run}; Ctrl-C again leaves at once.`);
    void this.#cancel(run, signal === 'SIGINT' ? 'Ctrl-C at the terminal' : 'its process was told to end (SIGTERM)');
  }

  #parting(run: RunId, target: string): string {
    if (this.#endedAs !== undefined) return `Left. ${run} is ${this.#endedAs}; its code was still at work.`;
    return this.#isCancelled
      ? `Left. ${run} is being cancelled: the engine ends it when its grace is over.`
      : `Left, and the cancel is not ruled on. To go on with the run: assent run ${target} --resume ${run}`;
  }

  async #cancel(run: RunId, reason: string): Promise<void> {
    try {
      const { outcome, code, why } = await proposeCancel(this.#parts.client, run, reason);
      this.#isCancelled = outcome !== 'rejected' || code === 'DUPLICATE';
      if (!this.#isCancelled) this.#parts.output.warn(`the cancel was refused (${code ?? ''}): ${why ?? ''}`);
    } catch (error) {
      this.#parts.output.warn(error instanceof Error ? error.message : String(error));
    }
  }
}

/** R2. Returns how to give standard output back. */
function divertOutput(): () => void {
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = process.stderr.write.bind(process.stderr);
  return () => {
    process.stdout.write = write;
  };
}

/** A text as it is, plain data as JSON, anything richer as Node shows it. */
function shown(result: unknown): string {
  if (typeof result === 'string') return result;
  const json = isPlain(result) ? JSON.stringify(result, undefined, 2) : undefined;
  return json ?? inspect(result, { depth: 10 });
}

function isPlain(value: unknown): boolean {
  if (value === null || ['string', 'number', 'boolean'].includes(typeof value)) return true;
  if (typeof value !== 'object') return false;
  if (Array.isArray(value)) return value.every(isPlain);
  const prototype: unknown = Object.getPrototypeOf(value);
  return (prototype === Object.prototype || prototype === null) && Object.values(value).every(isPlain);
}

function described(error: unknown): object {
  if (error instanceof AssentError) return { kind: error.kind, code: error.code, message: error.message };
  if (error instanceof Error) return { name: error.name, message: error.message };
  return { message: String(error) };
}
