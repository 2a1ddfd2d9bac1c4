/**
 * `assent runs pause RUN`, `runs resume RUN`, `runs set-state RUN STATE`: an operator's wishes for a run's state. Whether
 * they come true, the rules say; what they refuse is on record.
 */
import { AssentError } from '../../protocol/errors.ts';
import type { EpochMs } from '../../protocol/ids.ts';
import type { RunDetail } from '../../protocol/query.ts';
import { DEFAULT_NAMES, STATE_TYPES, type State, type StateType } from '../../protocol/states.ts';
import type { Value } from '../../protocol/values.ts';
import type { Client } from './client.ts';
import { EXIT } from './exit-codes.ts';
import { findRun } from './find-run.ts';
import { inputOf } from './pause-input.ts';
import type { Output } from './output.ts';
import { ink } from './style.ts';
import { parseSpan } from './times.ts';

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
  if (run.state?.type !== 'PAUSED') {
    throw new AssentError('USAGE', `${run.run} is not paused, it is ${run.state?.name ?? 'not started'}.`);
  }
  const input = inputOf(run.state, text);
  const suspended = run.state.suspended === true;
  const dueAtMs = Date.now() as EpochMs;
  const to: State = suspended
    ? { type: 'SCHEDULED', name: 'Resuming', dueAtMs }
    : { type: 'RUNNING', name: DEFAULT_NAMES.RUNNING };
  return propose(client, output, run, { ...asked, to, ...(input === undefined ? {} : { input }) });
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
  { run, name, kind }: RunDetail,
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
        : `${run} (${name}) is ${ink('bold', state?.name ?? to.name)}${outcome === 'rewritten' ? `: ${why ?? ''}` : ''}.`,
  ]);
  if (outcome === 'rejected' && !output.isJson) output.note(`The refusal is on record: assent why ${run}`);
  return outcome === 'rejected' ? EXIT.rejected : EXIT.ok;
}
