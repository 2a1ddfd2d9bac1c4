/** The segment with which an arbiter begins to write: what it says of itself, and of what was before. */
import type { Digest, EpochMs } from '../../protocol/ids.ts';
import type { PolicySet } from '../../protocol/proposals.ts';
import type { EpochEntry, Position } from '../../protocol/rulings.ts';
import { encodeEntry, encodeSegment, type SegmentHeader } from '../../protocol/segment.ts';
import { AssentError } from '../../protocol/errors.ts';
import type { AppendOutcome } from '../log/port.ts';
import type { Workspace } from '../fold/workspace.ts';

export type Begin = {
  readonly epoch: number;
  readonly writer: string;
  readonly atMs: EpochMs;
  readonly policy: Digest;
  readonly set: PolicySet | undefined;
  readonly endedAt: Position | undefined;
  readonly rewound: EpochEntry['rewound'] | undefined;
};

export type Begun = {
  readonly entry: EpochEntry;
  readonly line: string;
  readonly header: Omit<SegmentHeader, 'v' | 'count' | 'lines'>;
  readonly bytes: Uint8Array;
  readonly hash: Digest;
};

export function epochOf(meta: Workspace['meta'], begin: Begin): Begun {
  const { epoch, writer, atMs, policy, set, endedAt, rewound } = begin;
  const entry: EpochEntry = {
    type: 'EPOCH',
    epoch,
    atMs,
    policy,
    ...(set === undefined ? {} : { set }),
    ...(endedAt === undefined ? {} : { endedAt }),
    ...(rewound === undefined ? {} : { rewound }),
  };
  const header = {
    epoch,
    writer,
    number: 0,
    parent: meta.head,
    position: meta.position,
    effects: meta.effects,
  };
  const line = encodeEntry(entry);
  return { entry, line, header, ...encodeSegment(header, [line]) };
}

/** Why an epoch could not begin. */
export const notTaken = ({ detail, refused }: Extract<AppendOutcome, { type: 'UNKNOWN' }>): AssentError =>
  refused === true
    ? new AssentError('STREAM_REFUSED', `The server refuses to store more of the ledger: ${detail}.`)
    : new AssentError('LEDGER_UNREACHABLE', `The server does not say whether it stored a segment: ${detail}.`);
