/** What an attempt of a flow run reports of its end, from what its function gave. */
import type { AssentError } from '../protocol/errors.ts';
import type { Client } from './client/client.ts';
import type { FinalState } from './final-state.ts';
import type { Settings } from './settings.ts';
import { reportOfState } from './task-report.ts';
import type { Redaction } from './redaction.ts';
import { cancelledWith, completedWith, failedWith, isRetriable, type Report } from './outcomes.ts';

/** What the function itself gave: the caller in the same process gets the very value or error. */
export type Own = { readonly value: unknown } | { readonly error: unknown };
/**
 * A state that it returned, or that follows from what it returned, instead. `stands`: whatever has happened since, even if
 * it was told to stop.
 */
export type Gave = Own | { readonly state: FinalState; readonly stands?: true };

type Attempt = {
  readonly client: Client;
  readonly settings: Settings;
  readonly attempt: number;
  /** What the flow itself says, and what the flows around it say. */
  readonly redactAll: Redaction | undefined;
  /** Whose, as the subject of a sentence. */
  readonly whose: string;
  /** It was told to stop. */
  readonly cancelled: AssentError | undefined;
};

type Made = { readonly report: Report; readonly own: Own };

/** Resolves when what the report names can be read; a result that cannot be stored fails the run. */
export async function reportOf(attempt: Attempt, gave: Gave): Promise<Made> {
  const made = madeOf(attempt, gave);
  try {
    await made.report.stored;
    return made;
  } catch (error) {
    return { report: failedWith(attempt.client, error, true, attempt.redactAll), own: { error } };
  }
}

function madeOf({ client, settings, attempt, redactAll, whose, cancelled }: Attempt, own: Gave): Made {
  const { redact } = settings;
  if (cancelled !== undefined && 'state' in own && own.stands !== true) {
    return { report: cancelledWith(client, { result: own.state.value }, redact, redactAll), own: { error: cancelled } };
  }
  if ('state' in own) {
    try {
      return reportOfState(client, own.state, { whose, redact, redactAll }, (error) =>
        isRetriable(error, settings, attempt),
      );
    } catch (error) {
      return { report: failedWith(client, error, false, redactAll), own: { error } };
    }
  }
  if (cancelled !== undefined) {
    const evidence = 'value' in own ? { result: own.value } : { error: own.error };
    return { report: cancelledWith(client, evidence, redact, redactAll), own: { error: cancelled } };
  }
  if ('error' in own) {
    return { report: failedWith(client, own.error, isRetriable(own.error, settings, attempt), redactAll), own };
  }
  try {
    return { report: completedWith(client, own.value, whose, redact), own };
  } catch (error) {
    return { report: failedWith(client, error, false, redactAll), own: { error } };
  }
}
