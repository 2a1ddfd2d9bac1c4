/** Where two records that should be one first differ, and how. Both are compared as they are stored: as JSON. */
import type { ProposalId, RunId } from '../../protocol/ids.ts';
import type { Position, Ruling } from '../../protocol/rulings.ts';

export type Difference = {
  readonly at: Position;
  readonly proposal: ProposalId;
  /** Absent: it is about the workspace. */
  readonly run?: RunId;
  /** As the ruling names it. */
  readonly policy: string;
  /** The path of the first thing that differs: `outcome`, `trail[3].why`, `facts.slots[0].used`. */
  readonly field: string;
  /** What stands there on the ledger; absent if nothing does. */
  readonly recorded?: unknown;
  /** What came out. */
  readonly again?: unknown;
};

/** The first difference of two records, in the order of `fields`; undefined when they are the same, byte for byte. */
export function firstDifference(
  { ruling, at }: { readonly ruling: Ruling; readonly at: Position },
  again: Readonly<Record<string, unknown>>,
  fields: readonly string[],
): Difference | undefined {
  const recorded = ruling as unknown as Readonly<Record<string, unknown>>;
  for (const field of fields) {
    const found = differing(stored(recorded[field]), stored(again[field]), field);
    if (found === undefined) continue;
    return { ...placeOf({ ruling, at }), ...found };
  }
  return undefined;
}

/** What a difference is about. */
export function placeOf({
  ruling: { proposal, policy },
  at,
}: {
  readonly ruling: Ruling;
  readonly at: Position;
}): Omit<Difference, 'field'> {
  return { at, proposal: proposal.id, ...(proposal.kind === 'workspace' ? {} : { run: proposal.run }), policy };
}

/** As it would be read back from a line. */
function stored(value: unknown): unknown {
  const text = JSON.stringify(value) as string | undefined;
  return text === undefined ? undefined : (JSON.parse(text) as unknown);
}

type Found = Pick<Difference, 'field' | 'recorded' | 'again'>;

function differing(recorded: unknown, again: unknown, field: string): Found | undefined {
  if (JSON.stringify(recorded) === JSON.stringify(again)) return undefined;
  if (isObject(recorded) && isObject(again) && Array.isArray(recorded) === Array.isArray(again)) {
    for (const key of new Set([...Object.keys(recorded), ...Object.keys(again)])) {
      const path = Array.isArray(recorded) ? `${field}[${key}]` : `${field}.${key}`;
      const found = differing(recorded[key], again[key], path);
      if (found !== undefined) return found;
    }
  }
  return {
    field,
    ...(recorded === undefined ? {} : { recorded }),
    ...(again === undefined ? {} : { again }),
  };
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

/** For people: one difference in a few lines. */
export function differenceText({ at, proposal, run, policy, field, recorded, again }: Difference): string {
  const about = run === undefined ? '' : ` on ${run}`;
  return [
    `${String(at.seq)}.${String(at.index)} ${proposal}${about}, policy ${policy}: ${field} differs`,
    `  recorded  ${shown(recorded)}`,
    `  came out  ${shown(again)}`,
  ].join('\n');
}

const SHOWN_MAX = 300;

function shown(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}
