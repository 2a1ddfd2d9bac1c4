/**
 * Where bytes become proposals. What cannot be read becomes a proposal too (`UNREADABLE`), so that its refusal stands
 * on the ledger with its bytes, and a known asker is answered.
 */
import type { ProposalId } from '../../protocol/ids.ts';
import type { ProposalDraft } from '../../protocol/messages.ts';
import { ENGINE, proposalId, type Proposal } from '../../protocol/proposals.ts';
import { askerOf } from '../../protocol/subjects.ts';
import { parseBatch, type Parsed, type ParsedBatch } from '../../protocol/wire.ts';
import type { StoredMessage } from '../log/port.ts';

/** Bytes of an unreadable message that the ledger keeps. */
const BYTES_KEPT = 2048;

export type BatchRead = {
  readonly seq: number;
  /** The id of the batch's first proposal: what stands at this sequence, should the stream lose its tail. */
  readonly id: string;
  readonly proposals: readonly Proposal[];
};

/** A colon or a slash would make its proposals look like another session's, or like the engine's own. */
const SESSION = /^[A-Za-z0-9_-]{1,64}$/;

export function readBatch(message: StoredMessage): BatchRead {
  const { user, session } = askerOf(message.subject);
  const parsed = parseFrom(user, session, message.bytes);
  const unreadable = (id: ProposalId, problem: string): Proposal => ({
    kind: 'workspace',
    id,
    by: user,
    event: { type: 'UNREADABLE', problem: problem.slice(0, 500), bytes: kept(message.bytes) },
  });
  const nameless = `door/${String(message.seq)}` as ProposalId;
  const proposals = parsed.ok
    ? parsed.value.proposals.map((one) => {
        if (one.ok) return withAsker(one.value, user, session);
        const id = one.counter === undefined ? nameless : proposalId(session, one.counter);
        return unreadable(id, one.problem);
      })
    : [unreadable(nameless, parsed.problem)];
  return { seq: message.seq, id: proposals[0]?.id ?? nameless, proposals };
}

/** On a server without permissions anybody may name any user; the engine's own name is nobody else's. */
function parseFrom(user: string, session: string, bytes: Uint8Array): Parsed<ParsedBatch> {
  if (user === ENGINE) return { ok: false, problem: `no client may ask as '${ENGINE}'` };
  return SESSION.test(session) ? parseBatch(bytes) : { ok: false, problem: 'the subject names no session' };
}

function withAsker(draft: ProposalDraft, user: string, session: string): Proposal {
  const { counter, ...rest } = draft;
  return { id: proposalId(session, counter), by: user, ...rest };
}

const kept = (bytes: Uint8Array): string => Buffer.from(bytes.subarray(0, BYTES_KEPT)).toString('base64');
