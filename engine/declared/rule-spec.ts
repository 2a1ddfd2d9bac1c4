/**
 * A declared rule once its file was read and checked: plain data, ready to be compiled. What is left out in the file is
 * filled in here, so that no default is hidden in the code that judges.
 */
import type { StateType } from '../../protocol/states.ts';
import type { FromType, RunKind } from '../../rules/rule.ts';

/** States that a rule may rewrite to: a later start, or an end. */
export const REWRITE_TYPES = ['SCHEDULED', 'CANCELLING', 'CANCELLED', 'FAILED', 'COMPLETED'] as const;
export type RewriteType = (typeof REWRITE_TYPES)[number];

export type Action =
  /** Waits, and is judged again: for a span, or until a time of the week. */
  | { readonly type: 'HOLD'; readonly forMs: number }
  | { readonly type: 'HOLD'; readonly until: string }
  | { readonly type: 'REJECT'; readonly code: string }
  | {
      readonly type: 'REWRITE';
      readonly to: RewriteType;
      readonly name: string;
      readonly message?: string;
      /** Of SCHEDULED: when. */
      readonly inMs?: number;
      readonly at?: string;
    }
  /** A failure becomes final once so many retries were granted. */
  | { readonly type: 'CAP_RETRIES'; readonly retriesMax: number }
  /** Whoever wishes it says why. */
  | { readonly type: 'REQUIRE_REASON' };

export type Place = { readonly before: string } | { readonly after: string };

export type RuleSpec = {
  readonly name: string;
  readonly summary: string;
  readonly on: readonly RunKind[];
  readonly from: readonly FromType[];
  readonly to: readonly StateType[];
  /** In CEL; absent: always. */
  readonly when?: string;
  /** In the trail, where it does more than pass. */
  readonly why: string;
  readonly action: Action;
  readonly shadow: boolean;
  readonly place: Place;
};

/** What makes sense for an action unless the file says more. */
const BEGINS_FROM: readonly FromType[] = ['NONE', 'SCHEDULED', 'PENDING'];

/**
 * Where each action governs when the file does not say: only a run's beginning is held or refused, because a refused
 * report of what has happened would leave a run in a state that it has left.
 */
export const USUAL: Readonly<
  Record<Action['type'], { readonly from?: readonly FromType[]; readonly to?: readonly StateType[] }>
> = {
  HOLD: { from: BEGINS_FROM, to: ['RUNNING'] },
  REJECT: { from: BEGINS_FROM, to: ['SCHEDULED', 'PENDING', 'RUNNING'] },
  REWRITE: {},
  CAP_RETRIES: { from: ['RUNNING'], to: ['FAILED'] },
  REQUIRE_REASON: { to: ['CANCELLING', 'CANCELLED'] },
};

/** The states that can wait for something: what has happened already cannot. */
export const HOLDABLE: readonly StateType[] = ['SCHEDULED', 'PENDING', 'RUNNING'];

/** Behind what tells a transition that cannot be from one that may not be, and before every wait. */
export const USUAL_PLACE: Place = { after: 'follow-lifecycle' };
