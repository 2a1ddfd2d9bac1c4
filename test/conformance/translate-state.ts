/**
 * Prefect's states in our words. The types and their names are the same; what differs is where the rest stands: what
 * Prefect keeps in a state's details, we keep in the state where it is about the state, and in the run where it is about
 * the run (cache keys, parameters, slots).
 */
import { createHash } from 'node:crypto';
import type { Digest, EpochMs } from '../../protocol/ids.ts';
import { DEFAULT_NAMES, type State } from '../../protocol/states.ts';
import type { Value } from '../../protocol/values.ts';
import type { PrefectState } from './cases.ts';

/** The clock of all cases stands still. */
export const NOW = Date.parse('2024-01-01T00:00:00Z') as EpochMs;

export const epochMs = (time: string): EpochMs => Date.parse(time) as EpochMs;

/** The state that a proposal asks for, or that a run is in. */
export function ourState(prefect: PrefectState): State {
  const { type, message, details, data } = prefect;
  const common = {
    name: prefect.name ?? DEFAULT_NAMES[type],
    ...(message === undefined || message === null ? {} : { message }),
  };
  switch (type) {
    case 'SCHEDULED':
      return { type, ...common, dueAtMs: details?.scheduledTime ? epochMs(details.scheduledTime) : NOW };
    case 'PENDING':
      return { type, ...common, ...(details?.scheduledTime ? { dueAtMs: epochMs(details.scheduledTime) } : {}) };
    case 'PAUSED':
      return {
        type,
        ...common,
        ...(details?.pauseKey ? { key: details.pauseKey } : {}),
        ...(details?.pauseTimeout ? { timeoutAtMs: epochMs(details.pauseTimeout) } : {}),
        ...(details?.pauseReschedule === true ? { suspended: true } : {}),
      };
    case 'COMPLETED':
      return { type, ...common, ...(isPersisted(data) ? { result: valueOf(data) } : {}) };
    case 'FAILED':
      return {
        type,
        ...common,
        ...(isAbsent(data) ? {} : { error: valueOf(data) }),
        ...(details?.retriable === false ? { retriable: false } : {}),
      };
    case 'CRASHED':
    case 'CANCELLED':
      return { type, ...common, ...(isAbsent(data) ? {} : { error: valueOf(data) }) };
    case 'RUNNING':
    case 'CANCELLING':
      return { type, ...common };
  }
}

/**
 * Whether a state carries a result that can be read again. A bare number or string in a state is none (Prefect's own
 * tests say so for flows; for tasks it breaks on them), and neither is the marker of a result that was not kept.
 */
export const isPersisted = (data: unknown): boolean =>
  typeof data === 'object' && data !== null && !Array.isArray(data) && !isUnpersisted(data);

const isUnpersisted = (data: object): boolean => 'type' in data && data.type === 'unpersisted';
const isAbsent = (data: unknown): boolean => data === undefined || data === null;

/** Data as a value of ours: what counts is that it is the same again. */
export function valueOf(data: unknown): Value {
  const inline = JSON.stringify(data);
  const digest = createHash('sha256').update(inline).digest('hex') as Digest;
  return { digest, size: Buffer.byteLength(inline), inline };
}
