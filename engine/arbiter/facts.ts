/**
 * Gathers the facts that rules need: the one place where a rule's knowledge comes from. Everything here is read from the
 * folded workspace, so the same proposal at the same point of the ledger meets the same facts; time and chance are given.
 */
import type { EpochMs, ProposalId, RunId } from '../../protocol/ids.ts';
import {
  CACHE_KEY_LIMIT,
  mailboxFor,
  parentId,
  rootOf,
  type Receives,
  type RetryPolicy,
  type RunDefinition,
  type SlotWish,
  type TransitionProposal,
} from '../../protocol/proposals.ts';
import { isTerminal } from '../../protocol/states.ts';
import type { Facts, Need, SlotFact } from '../../rules/rule.ts';
import { firstOwed } from '../fold/calls.ts';
import { aheadOf } from '../fold/evolve-held.ts';
import { firstMessage } from '../fold/mailboxes.ts';
import { limitsFor, waitsFor } from '../../rules/slots.ts';
import { limitKey, type Run, type Workspace } from '../fold/workspace.ts';
import { slotsOf } from './run-slots.ts';
import { circleOf } from './wait-circles.ts';

export type Circumstances = {
  readonly nowMs: EpochMs;
  /** Drawn at most once for a ruling. */
  readonly chance: () => number;
  readonly graceMs: number;
};

type Asked = {
  readonly workspace: Workspace;
  readonly proposal: TransitionProposal;
  readonly run: Run | undefined;
  readonly circumstances: Circumstances;
};

type Fact<N extends Need> = Facts[N];
type Gatherers = { readonly [N in Need]: (asked: Asked) => Fact<N> | undefined };

const NO_RETRY: RetryPolicy = { retriesMax: 0, delaysMs: [], jitter: 0 };

/** What a run is was recorded when it was created; what a later proposal says of that is not heard. */
const gatherers: Gatherers = {
  execution: ({ workspace, proposal, run }) => {
    const current = rootRun(workspace, proposal, run)?.execution ?? 0;
    return proposal.execution === undefined ? { current } : { current, asked: proposal.execution };
  },
  version: ({ proposal, run }) => {
    const current = run?.version ?? 0;
    return proposal.basedOn === undefined ? { current } : { current, basedOn: proposal.basedOn };
  },
  flow: ({ workspace, proposal, run }) => {
    const parent = parentOf(workspace, proposal, run);
    if (parent === undefined) return undefined;
    // A cancel or a pause of the flow run at the top is meant for all under it, before they have noticed it themselves.
    const top = workspace.runs.get(rootOf(parent.id)) ?? parent;
    const isStopped = top.state.type === 'CANCELLING' || top.state.type === 'PAUSED';
    const { type } = parent.state.type === 'RUNNING' && isStopped ? top.state : parent.state;
    return { type, round: parent.round };
  },
  ran: ({ run }) => run?.ran,
  cleanup: ({ proposal, run }) => (run ?? proposal.create)?.cleanup,
  call: (asked) => callFact(asked),
  message: ({ workspace, proposal, run }) => {
    const receives = receivesOf(proposal, run);
    if (receives === undefined) return undefined;
    const mailbox = mailboxFor(proposal.run, receives);
    const first = firstMessage(workspace, mailbox);
    return {
      mailbox,
      ...(receives.type === 'EVENT' ? { topic: receives.topic } : {}),
      ...(receives.untilMs === undefined ? {} : { untilMs: receives.untilMs }),
      ...(first === undefined
        ? {}
        : { first: { id: first.id, ...(first.value === undefined ? {} : { value: first.value }) } }),
    };
  },
  attempt: ({ run }) => run?.attempt ?? 0,
  retry: ({ proposal, run }) => ({
    used: run?.retriesUsed ?? 0,
    ...((run ?? proposal.create)?.retry ?? NO_RETRY),
  }),
  run: ({ proposal, run }) => {
    const { name = '', tags = [], deployment } = run ?? proposal.create ?? {};
    return { name, tags, ...(deployment === undefined ? {} : { deployment }) };
  },
  inHands: ({ workspace, proposal, run }) => {
    const root = rootRun(workspace, proposal, run);
    return root?.session !== undefined && !isTerminal(root.state);
  },
  pauses: ({ run }) => run?.pauses ?? [],
  cache: ({ workspace, proposal, run }) => {
    const cache = (run ?? proposal.create)?.cache;
    const found = cache === undefined ? undefined : workspace.cache.get(cache.key);
    if (cache === undefined || found === undefined) return cache;
    const { atMs: _, ...entry } = found;
    return { ...cache, entry };
  },
  resume: ({ proposal, run }) => ({
    byWorker: (run ?? proposal.create)?.work !== undefined,
    used: run?.resumes ?? 0,
  }),
  chance: ({ circumstances }) => circumstances.chance(),
  slots: (asked) => slotFacts(asked),
  timeoutMs: ({ proposal, run }) => (run ?? proposal.create)?.timeoutMs,
  graceMs: ({ circumstances }) => circumstances.graceMs,
};

/** The facts of `needs` and the time; a fact that does not exist (no enclosing flow run, no time-out) is absent. */
export function gather(asked: Asked, needs: readonly Need[], known: Record<string, unknown>): Facts {
  for (const need of needs) {
    if (need in known) continue;
    const fact = gatherers[need](asked);
    if (fact !== undefined) known[need] = fact;
  }
  return { ...known, nowMs: asked.circumstances.nowMs } as Facts;
}

/** What is called again after it failed, or is to be done again, waits anew: for as long as it now says. */
function receivesOf({ create }: TransitionProposal, run: Run | undefined): Receives | undefined {
  const known = (run ?? create)?.receives;
  const isAnew = run?.state.type === 'FAILED' || run?.ran?.redo === true;
  return isAnew && known !== undefined ? (create?.receives ?? known) : known;
}

function parentOf(workspace: Workspace, proposal: TransitionProposal, run: Run | undefined): Run | undefined {
  const parent = (run ?? proposal.create)?.parent;
  return parent === undefined ? undefined : workspace.runs.get(parent);
}

/**
 * A key of the caller's own differs from the task's name. What undoes something is called for by how an execution ends, so
 * it is never called in place of something else.
 */
function callFact({ workspace, proposal, run }: Asked): Fact<'call'> {
  const { call, parent, cleanup } = proposal.create ?? {};
  if (call === undefined || parent === undefined) return undefined;
  const { key, inputs } = call;
  const asked = { key, ...(inputs === undefined ? {} : { inputs }) };
  if (run !== undefined) {
    if (run.call === undefined || key === run.name || run.ran?.redo === true) return undefined;
    const { inputs: before } = run.call;
    return { ...asked, recorded: before === undefined ? {} : { inputs: before } };
  }
  const isCurrent = proposal.execution === workspace.runs.get(rootOf(proposal.run))?.execution;
  const expected =
    isCurrent && cleanup !== true ? firstOwed(workspace, parent, { ...call, instead: proposal.run }) : undefined;
  if (expected === undefined) return undefined;
  return { ...asked, expected: { run: expected.id, key: expected.call?.key ?? expected.name } };
}

/** The run at the top, whose process it is. */
const rootRun = (workspace: Workspace, { run: id }: TransitionProposal, run: Run | undefined): Run | undefined =>
  run !== undefined && run.parent === undefined ? run : workspace.runs.get(rootOf(id));

const NO_SLOTS: readonly SlotFact[] = [];

/** What a deployment's limit is called. */
export const deploymentLimit = (deployment: string): string => `deployment:${deployment}`;
/** What a tag's limit is called. */
export const tagLimit = (tag: string): string => `tag:${tag}`;

/** One fact for each limit: a limit that is named twice is one wish for all its slots. */
function slotFacts(asked: Asked): readonly SlotFact[] {
  const definition = asked.run ?? asked.proposal.create;
  if (definition === undefined) return NO_SLOTS;
  const { limits, tags, deployment, cache } = definition;
  if (limits === undefined && tags === undefined && deployment === undefined && cache?.once === undefined)
    return NO_SLOTS;
  const sums = new Map<string, SlotWish>();
  for (const wish of [...(limits ?? []), ...tagWishes(asked, tags ?? []), ...onceWishes(definition)]) {
    const key = limitKey(wish);
    sums.set(key, { ...wish, slots: (sums.get(key)?.slots ?? 0) + wish.slots });
  }
  const facts = [...sums.values()].map((wish) => slotFact(asked, wish, 'RUNNING'));
  if (deployment === undefined || definition.parent !== undefined) return withCircle(asked, facts);
  return withCircle(asked, [...deploymentFact(asked, deploymentLimit(deployment)), ...facts]);
}

/** Looked for only if it would wait. */
function withCircle({ workspace, proposal, circumstances }: Asked, facts: readonly SlotFact[]): readonly SlotFact[] {
  const { limits } = waitsFor(limitsFor(facts, proposal.to.type), circumstances.nowMs);
  const circle = limits.length === 0 ? undefined : circleOf(workspace, proposal, limits);
  const first = circle?.[0];
  if (circle === undefined || first === undefined) return facts;
  return facts.map((fact) => (limitKey(fact) === limitKey(first) ? { ...fact, circle } : fact));
}

/** Of a rate limit the slot was taken when the run became PENDING: it starts once. */
function deploymentFact(asked: Asked, limit: string): readonly SlotFact[] {
  const row = asked.workspace.limits.get(limit);
  if (row === undefined || (row.everyMs !== undefined && asked.run?.state.type === 'PENDING')) return [];
  return [slotFact(asked, { limit, slots: 1 }, 'PENDING')];
}

/** Tags bound tasks, and only those for which a limit is set. */
function tagWishes({ workspace, run, proposal }: Asked, tags: readonly string[]): readonly SlotWish[] {
  if ((run ?? proposal.create)?.kind !== 'task') return [];
  return [...new Set(tags)]
    .map((tag) => ({ limit: tagLimit(tag), slots: 1 }))
    .filter(({ limit }) => workspace.limits.get(limit) !== undefined);
}

/** Whoever computes the result of a key holds its one slot; who asks for a fresh result waits for nobody's. */
function onceWishes({ kind, cache }: Pick<RunDefinition, 'kind' | 'cache'>): readonly SlotWish[] {
  if (kind !== 'task' || cache?.once !== true || cache.refresh === true) return [];
  return [{ limit: CACHE_KEY_LIMIT, slots: 1, by: cache.key }];
}

function slotFact(asked: Asked, wish: SlotWish, from: SlotFact['from']): SlotFact {
  const { workspace, proposal, run } = asked;
  const { limit, by, slots } = wish;
  const key = limitKey(wish);
  const row = workspace.limitOf(wish);
  const onFull = row?.onFull ?? 'enqueue';
  const mine = run === undefined ? 0 : slotsOf(run, key);
  const ahead = aheadOf(workspace, proposal, key);
  const before = (workspace.queues.get(key) ?? []).slice(0, ahead);
  const isNested = slotsOfAncestors(workspace, [proposal], key) > 0;
  return {
    limit,
    ...(by === undefined ? {} : { by }),
    ...(row?.slotsMax === undefined ? {} : { slotsMax: row.slotsMax }),
    from,
    onFull,
    ...(row?.everyMs === undefined
      ? {}
      : { rate: { everyMs: row.everyMs, emptyAtMs: row.emptyAtMs ?? (0 as EpochMs) } }),
    ...(onFull === 'cancel-running' ? { holders: holdersOf(workspace, key, proposal.run) } : {}),
    wanted: slots,
    used: (row?.used ?? 0) - mine,
    ...(mine === 0 ? {} : { mine }),
    heldByAncestors: isNested ? slotsStuck(workspace, proposal, key) : 0,
    ahead,
    wantedAhead: isNested ? Math.max(0, ...before.map((id) => wishOf(workspace, id, key))) : 0,
  };
}

/**
 * Who could be cancelled for the slots of a limit, longest first: not the run itself, nor those above it. Only for limits
 * that cancel: it goes through all runs in memory.
 */
function holdersOf(workspace: Workspace, key: string, asker: RunId): NonNullable<SlotFact['holders']> {
  return [...workspace.runs.entries()]
    .map(([, run]) => ({ run, slots: slotsOf(run, key) }))
    .filter(({ run, slots }) => slots > 0 && run.id !== asker && !asker.startsWith(`${run.id}.`))
    .sort((a, b) => a.run.sinceMs - b.run.sinceMs || (a.run.id < b.run.id ? -1 : 1))
    .map(({ run, slots }) => ({
      run: run.id,
      slots,
      isEnding: run.state.type === 'CANCELLING' || workspace.evictions.get(run.id) !== undefined,
    }));
}

function wishOf(workspace: Workspace, id: ProposalId, key: string): number {
  const waits = workspace.held.get(id)?.waits;
  return waits?.type === 'SLOTS' ? (waits.limits.find((wish) => limitKey(wish) === key)?.slots ?? 0) : 0;
}

/** The slots that come back only when one of those that wait for this limit, or this one, is served: their ancestors'. */
export function slotsStuck(workspace: Workspace, proposal: TransitionProposal, key: string): number {
  const waiting = (workspace.queues.get(key) ?? []).flatMap((id) => workspace.held.get(id)?.proposal ?? []);
  return slotsOfAncestors(workspace, [proposal, ...waiting], key);
}

/** The slots of a limit that the flow runs above these proposals hold, each counted once. */
export function slotsOfAncestors(workspace: Workspace, proposals: readonly TransitionProposal[], key: string): number {
  const seen = new Set<string>();
  let sum = 0;
  for (const { run } of proposals) {
    for (let id = parentId(run); id !== '' && !seen.has(id); id = parentId(id as RunId)) {
      seen.add(id);
      const flow = workspace.runs.get(id);
      if (flow !== undefined) sum += slotsOf(flow, key);
    }
  }
  return sum;
}
