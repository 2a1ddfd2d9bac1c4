/**
 * How a run ended, as a value that code can look at, and return: a flow or task that returns one ends like that. The
 * aggregation of several is Prefect 3's (its flow engine, return_value_to_state).
 */
import { z } from 'zod';
import { AssentError } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import { DEFAULT_NAMES, type TerminalType } from '../protocol/states.ts';
import { checkOptions, text } from './checked-options.ts';
import { headline } from './errors-across.ts';

type Details<T> = {
  readonly name?: string;
  readonly message?: string;
  readonly value?: T;
  readonly error?: unknown;
  readonly runId?: string;
};

/** How a run ended. Made by {@link completed}, {@link failed} and {@link cancelled}, and by a future's `state()`. */
export class FinalState<T = unknown> {
  readonly type: TerminalType;
  /** A refinement of the type: `Completed`, `Cached`, `TimedOut`, `NotReady`, or any name of yours. */
  readonly name: string;
  readonly message: string | undefined;
  /** What the run gave, if it completed. */
  readonly value: T | undefined;
  /** What it threw, if it did not. */
  readonly error: unknown;
  /** The run that ended; undefined for a state that code has made. */
  readonly runId: string | undefined;

  constructor(type: TerminalType, { name, message, value, error, runId }: Details<T> = {}) {
    this.type = type;
    this.name = name ?? DEFAULT_NAMES[type];
    this.message = message;
    this.value = value;
    this.error = error;
    this.runId = runId;
  }

  get isCompleted(): boolean {
    return this.type === 'COMPLETED';
  }

  /** The value, or the error thrown. */
  result(): T {
    if (this.type === 'COMPLETED') return this.value as T;
    // What a run threw may be anything.
    // eslint-disable-next-line @typescript-eslint/only-throw-error
    throw this.error ?? endError(this);
  }
}

/** A name of 1 to 200 characters. Of a message, 1,000 are recorded. */
const saying = { name: text(LIMITS.nameMax).optional(), message: z.string().optional() };

/**
 * A state to return from a flow or task that ended well, where the value alone does not say enough.
 * Of its message, 1,000 characters are recorded.
 *
 * @throws AssentError BAD_OPTION
 * @example
 * import { completed, flow } from 'assent';
 *
 * const sync = flow({ name: 'sync' }, ({ rows }: { rows: number[] }) =>
 *   rows.length === 0 ? completed({ name: 'Skipped', message: 'nothing to do', value: 0 }) : rows.length,
 * );
 * console.log(await sync({ rows: [] })); // 0
 */
export function completed<T>(details: { value?: T; name?: string; message?: string } = {}): FinalState<T> {
  checkOptions('completed', details, { ...saying, value: z.unknown().optional() });
  return new FinalState<T>('COMPLETED', details);
}

/**
 * A state to return from a flow or task that failed. Its caller gets `error`, or an AssentError with the message. A
 * returned failure is retried like a thrown one. Of its message, 1,000 characters are recorded.
 *
 * @throws AssentError BAD_OPTION
 * @example
 * import { failed, flow } from 'assent';
 *
 * const check = flow({ name: 'check' }, ({ rows }: { rows: number }) =>
 *   rows > 0 ? rows : failed({ message: 'the table is empty' }),
 * );
 * await check({ rows: 0 }).catch((error) => console.log(error.message));
 */
export function failed(details: { error?: unknown; name?: string; message?: string } = {}): FinalState<never> {
  checkOptions('failed', details, { ...saying, error: z.unknown().optional() });
  return new FinalState<never>('FAILED', details);
}

/**
 * A state to return from a flow that found out that there is nothing to go on with. Its caller gets AssentError CANCELLED.
 * Of its message, 1,000 characters are recorded.
 *
 * @throws AssentError BAD_OPTION
 * @example
 * import { cancelled, flow } from 'assent';
 *
 * const nightly = flow({ name: 'nightly' }, ({ holiday }: { holiday: boolean }) =>
 *   holiday ? cancelled({ message: 'not on a holiday' }) : 'done',
 * );
 * await nightly({ holiday: true }).catch((error) => console.log(error.kind)); // CANCELLED
 */
export function cancelled(details: { name?: string; message?: string } = {}): FinalState<never> {
  checkOptions('cancelled', details, saying);
  return new FinalState<never>('CANCELLED', details);
}

/** The error that stands for a state that has none of its own. */
export function endError({ type, name, message, runId }: FinalState): AssentError {
  const what = `${runId === undefined ? 'The run' : `Run ${runId}`} ended as ${name}`;
  const text = message === undefined ? `${what}.` : `${what}: ${message}`;
  return new AssentError(type === 'CANCELLED' ? 'CANCELLED' : 'FLOW_FAILED', text);
}

/** What an error that a call was answered with says of the call's end. */
export function stateOfError(
  error: unknown,
  { type: ruled, ...details }: { runId?: string; type?: TerminalType; name?: string; message?: string } = {},
): FinalState<never> {
  const kind = error instanceof AssentError ? error.kind : undefined;
  const type = ruled ?? (kind === 'CANCELLED' ? 'CANCELLED' : kind === 'FENCED' ? 'CRASHED' : 'FAILED');
  const name = details.name ?? (kind === undefined ? undefined : NAMES[kind]);
  const { message = headline(error) } = details;
  return new FinalState<never>(type, { ...details, ...(name === undefined ? {} : { name }), message, error });
}

const NAMES: Readonly<Record<string, string>> = { TIMED_OUT: 'TimedOut', NOT_READY: 'NotReady' };

/** Several ends as one: all completed, else any cancelled, else failed with the first one's error. */
export function aggregate(states: readonly FinalState[]): FinalState {
  const total = String(states.length);
  const count = (types: readonly TerminalType[]): readonly FinalState[] =>
    states.filter(({ type }) => types.includes(type));
  const values = states.map(({ value }) => value);
  const stopped = count(['CANCELLED']);
  const bad = count(['FAILED', 'CRASHED']);
  if (stopped.length + bad.length === 0) {
    return new FinalState('COMPLETED', { message: 'All states completed.', value: values });
  }
  if (stopped.length > 0) {
    const message = `${String(stopped.length)}/${total} states cancelled.`;
    return new FinalState('CANCELLED', { message, error: stopped[0]?.error });
  }
  const message = `${String(bad.length)}/${total} states failed.`;
  const [first] = bad;
  return new FinalState('FAILED', {
    message,
    error: first === undefined ? undefined : (first.error ?? endError(first)),
  });
}
