/** The exit codes of `assent`: documented by `assent --help`, and permanent. */
import { AssentError, type ErrorKind } from '../../protocol/errors.ts';
import type { RunRow } from '../../protocol/query.ts';

export const EXIT = {
  ok: 0,
  error: 1,
  usage: 2,
  notFound: 3,
  rejected: 4,
  failed: 5,
  cancelled: 6,
  timedOut: 7,
  /** Of `assent server`: another engine has the folder (EX_TEMPFAIL). */
  folderLocked: 75,
  interrupted: 130,
} as const;

export const EXIT_CODES_HELP = `Exit codes:
  0    done                       5    the run failed
  1    an error, or a finding     6    the run was cancelled, or crashed
  2    wrong usage, or input      7    a time-out
  3    not found                  75   another engine has the data folder (server)
  4    rejected by a rule         130  interrupted (Ctrl-C; run: SIGTERM as well)`;

const KINDS: Readonly<Partial<Record<ErrorKind, number>>> = {
  USAGE: EXIT.usage,
  BAD_OPTION: EXIT.usage,
  BAD_PARAMETERS: EXIT.usage,
  INPUT_REFUSED: EXIT.usage,
  RUN_AMBIGUOUS: EXIT.usage,
  FOLDER_MISSING: EXIT.notFound,
  RUN_NOT_FOUND: EXIT.notFound,
  FLOW_NOT_FOUND: EXIT.notFound,
  LIMIT_NOT_FOUND: EXIT.notFound,
  ARTIFACT_NOT_FOUND: EXIT.notFound,
  VARIABLE_NOT_FOUND: EXIT.notFound,
  REJECTED: EXIT.rejected,
  FLOW_FAILED: EXIT.failed,
  CANCELLED: EXIT.cancelled,
  FENCED: EXIT.cancelled,
  TIMED_OUT: EXIT.timedOut,
  FOLDER_LOCKED: EXIT.folderLocked,
};

export const exitCodeOf = (error: unknown): number =>
  (error instanceof AssentError ? KINDS[error.kind] : undefined) ?? EXIT.error;

/** What the end of a run means to whoever waited for it. */
export function exitCodeOfState(state: RunRow['state']): number {
  switch (state?.type) {
    case 'COMPLETED':
      return EXIT.ok;
    case 'FAILED':
      return state.name === 'TimedOut' ? EXIT.timedOut : EXIT.failed;
    case 'CANCELLED':
    case 'CRASHED':
      return EXIT.cancelled;
    case 'SCHEDULED':
    case 'PENDING':
    case 'RUNNING':
    case 'PAUSED':
    case 'CANCELLING':
    case undefined:
      return EXIT.error;
  }
}
