/** What random runs are, and which limits bind them: all that a definition may say, drawn from two small numbers. */
import type { Digest, EpochMs, RunId } from '../../protocol/ids.ts';
import {
  mailboxOf,
  ON_FULL,
  pauseMailbox,
  topicOf,
  TRANSACTION_LIMIT,
  type LimitSet,
  type Receives,
  type RunDefinition,
  type SlotWish,
  type WorkspaceEvent,
} from '../../protocol/proposals.ts';

const pick = <T>(from: readonly T[], by: number): T => from[by % from.length]!;

/** Plain limits, one for each key, one by time, one of a deployment, one of a tag; and what one key has for itself. */
export const LIMITS = ['db', 'api', 'cpu', 'tenant', 'rate', 'deployment:nightly', 'tag:gpu', 'tenant[acme]'] as const;
const KEYS = ['acme', 'bolt'] as const;
const WORK = { work: { pool: 'p', queue: 'q' } } as const;

export function flowOf(c: number, d: number): RunDefinition {
  return {
    kind: 'flow',
    name: 'f',
    ...ofAny(c, d),
    ...(c % 4 === 0 ? WORK : {}),
    ...(c % 3 === 0 ? { identity: String(c % 2).repeat(64) as Digest } : {}),
    ...(d % 5 === 0 ? { deployment: 'nightly' } : {}),
    ...(d % 3 === 1 ? { strict: true } : {}),
  };
}

/** A task run, or a flow run, within a flow run; whoever calls says which, and in which. */
export function callOf(c: number, d: number): Omit<RunDefinition, 'kind'> {
  return { name: 't', ...ofAny(c, d), ...ofTask(c, d), ...ofCall(c, d) };
}

/** What a call under this flow run waits for that somebody sends. */
export function receivesOf(parent: RunId, c: number, d: number, nowMs: number): Receives {
  const until = d % 3 === 0 ? { untilMs: (nowMs + (d % 4) * 400) as EpochMs } : {};
  const topic = topicOf('paid', pick([undefined, 'a', 'b'], d));
  return pick<Receives>(
    [
      { type: 'MESSAGE', mailbox: mailboxOf(parent, pick(MESSAGES, d)), ...until },
      { type: 'MESSAGE', mailbox: pauseMailbox(parent, `k${String(d % 2)}`), ...until },
      { type: 'EVENT', topic, ...until },
    ],
    c,
  );
}

export const MESSAGES = ['go', 'go', 'go', 'stop'] as const;

/** What it is called by, now and then with a key of its own, and that it undoes something. */
function ofCall(c: number, d: number): Pick<RunDefinition, 'call' | 'cleanup' | 'strict'> {
  const key = pick(['t', 't', 't', 'mine'], c);
  return {
    ...(c % 2 === 0 ? { call: { key, inputs: String(d % 2).repeat(64) as Digest, ordinal: 0 } } : {}),
    ...(d % 9 === 0 ? { cleanup: true } : {}),
    ...(c % 3 === 0 ? { strict: true } : {}),
  };
}

export function backgroundOf(c: number, d: number): RunDefinition {
  const hooks = d % 3 === 0 ? { hooks: ['onCancellation', 'onFailure'] as const } : {};
  return { kind: 'task', name: 'b', ...WORK, ...ofAny(c, d), ...ofTask(c, d), ...hooks };
}

function ofTask(c: number, d: number): Pick<RunDefinition, 'cache' | 'tags'> {
  return {
    ...(c % 4 === 1
      ? {
          cache: {
            key: `c${String(d % 3)}`,
            ...(d % 2 === 0 ? {} : { ttlMs: 300 }),
            ...(d % 7 === 0 ? { refresh: true } : {}),
            ...(d % 5 < 2 ? { once: true } : {}),
          },
        }
      : {}),
    ...(d % 4 === 1 ? { tags: ['gpu', 'other'] } : {}),
  };
}

function ofAny(c: number, d: number): Pick<RunDefinition, 'limits' | 'retry' | 'timeoutMs' | 'priority'> {
  const limits = pick(
    [[], ['db'], ['db', 'api'], ['cpu'], ['api', 'db', 'cpu'], ['tenant'], ['rate', 'db'], [TRANSACTION_LIMIT]],
    c,
  );
  const wishes = limits.map((limit, i): SlotWish => ({
    limit,
    slots: limit === TRANSACTION_LIMIT ? 1 : 1 + ((d + i) % 2),
    ...(limit === 'tenant' || limit === TRANSACTION_LIMIT ? { by: pick(KEYS, d) } : {}),
  }));
  return {
    ...(wishes.length === 0 ? {} : { limits: wishes }),
    ...(d % 3 === 0 ? { retry: { retriesMax: 1 + (d % 2), delaysMs: [0, 200], jitter: 0.5 } } : {}),
    ...(d % 4 === 0 ? { timeoutMs: 700 } : {}),
    ...(c % 5 === 0 ? { priority: (d % 5) - 2 } : {}),
  };
}

/** Rates that are no whole number of milliseconds a slot, as well as some that are. */
const RATES = [3, 0.7, 20] as const;

export function limitEventOf(limit: string, b: number, c: number, d: number): WorkspaceEvent {
  if (b % 6 === 0) return { type: 'LIMIT_REMOVED', limit };
  const set: LimitSet = {
    type: 'LIMIT_SET',
    limit,
    slotsMax: c % 4,
    ...(d % 3 === 0 ? { onFull: pick(ON_FULL, c + d) } : {}),
  };
  return limit === 'rate' ? { ...set, slotsPerSecond: pick(RATES, d) } : set;
}
