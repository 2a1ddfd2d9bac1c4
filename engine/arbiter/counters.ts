/** What an arbiter has done since it began: for tests that must prove what they met, and for people. */
import type { Outcome, Ruling } from '../../protocol/rulings.ts';
import { JudgmentTimes } from './judgment-times.ts';

export class Counters {
  readonly outcomes: Record<Outcome, number> = { accepted: 0, rewritten: 0, rejected: 0, held: 0 };
  readonly codes: Record<string, number> = {};
  answeredFromRecord = 0;
  takeovers = 0;
  /** Appends of which it was not known whether they were stored. */
  unknownFates = 0;
  /** Of these, the ones that were found stored. */
  unknownFatesStored = 0;
  voidSegments = 0;
  rewinds = 0;
  /** For each incarnation that ended: segments in flight at its end. */
  readonly abandoned: number[] = [];
  /** The newest segment that is known to be settled. */
  settledSeq = 0;
  readonly times = new JudgmentTimes();

  count(ruling: Ruling): void {
    this.outcomes[ruling.outcome] += 1;
    if (ruling.outcome !== 'rejected') return;
    const last = ruling.trail.at(-1);
    const code = typeof last === 'object' ? (last.code ?? 'UNKNOWN') : 'UNKNOWN';
    this.codes[code] = (this.codes[code] ?? 0) + 1;
  }
}
