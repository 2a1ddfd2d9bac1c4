/**
 * `assent runs pause RUN`, `runs resume RUN`, `runs set-state RUN STATE`: an operator's wishes for a run's state. Whether
 * they come true, the rules say; what they refuse is on record.
 */
import { AssentError } from '../../protocol/errors.ts';
import type { EpochMs } from '../../protocol/ids.ts';
import type { RunDetail, RunState } from '../../protocol/query.ts';
import { DEFAULT_NAMES, isTerminal, STATE_TYPES, type State, type StateType } from '../../protocol/states.ts';
import type { Value } from '../../protocol/values.ts';
import type { Client } from './client.ts';
import { EXIT } from './exit-codes.ts';
import { findRun } from './find-run.ts';
import { mailText, sendText } from './mail-text.ts';
import { inputOf } from './pause-input.ts';
import type { Output } from './output.ts';
import { ink } from './style.ts';
import { clockOf, parseSpan, spanOf } from './times.ts';

type Asked = { readonly run: string; readonly reason?: string };

/** What runs under it finishes; what it calls from now on waits. `timeout`: it fails if nobody resumes it until then. */
export async function pauseRun(
  client: Client,
  output: Output,
  { timeout, ...asked }: Asked & { readonly timeout?: string },
): Promise<number> {
  const run = await findRun(client, asked.run);
  const timeoutMs = timeout === undefined ? undefined : parseSpan(timeout);
  if (timeout !== undefined && timeoutMs === undefined) {
    throw new AssentError('USAGE', `--timeout is a time like '10m' or '2h', not '${timeout}'.`);
  }
  const timeoutAtMs = timeoutMs === undefined ? {} : { timeoutAtMs: (Date.now() + timeoutMs) as EpochMs };
  return propose(client, output, run, { ...asked, to: { type: 'PAUSED', name: 'Paused', ...timeoutAtMs } });
}

/** `input`: what the pause asked for, as JSON. */
export async function resumeRun(
  client: Client,
  output: Output,
  { input: text, ...asked }: Asked & { readonly input?: string },
): Promise<number> {
  const run = await findRun(client, asked.run);
  if (run.kind === 'task') throw new AssentError('USAGE', `${run.run} is a task run: only flow runs are paused.`);
  const { state } = run;
  const paused = state?.type === 'PAUSED' ? state : undefined;
  // One that is not paused, or goes on by itself, is refused by the rules, which say why.
  const input = paused === undefined || wakesByItself(paused) ? undefined : inputOf(run.run, paused, text);
  const to: State =
    paused?.suspended === true
      ? { type: 'SCHEDULED', name: 'Resuming', dueAtMs: Date.now() as EpochMs }
      : { type: 'RUNNING', name: DEFAULT_NAMES.RUNNING };
  const code = await propose(client, output, run, { ...asked, to, ...(input === undefined ? {} : { input }) });
  if (code === EXIT.rejected && !output.isJson && paused !== undefined) sayWhenItGoesOn(output, paused);
  return code;
}

/** Its process let go of it because it sleeps or waits for mail: no pause of it waits for a word. */
const wakesByItself = ({ suspended, key, wakeAtMs, wakeOn }: RunState): boolean =>
  suspended === true && key === undefined && (wakeAtMs !== undefined || wakeOn !== undefined);

function sayWhenItGoesOn(output: Output, { wakeAtMs, wakeOn = [] }: RunState): void {
  const nowMs = Date.now();
  if (wakeAtMs !== undefined) output.note(`It goes on at ${clockOf(wakeAtMs, nowMs)}, in ${spanOf(wakeAtMs - nowMs)}.`);
  for (const mail of wakeOn) output.note(`It goes on when ${mailText(mail)} comes: ${sendText(mail)}`);
}

/** `force` asks for an override: only the policy `forced` is asked, and what the others would have said is recorded. */
export async function setState(
  client: Client,
  output: Output,
  {
    state,
    name,
    force,
    ...asked
  }: Required<Asked> & { readonly state: string; readonly name?: string; force: boolean },
): Promise<number> {
  const type = state.toUpperCase() as StateType;
  if (!STATE_TYPES.includes(type)) {
    throw new AssentError(
      'USAGE',
      `'${state}' is no type of state. There are ${STATE_TYPES.join(', ').toLowerCase()}.`,
    );
  }
  const run = await findRun(client, asked.run);
  const named = { name: name ?? DEFAULT_NAMES[type], message: asked.reason };
  const to: State = type === 'SCHEDULED' ? { type, ...named, dueAtMs: Date.now() as EpochMs } : { type, ...named };
  return propose(client, output, run, { ...asked, to, ...(force ? { force: true } : {}) });
}

async function propose(
  client: Client,
  output: Output,
  { run, name, kind, state: before }: RunDetail,
  { to, reason, force, input }: { to: State; reason?: string; force?: true; input?: Value },
): Promise<number> {
  const answer = await client.propose({
    kind: kind === 'task' ? 'task' : 'flow',
    run,
    to,
    ...(reason === undefined ? {} : { reason }),
    ...(force === undefined ? {} : { force }),
    ...(input === undefined ? {} : { input }),
  });
  const { outcome, code, why, state, seq, index } = answer;
  output.document({ run, outcome, code, why, state, seq, index }, () => [
    outcome === 'rejected'
      ? `${ink(['red', 'bold'], 'REFUSED')} (${code ?? 'no code'}): ${why ?? 'no reason was given'}.`
      : outcome === 'held'
        ? `It waits: ${why ?? 'no reason was given'}.`
        : `${run} (${name}) is ${ink('bold', state?.name ?? to.name)}${outcome === 'rewritten' ? `: ${why ?? ''}` : ''}${leftText(before)}.`,
  ]);
  if (outcome === 'rejected' && !output.isJson) output.note(`The refusal is on record: assent why ${run}`);
  return outcome === 'rejected' ? EXIT.rejected : EXIT.ok;
}

/** That an end was left is not to be done unawares. */
const leftText = (before: RunState | undefined): string =>
  isTerminal(before) ? `; it had ended as ${before?.name ?? ''}, which stays on the ledger with the reason` : '';
