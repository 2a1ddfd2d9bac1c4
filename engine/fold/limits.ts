/** What setting a limit makes of its row and of those of its keys: one meaning for the fold and for the view. Pure. */
import type { EpochMs } from '../../protocol/ids.ts';
import { TRANSACTION_LIMIT, type LimitSet, type SlotWish } from '../../protocol/proposals.ts';
import type { State } from '../../protocol/states.ts';
import type { Limit } from './workspace.ts';

/** The rows that change, by their keys; undefined for one that goes. Keys that have bounds of their own keep them. */
export function* limitsAfter(
  rows: { get(key: string): Limit | undefined; entries(): Iterable<[string, Limit]> },
  { limit, slotsMax, slotsPerSecond, onFull }: LimitSet,
  atMs: EpochMs,
): Generator<[string, Limit | undefined]> {
  const { used = 0, everyMs: was, emptyAtMs = 0 as EpochMs } = rows.get(limit) ?? {};
  const everyMs = slotsPerSecond === undefined ? undefined : 1000 / slotsPerSecond;
  yield [
    limit,
    {
      slotsMax,
      used,
      ...(onFull === undefined ? {} : { onFull }),
      ...(everyMs === undefined ? {} : { everyMs, emptyAtMs: rescaled(emptyAtMs, { was, everyMs, atMs }) }),
    },
  ];
  if (was === undefined || was === everyMs) return;
  for (const [key, row] of [...rows.entries()]) {
    if (!key.startsWith(`${limit}[`) || row.slotsMax !== undefined || row.emptyAtMs === undefined) continue;
    const { emptyAtMs: emptyMs, ...rest } = row;
    if (everyMs !== undefined) yield [key, { ...rest, emptyAtMs: rescaled(emptyMs, { was, everyMs, atMs }) }];
    else yield [key, rest.used > 0 ? rest : undefined];
  }
}

/**
 * What a call keeps when its flow run, which is now in this state, has left its process. A transaction that sleeps is not
 * over: nobody else comes between its halves, neither before its flow run is claimed again nor then. A process that died
 * holds nothing up. Whoever needs other slots besides keeps none: it would hold one while it waits for the others.
 */
export function slotsKept(slots: readonly SlotWish[], state: State): readonly SlotWish[] {
  const goesOn = state.type === 'RUNNING' || (state.type === 'PAUSED' && state.suspended === true);
  return goesOn && slots.every(({ limit }) => limit === TRANSACTION_LIMIT) ? slots : NONE;
}

const NONE: readonly SlotWish[] = [];

type Rescaling = { readonly was: number | undefined; readonly everyMs: number; readonly atMs: EpochMs };

/** As many slots as before have yet to come back, at the new rate. */
const rescaled = (emptyAtMs: EpochMs, { was, everyMs, atMs }: Rescaling): EpochMs =>
  was === undefined || was === everyMs || emptyAtMs <= atMs
    ? emptyAtMs
    : ((atMs + ((emptyAtMs - atMs) * everyMs) / was) as EpochMs);
