/** `assent runs watch RUN`: what is ruled about a run, as it happens, until the run ends; the exit code says how. */
import type { RunId } from '../../protocol/ids.ts';
import type { RunDetail } from '../../protocol/query.ts';
import { stateAfter, type Ruling } from '../../protocol/rulings.ts';
import { isTerminal } from '../../protocol/states.ts';
import type { Client } from './client.ts';
import { callsOf } from './runs-inspect.ts';
import { exitCodeOfState } from './exit-codes.ts';
import { findRun } from './find-run.ts';
import { tailRun } from './live-tail.ts';
import type { Output } from './output.ts';
import { RULING_HEAD, rulingLine } from './ruling-line.ts';
import { count, durationOf, stateText } from './run-text.ts';
import { formatOfState, ink } from './style.ts';

const CALLS_KNOWN = 5000;

export async function watchRun(
  client: Client,
  output: Output,
  { run: start }: { readonly run: string },
): Promise<number> {
  const run = await findRun(client, start);
  if (isTerminal(run.state)) {
    sayEnd(output, run);
    return exitCodeOfState(run.state);
  }
  const names = new Names(run);
  const tail = await tailRun(client, run.run, (ruling, line) => {
    if (output.isJson) output.line(line);
    else output.line(rulingLine(ruling, { beganMs: run.beganMs, root: run.run, ...names.of(ruling) }));
    names.heard(ruling);
  });
  for (const call of await callsOf(client, run, CALLS_KNOWN)) names.know(call.run, call.name, call.state?.name);
  if (!output.isJson) {
    output.note(
      `${run.name} ${run.run} is ${stateText(run)}; ${callsText(run)}. Ctrl-C ends the watching, not the run.`,
    );
    output.line(ink('bold', RULING_HEAD));
  }
  try {
    const end = await tail.ended;
    sayEnd(output, end);
    return exitCodeOfState(end.state);
  } finally {
    tail.stop();
  }
}

function sayEnd(output: Output, run: RunDetail): void {
  const { state, name } = run;
  const message = state?.message === undefined ? '' : `: ${state.message}`;
  const text = `${name} ${run.run} is ${ink(formatOfState(state?.type), stateText(run))} after ${durationOf(run, Date.now())}${message}`;
  if (output.isJson) output.line(JSON.stringify({ type: 'END', run: run.run, state }));
  else output.line(text);
}

const callsText = ({ calls }: RunDetail): string =>
  count(
    Object.values(calls).reduce((sum, many) => sum + many, 0),
    'call',
  );

/** Names and states of the calls: a ruling does not repeat them. */
class Names {
  readonly #known = new Map<string, { readonly name: string; readonly state: string | undefined }>();

  constructor({ run, name, state }: RunDetail) {
    this.know(run, name, state?.name);
  }

  /** What is known by the tail is newer. */
  know(run: RunId, name: string, state: string | undefined): void {
    if (!this.#known.has(run)) this.#known.set(run, { name, state });
  }

  of({ proposal }: Ruling): { readonly name: string; readonly from?: string } {
    if (proposal.kind === 'workspace') return { name: '' };
    const known = this.#known.get(proposal.run);
    const name = proposal.create?.name ?? known?.name ?? '';
    return { name, ...(known?.state === undefined ? {} : { from: known.state }) };
  }

  heard(ruling: Ruling): void {
    const { proposal } = ruling;
    if (proposal.kind === 'workspace') return;
    const { name } = this.of(ruling);
    const state = stateAfter(ruling)?.name ?? this.#known.get(proposal.run)?.state;
    this.#known.set(proposal.run, { name, state });
  }
}
