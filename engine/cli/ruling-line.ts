/** One ruling on one line, for the table of events and for the live tail. */
import type { RunId } from '../../protocol/ids.ts';
import { ENGINE } from '../../protocol/proposals.ts';
import { decidingEntry, stateAfter, type Ruling } from '../../protocol/rulings.ts';
import { shortId } from './run-text.ts';
import { cut, formatOfOutcome, ink, oneLine, rowOf, type Ink } from './style.ts';
import { sinceOf, withSpans } from './times.ts';

export type Known = {
  /** When the run began. */
  readonly beganMs: number;
  /** The flow run whose events these are. */
  readonly root: RunId;
  /** The name of the flow or task. */
  readonly name: string;
  /** The name of the state before. */
  readonly from?: string;
};

/** Columns for time, run, asker, transition, outcome; the rest is as long as it is. */
const WIDTHS = [9, 27, 8, 24, 9];
const NAME_COLUMNS = 18;
const ASKER_COLUMNS = 24;

export const RULING_HEAD = rowOf(['TIME', 'RUN', 'ASKED BY', 'FROM → TO', 'OUTCOME', 'WHY'], WIDTHS);

export function rulingLine(ruling: Ruling, known: Known, paint: Ink = ink): string {
  const { proposal, outcome, trail, atMs } = ruling;
  const mark = outcome === 'rejected' || outcome === 'held' ? outcome.toUpperCase() : outcome;
  return rowOf(
    [
      paint('dim', sinceOf(atMs, known.beganMs)),
      runOf(ruling, known, paint),
      cut(oneLine(askerOf(proposal)), ASKER_COLUMNS),
      transitionOf(ruling, known.from),
      paint(formatOfOutcome(outcome), mark),
      whyOf(outcome === 'accepted' ? undefined : decidingEntry(trail), proposal),
    ],
    WIDTHS,
  );
}

/** The program, and the person that it names. */
function askerOf({ by, onBehalfOf }: Ruling['proposal']): string {
  if (by === ENGINE) return onBehalfOf ?? ENGINE;
  return by === 'cli' && onBehalfOf !== undefined ? `${onBehalfOf} (cli)` : by;
}

function runOf({ proposal }: Ruling, { root, name }: Known, paint: Ink): string {
  const shown = cut(oneLine(name), NAME_COLUMNS);
  if (proposal.kind === 'workspace' || proposal.run === root) return shown;
  // The digits that tell calls of one name apart stand at the end.
  return `${shown} ${paint('dim', shortId(proposal.run).slice(-8))}`;
}

function transitionOf(ruling: Ruling, from = '–'): string {
  const { proposal } = ruling;
  if (proposal.kind === 'workspace') return proposal.event.type;
  const state = stateAfter(ruling);
  return `${from} → ${oneLine((state ?? proposal.to).name)}`;
}

function whyOf(deciding: ReturnType<typeof decidingEntry>, proposal: Ruling['proposal']): string {
  const message = proposal.kind === 'workspace' ? undefined : proposal.to.message;
  const reason = proposal.reason ?? message;
  const asked = reason === undefined ? '' : `"${cut(oneLine(reason), 100)}"`;
  if (deciding === undefined) return asked;
  const { rule, code, why } = deciding;
  return `${code === undefined ? '' : `${code}, `}${rule}: ${cut(withSpans(oneLine(why)), 200)}`;
}
