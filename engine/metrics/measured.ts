/** What an engine measures at one moment. What did not answer in time is absent, and so are its metrics. */
import type { Counters } from '../arbiter/counters.ts';
import type { ProjectorMetrics } from '../projections/thread.ts';

export type Measured = {
  readonly workspace: string;
  readonly version: string;
  readonly isActive: boolean;
  readonly epoch: number;
  /** The arbiter's, since its thread began. */
  readonly counters?: Counters;
  /** The view's, since the ledger began. */
  readonly projector?: ProjectorMetrics;
};
