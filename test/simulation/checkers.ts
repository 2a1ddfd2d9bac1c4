/**
 * What must hold whatever happened: written from the architecture (sections 2, 4 and 12). Each checker returns sentences
 * about what is wrong.
 */
import { chainOver } from '../../engine/fold/chain.ts';
import { evolveSegment } from '../../engine/fold/evolve.ts';
import { stateDigest, Workspace } from '../../engine/fold/workspace.ts';
import type { Digest, RunId } from '../../protocol/ids.ts';
import { rootOf, sessionOf } from '../../protocol/proposals.ts';
import { stateAfter, type Entry, type Position, type Ruling } from '../../protocol/rulings.ts';
import { decodeEntry } from '../../protocol/segment.ts';
import { isTerminal } from '../../protocol/states.ts';
import type { Facts } from '../../rules/rule.ts';
import { wrongsOf } from '../support/worlds-invariants.ts';
import type { World } from './world.ts';

/** The counted ledger as a verifier reads it. */
export type History = {
  readonly entries: readonly { readonly entry: Entry; readonly at: Position; readonly writer: string }[];
  readonly rulings: readonly { readonly ruling: Ruling; readonly at: Position }[];
  readonly heads: ReadonlyMap<number, { readonly hash: Digest; readonly digest: Digest }>;
  readonly final: Workspace;
  readonly voidSegments: number;
};

export async function historyOf(world: World): Promise<History> {
  const final = new Workspace();
  const chain = chainOver(world.ledger, final.meta.head);
  const entries: { entry: Entry; at: Position; writer: string }[] = [];
  const heads = new Map<number, { hash: Digest; digest: Digest }>();
  const wanted = new Set(world.digests.map(({ seq }) => seq));
  let voidSegments = 0;
  for await (const message of world.ledger.read(1)) {
    const { type, segment } = await chain.take(message);
    if (type === 'VOID') {
      voidSegments += 1;
      continue;
    }
    segment.lines.forEach((line, index) => {
      entries.push({ entry: decodeEntry(line), at: { seq: message.seq, index }, writer: segment.header.writer });
    });
    evolveSegment(final, segment, message.seq);
    if (wanted.has(message.seq)) heads.set(message.seq, { hash: segment.hash, digest: stateDigest(final) });
  }
  const rulings = entries.flatMap(({ entry, at }) => (entry.type === 'RULING' ? [{ ruling: entry, at }] : []));
  return { entries, rulings, heads, final, voidSegments };
}

export function wrongsIn(world: World, history: History): string[] {
  return [
    ...lost(world, history),
    ...ruledTwice(history),
    ...unfenced(history),
    ...ranAgain(history),
    ...unlicensed(world, history),
    ...crowded(history),
    ...early(history),
    ...disagreeing(world, history),
    ...wrongsOf(history.final),
    ...unended(world, history),
  ];
}

/** How long after a rewind an arbiter may not know of it. */
const UNAWARE_MS = 8000;

/** Nothing that was answered is missing from the counted ledger, unless the ledger itself lost it. */
function* lost({ heard, rewinds }: World, { rulings }: History): Generator<string> {
  const standing = new Map(rulings.map(({ ruling, at }) => [`${String(at.seq)} ${String(at.index)}`, ruling]));
  for (const { session, answer, sentMs } of heard) {
    // An arbiter that was stopped, or had not heard of it yet, answers what it had seen stored before the rewind.
    if (rewinds.some(({ survives, atMs }) => answer.seq > survives && sentMs < atMs + UNAWARE_MS)) continue;
    const ruling = standing.get(`${String(answer.seq)} ${String(answer.index)}`);
    const who = `${session}:${String(answer.counter)}`;
    if (ruling === undefined)
      yield `${who} was answered from ${String(answer.seq)}/${String(answer.index)}, where nothing counts`;
    // What was granted to an execution that is fenced by now is told as the fence that it is.
    else if (ruling.proposal.id !== who || (ruling.outcome !== answer.outcome && answer.code !== 'FENCED')) {
      yield `${who} was told ${answer.outcome}, the ledger says ${ruling.outcome} to ${ruling.proposal.id}`;
    }
  }
}

/** Each proposal has at most one final ruling; one of an unknown session is refused as often as it comes. */
function* ruledTwice({ rulings }: History): Generator<string> {
  const final = new Set<string>();
  for (const { ruling, at } of rulings) {
    const { id } = ruling.proposal;
    if (ruling.outcome === 'held' || sessionOf(id) === undefined || codeOf(ruling) === 'SESSION_EXPIRED') continue;
    if (final.has(id)) yield `${id} was ruled on again at ${String(at.seq)}/${String(at.index)}`;
    final.add(id);
  }
}

export function codeOf(ruling: Ruling): string | undefined {
  const last = ruling.trail.at(-1);
  return ruling.outcome === 'rejected' && typeof last === 'object' ? last.code : undefined;
}

/** Once an execution was handed over, nothing is granted to an older one, nor to one that the engine took the run from. */
function* unfenced({ rulings }: History): Generator<string> {
  const current = new Map<RunId, number>();
  for (const { ruling } of rulings) {
    const { proposal } = ruling;
    if (proposal.kind === 'workspace') continue;
    const root = rootOf(proposal.run);
    const known = current.get(root) ?? 0;
    const granted = ruling.outcome !== 'rejected';
    if (granted && proposal.execution !== undefined && proposal.execution < known) {
      yield `${proposal.id} was granted to execution ${String(proposal.execution)}, ${String(known)} is current`;
    }
    if (ruling.execution !== undefined) {
      if (ruling.execution <= known) yield `execution ${String(ruling.execution)} of ${root} was handed over again`;
      current.set(root, ruling.execution);
    } else if (granted && proposal.run === root && proposal.to.type === 'CRASHED') current.set(root, known + 1);
  }
}

/** A run that completed stays so, unless somebody says why not; and its calls with it. */
function* ranAgain({ rulings }: History): Generator<string> {
  const completed = new Set<RunId>();
  for (const { ruling, at } of rulings) {
    const { proposal } = ruling;
    if (proposal.kind === 'workspace') continue;
    const state = stateAfter(ruling);
    if (state === undefined) continue;
    if (completed.has(proposal.run) && state.type !== 'COMPLETED' && proposal.reason === undefined) {
      yield `${proposal.run} has completed and became ${state.type} at ${String(at.seq)}/${String(at.index)}`;
    }
    if (state.type === 'COMPLETED') completed.add(proposal.run);
  }
}

/** Whatever ran did so by a ruling that stands, unless the ledger itself lost it. */
function* unlicensed({ began, rewinds }: World, { rulings }: History): Generator<string> {
  if (rewinds.length > 0) return;
  const granted = new Set<string>();
  for (const { ruling } of rulings) {
    const { proposal } = ruling;
    const state = stateAfter(ruling);
    if (proposal.kind !== 'workspace' && state?.type === 'RUNNING') {
      granted.add(`${proposal.run} ${String(proposal.execution)} ${sessionOf(proposal.id)?.session ?? ''}`);
    }
  }
  for (const { run, execution, session } of began) {
    if (!granted.has(`${run} ${String(execution)} ${session}`))
      yield `${session} ran ${run} in execution ${String(execution)}, which nobody granted`;
  }
}

/** Slots are granted only while there are some. */
function* crowded({ rulings }: History): Generator<string> {
  for (const { ruling } of rulings) {
    const { slots = [] } = ruling.facts as Partial<Facts>;
    for (const claim of ruling.claims ?? []) {
      if (claim.type !== 'SLOTS') continue;
      for (const { limit, by, slots: taken } of claim.slots) {
        const known = slots.find((slot) => slot.limit === limit && slot.by === by);
        const { rate, used = 0, slotsMax = 0 } = known ?? {};
        const inUse = rate === undefined ? used : Math.ceil(Math.max(0, rate.emptyAtMs - ruling.atMs) / rate.everyMs);
        if (inUse + taken > slotsMax) yield `${ruling.proposal.id} was granted a slot of ${limit} too many`;
      }
    }
  }
}

/** No timer rings, and nothing that waits for a time goes on, before it is due; the ledger's time never goes back. */
function* early({ entries, rulings }: History): Generator<string> {
  let lastMs = 0;
  for (const { entry, at } of entries) {
    if (entry.atMs < lastMs) yield `time goes back at ${String(at.seq)}/${String(at.index)}`;
    lastMs = entry.atMs;
  }
  const due = new Map<string, number>();
  const waits = new Map<string, number>();
  for (const { ruling } of rulings) {
    const { id } = ruling.proposal;
    const dueAtMs = due.get(id) ?? 0;
    if (ruling.atMs < dueAtMs) yield `${id} rang ${String(dueAtMs - ruling.atMs)} ms early`;
    const waitsUntilMs = waits.get(id) ?? 0;
    if (ruling.outcome === 'accepted' && ruling.atMs < waitsUntilMs)
      yield `${id} went on ${String(waitsUntilMs - ruling.atMs)} ms early`;
    if (ruling.waits?.type === 'TIME') waits.set(id, ruling.waits.dueAtMs);
    // Its run was moved, and is due at another time, or at none.
    else if (ruling.waits !== undefined) waits.delete(id);
    if (ruling.proposal.kind === 'workspace') continue;
    for (const claim of ruling.claims ?? []) {
      if (claim.type === 'TIMER')
        due.set(`clock/${ruling.proposal.run}/${String(ruling.version)}/${claim.timer}`, claim.dueAtMs);
    }
  }
}

/** Every arbiter's state had, at every head that counts, the digest that the ledger folds to. */
function* disagreeing({ digests }: World, { heads }: History): Generator<string> {
  for (const { seq, hash, digest, by } of digests) {
    const head = heads.get(seq);
    if (head?.hash === hash && head.digest !== digest)
      yield `${by} had another state at ${String(seq)} than the ledger folds to`;
  }
}

/** When there is peace, every run ends, and nothing waits or is held any more. */
function* unended(world: World, { final }: History): Generator<string> {
  for (const [id, run] of final.runs.entries())
    if (!isTerminal(run.state)) yield `${id} has not ended: ${run.state.name}`;
  for (const [id, { waits }] of final.held.entries()) yield `${id} is held for ${waits.type}`;
  for (const [limit, { used }] of final.limits.entries())
    if (used !== 0) yield `${String(used)} slots of ${limit} are never given back`;
  for (const { run } of world.plans) if (final.runs.get(run) === undefined) yield `${run} was never created`;
  for (const { name, arbiter } of world.livingArbiters) {
    if (arbiter.role === 'BROKEN') yield `arbiter ${name} found the ledger broken`;
  }
}
