/** Runs, their states and what they wait for, in words. Without colours: whoever prints gives them theirs. */
import type { RunRow } from '../../protocol/query.ts';
import type { Waits } from '../../protocol/rulings.ts';
import type { Value } from '../../protocol/values.ts';
import { decodeValue } from './values.ts';
import { bytesOf, clockOf, spanOf } from './times.ts';

/** `Running`, `AwaitingRetry`, `waiting for a slot of 'api'`. */
export function stateText({ state, waits }: Pick<RunRow, 'state' | 'waits'>): string {
  if (waits !== undefined) return `waiting ${waitText(waits.waits)}`;
  return state?.name ?? 'never started';
}

/** What it waits for, after "waits". */
export function waitText(waits: Waits): string {
  switch (waits.type) {
    case 'TIME':
      return `until ${clockOf(waits.dueAtMs)}`;
    case 'FLOW':
      return 'for its flow run, which is paused';
    case 'SLOTS':
      return `for ${waits.limits.map(({ limit, slots, by }) => `${slotsText(slots)} of '${limit}'${by === undefined ? '' : ` for '${by}'`}`).join(' and ')}`;
  }
}

export const slotsText = (slots: number): string => (slots === 1 ? 'a slot' : `${String(slots)} slots`);

export const count = (many: number, one: string, more = `${one}s`): string =>
  `${String(many)} ${many === 1 ? one : more}`;

/** How long it has run, or ran. */
export function durationOf({ startedMs, endedMs }: RunRow, nowMs: number): string {
  return startedMs === undefined ? '' : spanOf((endedMs ?? nowMs) - startedMs);
}

/** The last part of a call's id is enough to tell it from its siblings. */
export const shortId = (run: string): string => run.slice(run.lastIndexOf('.') + 1);

/** A recorded value on one line, or in several. */
export function valueText(value: Value): string {
  if (value.cipher !== undefined) return `(encrypted, ${bytesOf(value.size)})`;
  if (value.inline === undefined) return `(${bytesOf(value.size)} in the object store, ${value.digest.slice(0, 16)})`;
  const decoded = decodeValue(value.inline);
  return typeof decoded === 'string' ? decoded : JSON.stringify(decoded ?? null, undefined, 2);
}
