/**
 * What runs were given: as their definitions say it, or the report of a failure (run-records.ts knows where). It stands in the
 * ledger only (V1).
 */
import { isRunFor } from '../../protocol/background-runs.ts';
import type { CallRow, Given, RunRow } from '../../protocol/query.ts';
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

/** Where it is said: in the report of a failure, else where the run was created, or the one that does its work. */
export function givenPlace(view: ViewFile, record: RunRecord): Position | undefined {
  if (record.inputs.seq > 0) return record.inputs;
  const worker = workerOf(view, record);
  const { created } = worker ?? record;
  return created.seq > 0 ? created : undefined;
}

/** The run in the background that does the work of a call, or did it last. */
function workerOf(view: ViewFile, { id, kind, parent }: RunRecord): RunRecord | undefined {
  if (kind !== 'task' || parent === 0) return undefined;
  const rows = view.all('SELECT * FROM runs WHERE started_by = ? ORDER BY num DESC', id);
  return rows.map(recordOf).find((run) => isRunFor(id, run.id));
}

/** The rows of a list, those that did not complete with what they were given; `rows` are made of `found`. */
export async function withGiven(
  view: ViewFile,
  bodies: Bodies,
  { found, rows }: { readonly found: readonly Row[]; readonly rows: readonly RunRow[] },
): Promise<CallRow[]> {
  const records = found.map(recordOf);
  const workers = records.map((record) => (record.type === 'COMPLETED' ? undefined : workerOf(view, record)));
  const places = records.map((record) => (isTold(record) ? givenPlace(view, record) : undefined));
  const asked = places.filter((place) => place !== undefined);
  const lines = await bodies.lines(view, asked);
  const rulings = new Map(asked.map((place, index) => [place, JSON.parse(lines[index] ?? '') as Ruling]));
  return rows.map((row, index) => {
    const [place, worker] = [places[index], workers[index]];
    return {
      ...row,
      ...(place === undefined ? {} : listed(row, givenIn(rulings.get(place)))),
      ...(worker === undefined ? {} : { doneBy: worker.id }),
    };
  });
}

const BAD: ReadonlySet<string> = new Set(['FAILED', 'CRASHED', 'CANCELLED']);

/** Of one that goes on after a failure, the failure has said it. */
const isTold = ({ type, inputs }: RunRecord): boolean => BAD.has(type) || (type !== 'COMPLETED' && inputs.seq > 0);

function listed({ run, kind }: RunRow, { parameters, inputs }: Given): Given {
  if (parameters === undefined || (parameters.inline !== undefined && parameters.size <= LISTED_BYTES)) {
    return { ...(parameters === undefined ? {} : { parameters }), ...(inputs === undefined ? {} : { inputs }) };
  }
  if (inputs?.preview !== undefined) return { inputs };
  const what = kind === 'task' ? 'inputs' : 'parameters';
  return { inputs: { note: `The ${what} have ${String(parameters.size)} bytes: assent runs inspect ${run}` } };
}
