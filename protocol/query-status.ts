/** What a read model says of the engine, its server, the ledger and itself. */
import type { Digest } from './ids.ts';

export type StreamRow = {
  readonly stream: string;
  readonly messages: number;
  readonly bytes: number;
  readonly bytesMax?: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly replicas: number;
  readonly storage: string;
};

export type Status = {
  readonly assent: string;
  readonly node: string;
  readonly natsServer: string;
  readonly workspace: string;
  /** The setting of this engine, and what is known of the server's. */
  readonly durability: {
    readonly setting: 'power' | 'process';
    /** `always`: each message is synced before it is acknowledged. `unknown`: the server is not this engine's own. */
    readonly sync: 'always' | 'interval' | 'unknown';
    /** The stream of proposals is exempt, which saves time and risks nothing. */
    readonly proposalsAsync: boolean;
  };
  readonly streams: readonly StreamRow[];
  /** The arbiter of the engine that answers. */
  readonly arbiter: { readonly role: string; readonly epoch: number };
  /** The active arbiter, as its lease says. */
  readonly lease?: { readonly epoch: number; readonly writer: string; readonly agoMs: number };
  readonly ledger: {
    readonly lastSeq: number;
    readonly head: { readonly seq: number; readonly hash: Digest | '' };
    readonly rulings: number;
    readonly segments: number;
    readonly voidSegments: number;
    readonly epochs: number;
    readonly policy: Digest | '';
    readonly timeMs: number;
    /** How far the wall clock of the engine is ahead of the ledger's, where that can be told. */
    readonly clockOffsetMs?: number;
  };
  readonly view: {
    readonly file: string;
    readonly bytes: number;
    /** Segments that are stored and not in the view yet. */
    readonly behind: number;
    /** Since this engine began: rulings that the view took in, and the time that it took. */
    readonly foldedRulings: number;
    readonly busyMs: number;
  };
};
