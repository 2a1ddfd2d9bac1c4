/** What an attempt of a task reports of its end, from what its function returned. */
import { AssentError } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import type { Client } from './client/client.ts';
import { headline, lookedAt } from './errors-across.ts';
import { aggregate, endError, FinalState } from './final-state.ts';
import { cancelledWith, completedWith, failedWith, isRetriable, type Report } from './outcomes.ts';
import type { Redaction } from './redaction.ts';
import type { CallSettings } from './task-start.ts';

/** What the function itself gave: the caller in the same process gets the very value or error. */
export type Own = { readonly value?: unknown; readonly error?: unknown };

export type Outcome = { readonly value: unknown } | { readonly error: unknown };

/** Hears of what `act` gives or throws, at once if it is no promise. */
export function outcomeOf(act: () => unknown, settle: (outcome: Outcome) => void): void {
  let returned: unknown;
  try {
    returned = act();
  } catch (error) {
    settle({ error: lookedAt(error) });
    return;
  }
  if (!(returned instanceof Promise) && typeof (returned as PromiseLike<unknown> | null)?.then !== 'function') {
    settle({ value: returned });
    return;
  }
  (returned as PromiseLike<unknown>).then(
    (value) => {
      settle({ value });
    },
    (error: unknown) => {
      settle({ error: lookedAt(error) });
    },
  );
}

type Attempt = {
  readonly settings: CallSettings;
  readonly attempt: number;
  /** It was told to stop. */
  readonly stopped: AssentError | undefined;
};
export type Reported = { readonly report: Report; readonly own: Own };

/** A state that was returned, or a list of them, is how the task ends; anything else is its value. */
export function reportedBy(client: Client, outcome: Outcome, { settings, attempt, stopped }: Attempt): Reported {
  const { redact, redactAll } = settings;
  if ('error' in outcome) {
    const { error } = outcome;
    if (stopped !== undefined)
      return { report: cancelledWith(client, { error }, redact, redactAll), own: { error: stopped } };
    return { report: failedWith(client, error, isRetriable(error, settings, attempt), redactAll), own: { error } };
  }
  const { value } = outcome;
  redactAll?.hide(value);
  const whose = `Task '${settings.name}'`;
  try {
    const state = stateIn(value);
    if (state === undefined) return { report: completedWith(client, value, whose, redact), own: { value } };
    return reportOfState(client, state, { whose, redact, redactAll }, (error) => isRetriable(error, settings, attempt));
  } catch (error) {
    return { report: failedWith(client, error, false, redactAll), own: { error } };
  }
}

/** It, when what it names can be read; where that cannot be stored, the attempt has failed, and says so. */
export async function kept(
  client: Client,
  reported: Reported,
  { settings, attempt }: Pick<Attempt, 'settings' | 'attempt'>,
): Promise<Reported> {
  try {
    await reported.report.stored;
    return reported;
  } catch (error) {
    // By its message alone, which stands in the ledger itself.
    const said = new Error(headline(error));
    return { report: failedWith(client, said, isRetriable(error, settings, attempt)), own: { error } };
  }
}

function stateIn(value: unknown): FinalState | undefined {
  if (value instanceof FinalState) return value;
  if (!Array.isArray(value) || !(value[0] instanceof FinalState)) return undefined;
  const states = value as readonly unknown[];
  return states.every((one) => one instanceof FinalState) ? aggregate(states) : undefined;
}

type Whose = {
  readonly whose: string;
  /** What the run itself says. */
  readonly redact: Redaction | undefined;
  /** That, and what the flows around it say. */
  readonly redactAll: Redaction | undefined;
};

/** @throws AssentError VALUE_TOO_LARGE, VALUE_NOT_SERIALIZABLE */
export function reportOfState(
  client: Client,
  state: FinalState,
  { whose, redact, redactAll }: Whose,
  mayRetry: (error: unknown) => boolean,
): { report: Report; own: { value: unknown } | { error: unknown } } {
  const { type, name, message, value } = state;
  const said = { name, ...(message === undefined ? {} : { message: message.slice(0, LIMITS.textMax) }) };
  if (type === 'COMPLETED') {
    const { state: done, stored } = completedWith(client, value, whose, redact);
    return { report: { state: { ...done, ...said }, stored }, own: { value } };
  }
  const error = state.error ?? endError(state);
  if (type === 'CANCELLED') {
    const { state: stopped, stored } = cancelledWith(client, {});
    const own = { error: error instanceof AssentError ? error : endError(state) };
    return { report: { state: { ...stopped, ...said }, stored }, own };
  }
  const { state: bad, stored } = failedWith(client, error, mayRetry(error), redactAll);
  return { report: { state: { ...bad, ...said }, stored }, own: { error } };
}
