/**
 * Reads a ledger from outside, as it is stored, and says what is wrong with it. Written from ARCHITECTURE and
 * docs/protocol.md: besides the chain and the fold, nothing of the arbiter is used here.
 */
import type { NatsConnection } from '@nats-io/transport-node';
import { chainOver } from '../../engine/fold/chain.ts';
import { evolveSegment } from '../../engine/fold/evolve.ts';
import { Workspace } from '../../engine/fold/workspace.ts';
import { jetstreamLog } from '../../engine/log/jetstream.ts';
import type { Log } from '../../engine/log/port.ts';
import type { Stored } from '../../engine/replay/replay.ts';
import { rootOf, sessionOf } from '../../protocol/proposals.ts';
import type { Entry, Ruling } from '../../protocol/rulings.ts';
import { stateAfter } from '../../protocol/rulings.ts';
import { decodeEntry, sha256 } from '../../protocol/segment.ts';
import { isTerminal } from '../../protocol/states.ts';
import { streams, subjects } from '../../protocol/subjects.ts';
import { replayProblemsIn } from '../support/replayed.ts';

export type Ruled = { readonly ruling: Ruling; readonly seq: number; readonly index: number; readonly line: string };

export type LedgerRead = {
  /** The fold in memory over all that counts. */
  readonly workspace: Workspace;
  readonly rulings: readonly Ruled[];
  readonly entries: readonly Entry[];
  /** Sequences of segments that do not count. */
  readonly voids: readonly number[];
  /** The entries of each segment that counts. */
  readonly stored: readonly Stored[];
};

export const ledgerOf = (connection: NatsConnection, workspace = 'default'): Log =>
  jetstreamLog(connection, { stream: streams.ledger(workspace), subject: subjects.ledger(workspace) });

/** To its end, or to the segment `lastSeq`. Throws LEDGER_BROKEN. */
export async function readLedger(ledger: Log, lastSeq = Infinity): Promise<LedgerRead> {
  const workspace = new Workspace();
  const chain = chainOver(ledger, { seq: 0, hash: '' });
  const rulings: Ruled[] = [];
  const entries: Entry[] = [];
  const voids: number[] = [];
  const stored: Stored[] = [];
  for await (const message of ledger.read(1)) {
    const { seq } = message;
    if (seq > lastSeq) break;
    const link = await chain.take(message);
    if (link.type === 'VOID') {
      voids.push(seq);
      continue;
    }
    evolveSegment(workspace, link.segment, seq);
    stored.push(link.segment.lines.map((line, index) => ({ line, at: { seq, index } })));
    link.segment.lines.forEach((line, index) => {
      const entry = decodeEntry(line);
      entries.push(entry);
      if (entry.type === 'RULING') rulings.push({ ruling: entry, seq, index, line });
    });
  }
  return { workspace, rulings, entries, voids, stored };
}

/** Every ruling comes out again when the ledger is replayed. */
export const unreproduced = ({ stored }: LedgerRead): Promise<string[]> => replayProblemsIn(stored);

/** Every proposal has at most one final ruling; a held one is ruled on again, and says what held it. */
export function ruledTwice(rulings: readonly Ruled[]): string[] {
  const problems: string[] = [];
  const held = new Map<string, Ruled>();
  const final = new Map<string, Ruled>();
  for (const one of rulings) {
    // Of whoever asks in the name of another's session, everything is refused.
    const id = `${one.ruling.proposal.by} ${one.ruling.proposal.id}`;
    // What has no asker who repeats it has no identity either: unreadable bytes, and the refused words of the engine.
    if (sessionOf(one.ruling.proposal.id) === undefined && one.ruling.outcome === 'rejected') continue;
    const before = final.get(id);
    if (before !== undefined) problems.push(`${id} was ruled on at ${placeOf(before)} and again at ${placeOf(one)}`);
    const parked = held.get(id);
    if (parked !== undefined && one.ruling.heldAt === undefined) {
      problems.push(`${id} was held at ${placeOf(parked)} and ruled on at ${placeOf(one)} as if it were new`);
    }
    if (one.ruling.outcome === 'held') held.set(id, one);
    else final.set(id, one);
  }
  return problems;
}

export const placeOf = ({ seq, index }: { seq: number; index: number }): string => `${String(seq)}.${String(index)}`;

/** Each ruling of a run names the line of the ruling before; its version grows by one with each move. */
export function brokenRuns(rulings: readonly Ruled[]): string[] {
  const problems: string[] = [];
  const last = new Map<string, Ruled>();
  for (const one of rulings) {
    const { proposal, prev, version } = one.ruling;
    if (proposal.kind === 'workspace') continue;
    const before = last.get(proposal.run);
    if (before === undefined && stateAfter(one.ruling) === undefined) continue;
    if (prev !== (before === undefined ? undefined : sha256(before.line))) {
      problems.push(`the ruling at ${placeOf(one)} does not name the one before of its run`);
    }
    const moved = stateAfter(one.ruling) === undefined ? 0 : 1;
    if (version !== (before?.ruling.version ?? 0) + moved) problems.push(`the version at ${placeOf(one)} is wrong`);
    last.set(proposal.run, one);
  }
  return problems;
}

/** A call that has completed never runs again, and each attempt is granted to the execution that is current. */
export function repeatedCalls(rulings: readonly Ruled[]): string[] {
  const problems: string[] = [];
  const completed = new Set<string>();
  const executions = new Map<string, number>();
  for (const one of rulings) {
    const { proposal, execution } = one.ruling;
    if (proposal.kind === 'workspace') continue;
    const state = stateAfter(one.ruling);
    const root = rootOf(proposal.run);
    if (execution !== undefined) executions.set(root, execution);
    if (state === undefined) continue;
    if (completed.has(proposal.run) && state.type !== 'COMPLETED') {
      problems.push(`${proposal.run} had completed and became ${state.type} at ${placeOf(one)}`);
    }
    if (state.type === 'COMPLETED') completed.add(proposal.run);
    if (proposal.execution !== undefined && proposal.execution !== executions.get(root)) {
      problems.push(`${placeOf(one)} was granted to execution ${String(proposal.execution)}, which is not current`);
    }
  }
  return problems;
}

/** What is left in a workspace in which every run should have ended. */
export function leftovers({ workspace }: LedgerRead): string[] {
  const problems: string[] = [];
  for (const [id, run] of workspace.runs.entries()) {
    if (!isTerminal(run.state)) problems.push(`run ${id} is ${run.state.name}`);
    if (run.slots.length > 0) problems.push(`run ${id} holds slots`);
  }
  for (const [name, limit] of workspace.limits.entries()) {
    if (limit.used !== 0) problems.push(`${String(limit.used)} slots of ${name} are in use`);
  }
  for (const table of [workspace.held, workspace.queues, workspace.timers, workspace.cascades, workspace.identities]) {
    for (const [key] of table.entries()) problems.push(`${table.name} still has ${key}`);
  }
  for (const pairs of [workspace.open, workspace.heldUnder, workspace.executing]) {
    for (const [pair] of pairs.entries()) problems.push(`${pairs.name} still has ${pair}`);
  }
  return problems;
}
