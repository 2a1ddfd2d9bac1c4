/**
 * Between what code does and what the ledger says: the states that a function's end is reported as, and what a state
 * means to whoever called.
 */
import { AssentError } from '../protocol/errors.ts';
import type { Answer } from '../protocol/messages.ts';
import { DIVERGED_NAME, type State } from '../protocol/states.ts';
import type { Client } from './client/client.ts';
import { headline, isError } from './errors-across.ts';
import type { Redaction } from './redaction.ts';
import type { Settings } from './settings.ts';
import { scrubError } from './scrubber.ts';
import { decodeError, encodeError, encodeText, recorded, type Recorded } from './values.ts';

export const RUNNING: State = { type: 'RUNNING', name: 'Running' };
/** What a further attempt in the same process is called; the rule rename-reruns would call it so. */
export const RETRYING: State = { type: 'RUNNING', name: 'Retrying' };

/** A start was granted when nobody waited for it any more. */
export const NOBODY_WAITS: State = { type: 'CANCELLED', name: 'Cancelled', message: 'nobody waits for it' };

/** A state to be reported, and what must be stored before. */
export type Report = { readonly state: State; readonly stored: Promise<void> | undefined };

/** @throws AssentError VALUE_TOO_LARGE, VALUE_NOT_SERIALIZABLE */
export function completedWith(client: Client, given: unknown, whose: string, redact?: Redaction): Report {
  const result = redact === undefined ? given : redact.of(given);
  if (result === undefined) return { state: { type: 'COMPLETED', name: 'Completed' }, stored: undefined };
  const what = `The result of ${whose.charAt(0).toLowerCase()}${whose.slice(1)}`;
  const text = recorded(encodeText(result, what), what);
  return { state: { type: 'COMPLETED', name: 'Completed', result: text.value }, stored: client.store(text) };
}

/** A failure is reported whatever its error is: one that is too large is cut to its message. */
export function failedWith(client: Client, error: unknown, retriable: boolean, redact?: Redaction): Report {
  scrubError(error);
  const shown = isError(error) ? error : (redact?.ofData(error) ?? error);
  const text = errorText(shown, redact);
  const state: State = {
    type: 'FAILED',
    name: error instanceof AssentError && error.kind === 'DIVERGED' ? DIVERGED_NAME : 'Failed',
    message: headline(shown),
    error: text.value,
    ...(retriable ? {} : { retriable: false }),
  };
  return { state, stored: client.store(text) };
}

export function cancelledWith(
  client: Client,
  evidence: { result?: unknown; error?: unknown },
  redact?: Redaction,
  redactError: Redaction | undefined = redact,
): Report {
  const state: State = { type: 'CANCELLED', name: 'Cancelled' };
  if (evidence.error !== undefined && !isStop(evidence.error)) {
    scrubError(evidence.error);
    const text = errorText(evidence.error, redactError);
    return { state: { ...state, error: text.value }, stored: client.store(text) };
  }
  if (evidence.result === undefined) return { state, stored: undefined };
  try {
    const text = recorded(encodeText(redact?.of(evidence.result) ?? evidence.result, 'The result'), 'The result');
    return { state: { ...state, result: text.value }, stored: client.store(text) };
  } catch {
    // Evidence that cannot be recorded is none.
    return { state, stored: undefined };
  }
}

/** There is one for every error: what is too large is cut to its message. */
export function errorText(error: unknown, redact?: Redaction): Recorded {
  try {
    return recorded(encodeError(error, redact), 'The error');
  } catch {
    return recorded(encodeError(new Error(headline(error))), 'The error');
  }
}

/** Our own word to code that it must stop; it says nothing that the ledger does not know. */
const isStop = (error: unknown): boolean => error instanceof AssentError && STOPS.has(error.kind);
const STOPS: ReadonlySet<string> = new Set(['CANCELLED', 'FENCED', 'TIMED_OUT']);

/** Whether another attempt may do better. */
export function isRetriable(error: unknown, settings: Settings, attempt: number): boolean {
  if (error instanceof AssentError && FINAL.has(error.kind)) return false;
  if (settings.retry === undefined || settings.retryIf === undefined) return true;
  try {
    return settings.retryIf(error, attempt);
  } catch {
    return false;
  }
}

/** What cannot be recorded now will not be after another attempt; what was not undone would be done twice. */
const FINAL: ReadonlySet<string> = new Set([
  'VALUE_TOO_LARGE',
  'VALUE_NOT_SERIALIZABLE',
  'BAD_PARAMETERS',
  'BAD_OPTION',
  'DIVERGED',
  'ROLLBACK_FAILED',
]);

/** The error that a failed, crashed or cancelled run means to its caller. */
export async function errorOf(client: Client, state: State, whose: string, reason?: string): Promise<unknown> {
  const words = reason ?? state.message;
  const because = words === undefined ? '' : `: ${words}`;
  switch (state.type) {
    case 'FAILED':
      if (state.error !== undefined) return decodeError(await client.text(state.error));
      if (state.name === 'TimedOut') return new AssentError('TIMED_OUT', `${whose} was not done in time${because}.`);
      return new AssentError('FLOW_FAILED', `${whose} failed${because}.`);
    case 'CANCELLED':
    case 'CANCELLING':
      return cancelled(whose, words);
    case 'CRASHED':
    case 'COMPLETED':
    case 'PAUSED':
    case 'PENDING':
    case 'RUNNING':
    case 'SCHEDULED':
      return new AssentError('FENCED', `${whose} is ${state.name}${because}.`);
  }
}

export const cancelled = (whose: string, reason: string | undefined): AssentError =>
  new AssentError('CANCELLED', `${whose} was cancelled${reason === undefined ? '' : `: ${reason}`}.`);

/** Of a call that is still open when the function ends that made it. */
export const notAwaited = (flow: string): AssentError =>
  cancelled(`A call of flow '${flow}'`, 'its function has ended, and did not wait for it');

/** Of what is called where only what is recorded is answered. */
export const notBegun = (whose: string): AssentError => cancelled(whose, 'what it belongs to has its end already');

/** What a refusal means to whoever asked. */
export function refusedError(answer: Answer, whose: string): AssentError {
  const { code = 'REJECTED', why = 'no reason was given', run } = answer;
  // One that was refused before it began is in no list: its id is known from here alone.
  const id = run === undefined || whose.includes(run) ? '' : ` (run ${run})`;
  const said = `${whose}${id} was refused: ${code}, ${why}.`;
  if (code === 'FENCED' || code === 'SESSION_EXPIRED') return new AssentError('FENCED', said);
  if (code === 'FLOW_NOT_RUNNING') return new AssentError('CANCELLED', said);
  if (code === 'RUN_UNKNOWN') return new AssentError('RUN_NOT_FOUND', `${why.charAt(0).toUpperCase()}${why.slice(1)}.`);
  return new AssentError('REJECTED', said);
}

/** The run is the asker's to execute, whatever a rule has named it. */
export const isStart = ({ outcome, state }: Answer): boolean =>
  outcome === 'accepted' || (outcome === 'rewritten' && state?.type === 'RUNNING');

export const isFence = ({ code }: Answer): boolean => code === 'FENCED' || code === 'SESSION_EXPIRED';
