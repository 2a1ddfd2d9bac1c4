/** Runs, their states and what they wait for, in words. Without colours: whoever prints gives them theirs. */
import { CACHE_KEY_LIMIT, TRANSACTION_LIMIT, type SlotWish } from '../../protocol/proposals.ts';
import type { RunRow } from '../../protocol/query.ts';
import type { Waits } from '../../protocol/rulings.ts';
import type { Value } from '../../protocol/values.ts';
import { mailText } from './mail-text.ts';
import { oneLine } from './style.ts';
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
      return `for ${waits.limits.map(wishText).join(' and ')}`;
    case 'MESSAGE':
      return `for ${mailText(waits)}`;
  }
}

/** What it needs of a limit; of the engine's own, what that means. */
export function wishText({ limit, slots, by }: SlotWish): string {
  if (limit === CACHE_KEY_LIMIT) return 'the same result, which another run is computing';
  if (limit === TRANSACTION_LIMIT) return `the transaction '${by ?? ''}', which another run is in`;
  return `${slotsText(slots)} of '${limit}'${by === undefined ? '' : ` for '${by}'`}`;
}

export const slotsText = (slots: number): string => (slots === 1 ? 'a slot' : `${String(slots)} slots`);

export const count = (many: number, one: string, more = `${one}s`): string =>
  `${String(many)} ${many === 1 ? one : more}`;

/** What sort of run it is. */
export const kindText = ({ kind, parent }: Pick<RunRow, 'kind' | 'parent'>): string =>
  parent === undefined
    ? kind === 'flow'
      ? 'flow run'
      : 'task run in the background'
    : kind === 'flow'
      ? 'subflow run'
      : 'task run';

/** What it is a run of, and what people call it. */
export const nameText = ({ name, title }: Pick<RunRow, 'name' | 'title'>): string =>
  title === undefined ? oneLine(name) : `${oneLine(name)} “${oneLine(title)}”`;

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
