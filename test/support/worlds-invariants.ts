/**
 * What must hold of a folded workspace whenever everything that can be ruled on has been. Written from the architecture
 * (sections 4 to 6), not from the fold: the sums are made anew from the runs, the queues from the held proposals.
 */
import { limitKey, type Held, type Run, type Workspace } from '../../engine/fold/workspace.ts';
import type { RunId } from '../../protocol/ids.ts';
import {
  CACHE_KEY_LIMIT,
  eventMailbox,
  mailboxParts,
  parentId,
  rootOf,
  TRANSACTION_LIMIT,
  type SlotWish,
} from '../../protocol/proposals.ts';
import { isTerminal } from '../../protocol/states.ts';

const NOBODY: ReadonlySet<string> = new Set();

/**
 * Sentences about what is wrong; none, if all is well. Of runs that somebody has overridden less is asked: they may run in
 * nobody's hands, or have ended and be cancelled again under a flow run that has ended.
 */
export function wrongsOf(workspace: Workspace, overridden: ReadonlySet<string> = NOBODY): string[] {
  return [
    ...slotWrongs(workspace),
    ...queueWrongs(workspace),
    ...heldWrongs(workspace),
    ...mailWrongs(workspace),
    ...runWrongs(workspace, overridden),
    ...callWrongs(workspace),
    ...timerWrongs(workspace),
    ...sessionWrongs(workspace),
  ];
}

/** The slots in use of each limit, and of each of its keys, are those that runs hold; of a rate limit nobody holds any. */
function* slotWrongs(workspace: Workspace): Generator<string> {
  const held = new Map<string, number>();
  for (const [, run] of workspace.runs.entries()) {
    if (run.slots.length > 0 && !['PENDING', 'RUNNING', 'CANCELLING'].includes(run.state.type))
      yield `${run.id} is ${run.state.type} and holds slots`;
    for (const wish of run.slots) held.set(limitKey(wish), (held.get(limitKey(wish)) ?? 0) + wish.slots);
  }
  for (const [limit, { used }] of workspace.limits.entries()) {
    if (used !== (held.get(limit) ?? 0))
      yield `limit ${limit}: ${String(used)} used, runs hold ${String(held.get(limit) ?? 0)}`;
  }
  for (const [limit, slots] of held)
    if (workspace.limits.get(limit) === undefined) yield `${String(slots)} slots of no limit ${limit}`;
  for (const [run] of workspace.evictions.entries()) yield `${run} is to be evicted and was not`;
}

/** What a strict flow run owes are the calls of this round that an earlier execution made, and this one has not. */
function* callWrongs(workspace: Workspace): Generator<string> {
  for (const [, flow] of workspace.runs.entries()) {
    const execution = workspace.runs.get(rootOf(flow.id))?.execution ?? 0;
    const isCurrent = flow.parent === undefined || flow.ran?.execution === execution;
    if (flow.strict !== true || flow.state.type !== 'RUNNING' || !isCurrent) continue;
    let owed = 0;
    for (const [, { parent, made, cleanup }] of workspace.runs.entries()) {
      const isOlder = made !== undefined && made.execution < execution && made.round === flow.round;
      if (parent === flow.id && isOlder && cleanup !== true) owed += 1;
    }
    if (owed !== (flow.owed ?? 0)) yield `${flow.id} owes ${String(owed)} calls, not ${String(flow.owed ?? 0)}`;
  }
}

/** K1, K4, and the order of the queues: priority, then place. */
function* queueWrongs(workspace: Workspace): Generator<string> {
  for (const [limit, queue] of workspace.queues.entries()) {
    if (queue.length === 0) yield `the queue of ${limit} is empty and kept`;
    if (new Set(queue).size !== queue.length) yield `the queue of ${limit} holds one twice`;
    const rows = queue.map((id) => workspace.held.get(id));
    if (rows.some((row) => row?.waits.type !== 'SLOTS' || !row.waits.limits.some((wish) => limitKey(wish) === limit))) {
      yield `the queue of ${limit} holds one that does not wait for it`;
    }
    for (let index = 1; index < rows.length; index += 1) {
      const [before, after] = [rows[index - 1], rows[index]];
      if (before !== undefined && after !== undefined && comesFirst(after, before))
        yield `the queue of ${limit} is out of order`;
    }
  }
  for (const [id, { waits }] of workspace.held.entries()) {
    if (waits.type !== 'SLOTS') continue;
    const lock = waits.limits.find((wish) => isLock(wish) && !isFree(workspace, id, wish));
    if (lock !== undefined && !waits.limits.every(isLock))
      yield `K4: ${id} waits for the lock ${limitKey(lock)}, and others wait behind it for other limits`;
    const isFirst = waits.limits.every((wish) => workspace.queues.get(limitKey(wish))?.[0] === id);
    const room = waits.limits.map((wish) => roomFor(workspace, wish));
    if (isFirst && room.every((is) => is === 'now'))
      yield `K1: ${id} is first in all its queues, fits, and still waits`;
    const isOnTime = (workspace.timers.get(`held ${id}`)?.dueAtMs ?? 0) > workspace.meta.timeMs;
    if (isFirst && !room.includes('never') && room.includes('later') && !isOnTime)
      yield `${id} waits for time alone, without a timer`;
    const hopeless = waits.limits.find((wish) => {
      const slotsMax = workspace.limitOf(wish)?.slotsMax ?? Infinity;
      return slotsMax > 0 && wish.slots > slotsMax;
    });
    if (hopeless !== undefined && workspace.queues.get(limitKey(hopeless))?.[0] === id)
      yield `${id} waits for what will never fit`;
  }
}

const isLock = ({ limit }: SlotWish): boolean => limit === CACHE_KEY_LIMIT || limit === TRANSACTION_LIMIT;
const isFree = (workspace: Workspace, id: string, wish: SlotWish): boolean =>
  workspace.queues.get(limitKey(wish))?.[0] === id && (workspace.limits.get(limitKey(wish))?.used ?? 0) === 0;

/** Whether there is room by what is folded: `never` means not before somebody gives slots back, or changes the limit. */
function roomFor(workspace: Workspace, wish: SlotWish): 'now' | 'later' | 'never' {
  const { slotsMax = Infinity, used = 0, everyMs, emptyAtMs = 0 } = workspace.limitOf(wish) ?? {};
  if (everyMs === undefined) return used + wish.slots <= slotsMax ? 'now' : 'never';
  const taken = Math.ceil(Math.max(0, emptyAtMs - workspace.meta.timeMs) / everyMs);
  if (taken + wish.slots <= slotsMax) return 'now';
  return wish.slots <= slotsMax ? 'later' : 'never';
}

const place = (row: Held): number => row.at.seq * 1e6 + row.at.index;
const comesFirst = (one: Held, other: Held): boolean =>
  one.priority === other.priority ? place(one) < place(other) : one.priority > other.priority;

/** No held proposal is forgotten: whatever it waits for can still wake it. */
function* heldWrongs(workspace: Workspace): Generator<string> {
  for (const [id, { proposal, waits }] of workspace.held.entries()) {
    const { run } = proposal;
    const root = workspace.runs.get(rootOf(run));
    const flow = workspace.runs.get(parentId(run));
    if (!workspace.heldUnder.of(rootOf(run)).has(id)) yield `${id} is held under nobody`;
    if (root !== undefined && isTerminal(root.state) && root.id !== run)
      yield `${id} is held under ${root.id}, which has ended`;
    if (run !== root?.id && proposal.execution !== undefined && proposal.execution !== root?.execution) {
      yield `${id} is held in the name of an execution that is fenced`;
    }
    if (waits.type === 'TIME' && workspace.timers.get(`held ${id}`)?.dueAtMs !== waits.dueAtMs)
      yield `${id} waits for a time without a timer`;
    // A pause at the top holds what is called anywhere under it.
    const goesOn = flow?.state.type === 'RUNNING' && root?.state.type !== 'PAUSED';
    if (waits.type === 'FLOW' && (flow === undefined || isTerminal(flow.state) || goesOn)) {
      yield `${id} waits for a flow run that is ${flow?.state.type ?? 'unknown'}`;
    }
    if (
      waits.type === 'SLOTS' &&
      !waits.limits.every((wish) => workspace.queues.get(limitKey(wish))?.includes(id as never))
    ) {
      yield `${id} waits for slots outside of their queues`;
    }
    // A call that is made again must not queue behind what a fenced execution of it holds: that would never be given back.
    const fenced = workspace.runs.get(run);
    if (waits.type === 'SLOTS' && fenced !== undefined && fenced.slots.length > 0 && !isCurrent(workspace, fenced)) {
      yield `${id} waits for slots while a fenced execution of its run holds some`;
    }
    const had = waits.type === 'SLOTS' ? waits.limits.find((wish) => has(workspace.runs.get(run), wish)) : undefined;
    if (had !== undefined) yield `${id} waits for slots of ${limitKey(had)}, which its run has`;
    const session = id.split(':')[0] ?? '';
    if (id.includes(':') && workspace.sessions.get(session) === undefined)
      yield `${id} is held for a session that is closed`;
  }
}

const has = (run: Run | undefined, wish: SlotWish): boolean =>
  run?.slots.some((slot) => limitKey(slot) === limitKey(wish) && slot.slots >= wish.slots) === true;

/** M1 to M3, K3: a message and who waits for it never coexist, and nothing of a run that is over is left. */
function* mailWrongs(workspace: Workspace): Generator<string> {
  const under = (mailbox: string): boolean =>
    workspace.mailboxesUnder.of(rootOf(mailboxParts(mailbox).run)).has(mailbox);
  for (const [mailbox, mail] of workspace.mailboxes.entries()) {
    if (mail.length === 0) yield `the mailbox ${mailbox} is empty and kept`;
    if (new Set(mail).size !== mail.length) yield `the mailbox ${mailbox} holds one twice`;
    if (mail.some((id) => workspace.messages.get(`${id} ${mailbox}`)?.id !== id))
      yield `a message of ${mailbox} is lost`;
    if (workspace.waiting.get(mailbox) !== undefined) yield `K3: somebody waits for what lies in ${mailbox}`;
    if (!under(mailbox)) yield `the mailbox ${mailbox} is nobody's`;
    const root = workspace.runs.get(rootOf(mailboxParts(mailbox).run));
    if (root?.state.type === 'PAUSED' && root.state.suspended === true && root.state.wakeOn?.includes(mailbox) === true)
      if (workspace.timers.get(`wake ${root.id}`) === undefined) yield `${root.id} sleeps over what lies in ${mailbox}`;
  }
  for (const [mailbox, ids] of workspace.waiting.entries()) {
    const rows = ids.map((id) => workspace.held.get(id));
    if (rows.length === 0 || rows.some((row) => row?.waits.type !== 'MESSAGE' || row.waits.mailbox !== mailbox))
      yield `one waits at ${mailbox} that does not wait for it`;
  }
  for (const [id, { waits, proposal }] of workspace.held.entries()) {
    if (waits.type !== 'MESSAGE') continue;
    if (workspace.waiting.get(waits.mailbox)?.includes(id as never) !== true) yield `${id} waits at no mailbox`;
    if (waits.untilMs !== undefined && workspace.timers.get(`held ${id}`) === undefined)
      yield `${id} waits until a time without a timer`;
    const listens = workspace.listening.get(waits.topic ?? '')?.includes(parentId(proposal.run) as RunId) === true;
    // Of two that ask for one call, the second may find it ended: its flow run's end, or next execution, sees to that.
    const hasEnded = isTerminal(workspace.runs.get(proposal.run)?.state);
    if (waits.topic !== undefined && !hasEnded && !listens) yield `${id} waits for an event, and does not listen`;
  }
  for (const [topic, flows] of workspace.listening.entries()) {
    for (const flow of flows)
      if (!under(eventMailbox(flow, topic))) yield `${flow} listens to ${topic}, and is nobody's`;
  }
  const messages = [...workspace.mailboxes.entries()].reduce((sum, [, mail]) => sum + mail.length, 0);
  if (messages !== workspace.messages.size)
    yield `${String(workspace.messages.size)} messages, ${String(messages)} in mailboxes`;
  for (const [flow] of workspace.unclaimed.entries())
    if (workspace.runs.get(flow)?.state.type !== 'CRASHED') yield `mail of ${flow}, which goes on, is to be given up`;
  for (const flow of workspace.mailboxesUnder.keys()) {
    const state = workspace.runs.get(flow)?.state;
    if (state === undefined || (isTerminal(state) && state.type !== 'CRASHED')) yield `mail is left of ${flow}`;
    if (state?.type === 'CRASHED' && workspace.unclaimed.get(flow) === undefined)
      yield `mail of ${flow} is kept for ever`;
  }
}

/** What hangs on a run: its family, its retries, its execution. */
function* runWrongs(workspace: Workspace, overridden: ReadonlySet<string>): Generator<string> {
  for (const [id, run] of workspace.runs.entries()) {
    const ended = isTerminal(run.state);
    if (run.retriesUsed > (run.retry?.retriesMax ?? 0)) yield `${id} has used more retries than it has`;
    if (ended !== (run.endedMs !== undefined)) yield `${id} is ${run.state.type} and its end is ${String(run.endedMs)}`;
    if (run.parent !== undefined && workspace.open.of(run.parent).has(id) === ended)
      yield `${id} is ${run.state.type} and open is ${String(!ended)}`;
    const parent = run.parent === undefined ? undefined : workspace.runs.get(run.parent);
    const isEnding = ended || (overridden.has(id) && run.state.type === 'CANCELLING');
    if (parent !== undefined && isTerminal(parent.state) && !isEnding)
      yield `${id} has not ended, its flow run ${parent.id} has`;
    const isInHands = run.session !== undefined && run.execution > 0;
    if (run.state.type === 'RUNNING' && isRoot(run) && !isInHands && !overridden.has(id))
      yield `${id} runs in nobody’s hands`;
    if (run.state.type === 'PAUSED' && run.state.suspended === true && run.session !== undefined)
      yield `${id} is suspended, and in the hands of ${run.session}`;
    const executed = isRoot(run) && run.session !== undefined && !ended;
    if (run.session !== undefined && workspace.executing.of(run.session).has(id) !== executed)
      yield `${id}: executing is wrong`;
  }
  for (const [flow] of workspace.cascades.entries()) yield `a cascade under ${flow} is left`;
}

const isRoot = (run: Run): boolean => run.parent === undefined;

/** Timers belong to something that still waits for them. */
function* timerWrongs(workspace: Workspace): Generator<string> {
  for (const [key, timer] of workspace.timers.entries()) {
    if (!Number.isFinite(timer.dueAtMs)) yield `timer ${key} is never due`;
    if (timer.proposal !== undefined) {
      if (!workspace.held.get(timer.proposal)) yield `timer ${key} of a proposal that is not held`;
      continue;
    }
    const run = workspace.runs.get(timer.run);
    if (run === undefined || isTerminal(run.state)) yield `timer ${key} of a run that has ended`;
    else if (run.version !== timer.version)
      yield `timer ${key} of version ${String(timer.version)}, the run is at ${String(run.version)}`;
  }
  for (const [id, run] of workspace.runs.entries()) {
    const has = (timer: string): boolean => workspace.timers.get(`${timer} ${id}`) !== undefined;
    if (run.state.type === 'RUNNING' && run.timeoutMs !== undefined && !has('timeout') && isCurrent(workspace, run))
      yield `${id} runs without its time-out`;
    if (run.state.type === 'CANCELLING' && !has('grace') && isCurrent(workspace, run))
      yield `${id} is being cancelled without a grace`;
    if (
      run.state.type === 'PAUSED' &&
      run.state.timeoutAtMs !== undefined &&
      !has('pause') &&
      isCurrent(workspace, run)
    )
      yield `${id} is paused until a time without a timer`;
    if (run.work === undefined || run.parent !== undefined) continue;
    const isHeld = [...workspace.heldUnder.of(id)].some((held) => held.startsWith(`clock/${id}/`));
    if (run.state.type === 'PENDING' && !has('claim') && !isHeld) yield `${id} waits for a worker without a timer`;
    if (run.state.type === 'SCHEDULED' && run.session === undefined && !has('start') && !isHeld)
      yield `${id} is scheduled without a timer`;
  }
}

/** What a fenced execution called has lost its timers with it: its flow run's next execution, or end, sees to it. */
const isCurrent = (workspace: Workspace, run: Run): boolean =>
  isRoot(run) || run.ran?.execution === workspace.runs.get(rootOf(run.id))?.execution;

function* sessionWrongs(workspace: Workspace): Generator<string> {
  for (const [id, at] of workspace.answered.entries()) {
    const [session = '', counter = ''] = id.split(':');
    const known = workspace.sessions.get(session);
    if (known === undefined) yield `an answer is kept for the closed session ${session}`;
    else if (Number(counter) < known.low) yield `an answer is kept that ${session} has`;
    if (at.seq < 1) yield `${id} was answered nowhere`;
  }
}
