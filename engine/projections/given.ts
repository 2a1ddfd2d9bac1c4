/**
 * What runs were given: as their definitions say it, or the report of a failure (run-records.ts knows where). It stands in the
 * ledger only (V1).
 */
import type { RunRow, Given } from '../../protocol/query.ts';
import type { Position, Ruling } from '../../protocol/rulings.ts';
import type { Bodies } from './bodies.ts';
import { recordOf, type RunRecord } from './run-records.ts';
import type { Row, ViewFile } from './view-file.ts';

/** Bytes of what stands in a list; longer ones have a preview, or stand with the run itself. */
const LISTED_BYTES = 1024;

export function givenIn(ruling: Ruling | undefined): Given {
  if (ruling === undefined || ruling.proposal.kind === 'workspace') return {};
  const { create, inputs: { value, ...about } = {} } = ruling.proposal;
  const parameters = create?.parameters ?? value;
  return {
    ...(parameters === undefined ? {} : { parameters }),
    ...(Object.keys(about).length === 0 ? {} : { inputs: about }),
  };
}

/** Where a failure said it; undefined: nowhere, or its definition has it. */
export const saidAt = ({ inputs }: RunRecord): Position | undefined => (inputs.seq === 0 ? undefined : inputs);

/** The rows of a list, those that did not complete with what they were given; `rows` are made of `found`. */
export async function withGiven(
  view: ViewFile,
  bodies: Bodies,
  { found, rows }: { readonly found: readonly Row[]; readonly rows: readonly RunRow[] },
): Promise<(RunRow & Given)[]> {
  const places = found.map((row, index) => placeOf(recordOf(row), rows[index]));
  const asked = places.filter((place) => place !== undefined);
  const lines = await bodies.lines(view, asked);
  const givens = new Map(asked.map((place, index) => [place, lines[index] ?? '']));
  return rows.map((row, index) => {
    const place = places[index];
    return place === undefined
      ? row
      : { ...row, ...listed(row, givenIn(JSON.parse(givens.get(place) ?? '') as Ruling)) };
  });
}

const BAD: ReadonlySet<string> = new Set(['FAILED', 'CRASHED', 'CANCELLED']);

/** Of one that goes on after a failure, the failure has said it. */
function placeOf(record: RunRecord, row: RunRow | undefined): Position | undefined {
  if (record.type === 'COMPLETED' || row === undefined) return undefined;
  const said = saidAt(record);
  return said ?? (BAD.has(record.type) && record.created.seq > 0 ? record.created : undefined);
}

function listed({ run, kind }: RunRow, { parameters, inputs }: Given): Given {
  if (parameters === undefined || (parameters.inline !== undefined && parameters.size <= LISTED_BYTES)) {
    return { ...(parameters === undefined ? {} : { parameters }), ...(inputs === undefined ? {} : { inputs }) };
  }
  if (inputs?.preview !== undefined) return { inputs };
  const what = kind === 'task' ? 'inputs' : 'parameters';
  return { inputs: { note: `The ${what} have ${String(parameters.size)} bytes: assent runs inspect ${run}` } };
}
