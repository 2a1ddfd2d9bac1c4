/** Shadow rules: what is asked of a read model about them, and when one would have changed what came out. */
import type { RulingRow } from './query.ts';
import type { Outcome, Position, RejectCode, TrailEntry } from './rulings.ts';

/** What a shadow rule said since the beginning of the hour that was asked for. */
export type ShadowRow = {
  readonly rule: string;
  readonly asked: number;
  readonly passed: number;
  readonly rewrote: number;
  readonly rejected: number;
  readonly held: number;
  readonly errors: number;
  /** How often something else would have come out, had it been in force. */
  readonly flips: number;
};

/** A ruling that would have come out otherwise, and why. */
export type FlipRow = {
  readonly shadow: string;
  readonly opinion: Exclude<TrailEntry, string>['opinion'];
  readonly why: string;
  readonly code?: RejectCode;
  readonly ruling: RulingRow;
};

/** Of two shadow rules at one ruling, each has its own place. */
export type FlipPosition = Position & { readonly rule: string };

/** What would have come out, had the rule been in force. */
const WOULD_BE: Readonly<Record<Exclude<TrailEntry, string>['opinion'], Outcome | undefined>> = {
  pass: undefined,
  rewrite: 'rewritten',
  reject: 'rejected',
  hold: 'held',
  error: 'rejected',
};

/**
 * Whether a ruling would have come out otherwise with the shadow rule in force. What was refused anyway, no rule would
 * have changed; a hold of what was held would have been another wait at most; a rewrite to what came out is recorded as
 * a pass.
 */
export function wouldFlip(entry: TrailEntry, outcome: Outcome): boolean {
  const wouldBe = typeof entry === 'string' ? undefined : WOULD_BE[entry.opinion];
  if (wouldBe === undefined || outcome === 'rejected') return false;
  return wouldBe === 'rewritten' || wouldBe !== outcome;
}
