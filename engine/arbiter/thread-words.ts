/** What the arbiter's thread is given, and what it and its keeper say to each other. */
import type { ErrorKind } from '../../protocol/errors.ts';
import type { Digest } from '../../protocol/ids.ts';
import type { PolicySet } from '../../protocol/proposals.ts';
import type { Position } from '../../protocol/rulings.ts';
import type { Address } from '../connect.ts';
import type { ArbiterRole } from './arbiter.ts';
import type { Counters } from './counters.ts';
import type { ArbiterSettings } from './parts.ts';
import type { Endless } from './unjudged.ts';

/** A policy to be put in force. `source` is absent for the engine's own. */
export type GivenPolicy = { readonly event: PolicySet; readonly by: string; readonly source?: string };

export type ThreadData = {
  readonly address: Address;
  readonly workspace: string;
  readonly durability: 'power' | 'process';
  readonly dataDir: string;
  /** Where clients of this machine say which process has which session. */
  readonly processesDir: string;
  readonly settings: ArbiterSettings;
  /** The source of the engine's own policy; its digest is what the ledger calls it. */
  readonly core: string;
  readonly policy?: GivenPolicy;
  /** A spare one: it waits, connected, until it is told to take the place of the one before. */
  readonly isSpare: boolean;
  readonly endedAt?: Position;
  /** The rule that the thread before this one was ended for, and what it was asked about. */
  readonly endless?: Endless;
  /** Rules that had to be ended too often, by mutedKey: not asked until then, in wall-clock milliseconds. */
  readonly muted: Readonly<Record<string, number>>;
  /** The thread before this one was active. */
  readonly isHeir: boolean;
  /** engine/arbiter/judgment-mark.ts. */
  readonly judging: SharedArrayBuffer;
  /** Report the digest of the folded state after each segment. */
  readonly digests: boolean;
};

export type FromThread =
  | { readonly type: 'ROLE'; readonly role: ArbiterRole; readonly epoch: number }
  | { readonly type: 'SAY'; readonly line: string }
  | { readonly type: 'UNANSWERED' }
  /** It cannot become active until somebody does something about it. */
  | { readonly type: 'STUCK'; readonly kind: ErrorKind; readonly detail: string }
  /** The policy that judges from now on, and its rules by number. */
  | { readonly type: 'POLICY'; readonly policy: Digest; readonly rules: readonly NumberedRule[] }
  | { readonly type: 'DIGEST'; readonly seq: number; readonly digest: string }
  | { readonly type: 'COUNTERS'; readonly counters: Counters };

/** A rule of one policy: what has its name in another is another rule. */
export const mutedKey = (policy: string, rule: string): string => `${policy} ${rule}`;

/** `isEnforced`: false for one that is only asked beside the others. */
export type NumberedRule = { readonly name: string; readonly isEnforced: boolean };

/** What a spare thread is told when it is needed. */
export type Call = Pick<ThreadData, 'policy' | 'endedAt' | 'endless' | 'muted' | 'isHeir'>;

export type ToThread =
  | { readonly type: 'GO'; readonly call: Call }
  | { readonly type: 'STOP' }
  | { readonly type: 'COUNT' }
  | { readonly type: 'POLICY'; readonly policy: GivenPolicy };
