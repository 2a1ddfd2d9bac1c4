/** What differs between the calls of two executions, or of two runs. Pure: diff.ts reads and prints. */
import { decodeValue } from './values.ts';
import { parentPath, type MadeCall } from './executions.ts';
import type { Value } from '../../protocol/values.ts';

/** The first place at which two values differ; absent where one of them has nothing there. */
export type FieldDifference = { readonly field: string; readonly before?: unknown; readonly now?: unknown };

export type Pair = { readonly before: MadeCall; readonly now: MadeCall };

export type Difference = {
  /** The same call: by its key, its inputs and its ordinal. */
  readonly both: readonly Pair[];
  /** The same key in the same place, with other inputs. */
  readonly changed: readonly (Pair & { readonly first?: FieldDifference })[];
  readonly onlyBefore: readonly MadeCall[];
  readonly onlyNow: readonly MadeCall[];
};

export function differenceOf(before: readonly MadeCall[], now: readonly MadeCall[]): Difference {
  const inNow = new Map(now.map((call) => [call.path, call]));
  const same = before.flatMap((call): Pair[] => {
    const other = inNow.get(call.path);
    return other === undefined ? [] : [{ before: call, now: other }];
  });
  const matched = new Set(same.map((pair) => pair.before.path));
  const others = pairedByKey(
    before.filter(({ path }) => !matched.has(path)),
    now.filter(({ path }) => !matched.has(path)),
  );
  const paired = new Set(others.flatMap((pair) => [pair.before, pair.now]));
  const isLeft = (call: MadeCall): boolean => !matched.has(call.path) && !paired.has(call);
  const hasOthers = (pair: Pair): boolean => pair.before.inputs !== pair.now.inputs;
  return {
    both: same.filter((pair) => !hasOthers(pair)),
    changed: [...same.filter(hasOthers), ...others].map((pair) => {
      const first = firstDifference(pair.before.parameters, pair.now.parameters);
      return { ...pair, ...(first === undefined ? {} : { first }) };
    }),
    onlyBefore: before.filter(isLeft),
    onlyNow: now.filter(isLeft),
  };
}

/** Of what is left, the first calls of one key under one parent belong together, then the second ones, and so on. */
function pairedByKey(before: readonly MadeCall[], now: readonly MadeCall[]): Pair[] {
  const place = (call: MadeCall): string => JSON.stringify([parentPath(call), call.key]);
  const free = Map.groupBy(now, place);
  return before.flatMap((call): Pair[] => {
    const other = free.get(place(call))?.shift();
    return other === undefined ? [] : [{ before: call, now: other }];
  });
}

/** Where recorded inputs allow: those that lie elsewhere are not fetched. */
export function firstDifference(before: Value | undefined, now: Value | undefined): FieldDifference | undefined {
  if (before?.inline === undefined || now?.inline === undefined || before.inline === now.inline) return undefined;
  return differing(decodeValue(before.inline), decodeValue(now.inline), '');
}

function differing(before: unknown, now: unknown, field: string): FieldDifference | undefined {
  if (!isBranch(before) || !isBranch(now) || Array.isArray(before) !== Array.isArray(now)) {
    return before === now ? undefined : { field, before, now };
  }
  const fields = new Set([...Object.keys(before), ...Object.keys(now)]);
  for (const name of fields) {
    const at = Array.isArray(before) ? `${field}[${name}]` : field === '' ? name : `${field}.${name}`;
    if (!(name in before)) return { field: at, now: now[name] };
    if (!(name in now)) return { field: at, before: before[name] };
    const found = differing(before[name], now[name], at);
    if (found !== undefined) return found;
  }
  return undefined;
}

const isBranch = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
