/**
 * Messages and events in the fold: who gets them, who waits for them, and when they are forgotten.
 *
 * M1 A message lies in its mailbox until the ruling that claims it, or until the flow run at the top is over. A crashed one
 *    is not over: whoever goes on with it finds its mail, for so long (`mailKeptMs`) after its end or the last message.
 * M2 A flow run listens to a topic from the first of its calls that waits for an event of it until it is over, also while
 *    it is suspended or crashed: between two calls nothing is lost. What nobody receives is kept up to a bound.
 * M3 A suspended flow run that goes on for a mailbox has a timer `wake` from the moment in which something is there.
 */
import { later, type EpochMs, type RunId } from '../../protocol/ids.ts';
import {
  ENGINE,
  eventMailbox,
  mailboxParts,
  parentId,
  pauseMailbox,
  rootOf,
  topicOf,
  type CarriedEvent,
  type TransitionProposal,
} from '../../protocol/proposals.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { decidingEntry, type Position, type Ruling } from '../../protocol/rulings.ts';
import { isTerminal, type State } from '../../protocol/states.ts';
import { receiveMessage } from '../../rules/receive-message.ts';
import { messageKey, timerKey, type Message, type Run, type Workspace } from './workspace.ts';

export type Occasion = { readonly by: string; readonly atMs: EpochMs; readonly at: Position };

/** Whoever goes on with a crashed run goes on where it was. */
export const isOver = (state: State): boolean => isTerminal(state) && state.type !== 'CRASHED';

/** Whether it is what a rule made of a call that waits: that it got something, or waited in vain. */
export const hasReceived = ({ outcome, trail }: Ruling): boolean =>
  outcome === 'rewritten' && decidingEntry(trail)?.rule === receiveMessage.name;

export function deliver(
  workspace: Workspace,
  mailbox: string,
  sent: Pick<Message, 'value' | 'from'>,
  { by, atMs, at }: Occasion,
): void {
  const mail = workspace.mailboxes.get(mailbox) ?? [];
  const id = `${String(at.seq)}/${String(at.index)}`;
  const { value, from } = sent;
  const message: Message = {
    id,
    ...(value === undefined ? {} : { value }),
    ...(from === undefined ? {} : { from }),
    by,
    atMs,
  };
  const root = rootOf(mailboxParts(mailbox).run);
  const run = workspace.runs.get(root);
  // The end of a flow run may carry a message to itself.
  if (run === undefined || isOver(run.state)) return;
  workspace.mailboxes.set(mailbox, [...mail, id]);
  workspace.messages.set(messageKey(mailbox, id), message);
  workspace.mailboxesUnder.add(root, mailbox);
  if (isTerminal(run.state)) workspace.unclaimed.set(root, later(atMs, LIMITS.mailKeptMs));
  workspace.touched.mailboxes.add(mailbox);
  if (run.state.type === 'PAUSED' && run.state.wakeOn?.includes(mailbox) === true) wakeAt(workspace, run, atMs);
}

/** To all flow runs that listen now. */
export function emit(
  workspace: Workspace,
  { name, key, ...sent }: Extract<CarriedEvent, { type: 'EVENT_EMITTED' }>,
  occasion: Occasion,
): void {
  const topics = key === undefined ? [topicOf(name)] : [topicOf(name), topicOf(name, key)];
  for (const topic of topics) {
    for (const flow of workspace.listening.get(topic) ?? []) {
      const mailbox = eventMailbox(flow, topic);
      const kept = workspace.mailboxes.get(mailbox)?.length ?? 0;
      if (kept < LIMITS.mailboxMessagesMax) deliver(workspace, mailbox, sent, occasion);
    }
  }
}

/** The clock wakes a run, and a process that executes it anew calls it again: neither is the word that its pause waits for. */
export const isWord = ({ by, execution }: TransitionProposal): boolean => by !== ENGINE && execution === undefined;

/** What whoever resumes a run says to it, be it only that it may go on. */
export function deliverInput(
  workspace: Workspace,
  before: Run,
  {
    state,
    proposal,
    occasion,
  }: { readonly state: State; readonly proposal: TransitionProposal; readonly occasion: Occasion },
): void {
  if (before.state.type !== 'PAUSED' || before.state.key === undefined || !isWord(proposal)) return;
  if (proposal.to.type !== state.type || (state.type !== 'RUNNING' && state.type !== 'SCHEDULED')) return;
  deliver(
    workspace,
    pauseMailbox(before.id, before.state.key),
    proposal.input === undefined ? {} : { value: proposal.input },
    occasion,
  );
}

/** M2. Of a call that has begun to wait. */
export function followCall(workspace: Workspace, { id, receives, state }: Run): void {
  if (receives?.type === 'EVENT' && !isOver(state)) listen(workspace, id, receives.topic);
}

/** The first message in a mailbox. */
export function firstMessage(workspace: Workspace, mailbox: string): Message | undefined {
  const id = workspace.mailboxes.get(mailbox)?.[0];
  return id === undefined ? undefined : workspace.messages.get(messageKey(mailbox, id));
}

/** The flow run of this call hears of the topic from now on. */
export function listen(workspace: Workspace, call: RunId, topic: string): void {
  const flow = (parentId(call) || call) as RunId;
  const flows = workspace.listening.get(topic) ?? [];
  const root = workspace.runs.get(rootOf(flow));
  // An operator may open a call again whose flow run is over: nobody would receive anything.
  if (flows.includes(flow) || root === undefined || isOver(root.state)) return;
  workspace.listening.set(topic, [...flows, flow]);
  workspace.mailboxesUnder.add(rootOf(flow), eventMailbox(flow, topic));
}

/** The mailboxes of all under a flow run that is over; of one at the top, all that there are. */
export function forgetMail(workspace: Workspace, flow: RunId): void {
  workspace.unclaimed.delete(flow);
  const isRoot = rootOf(flow) === flow;
  for (const mailbox of [...workspace.mailboxesUnder.of(rootOf(flow))]) {
    const { run, kind } = mailboxParts(mailbox);
    // A flow run within another may be called again, and finds its messages then; it listens no more.
    if (isRoot || (kind === 'event' && (run === flow || run.startsWith(`${flow}.`)))) forgetMailbox(workspace, mailbox);
  }
}

/** Nobody may ever go on with a crashed flow run: its mail is not kept for ever. */
export function followCrash(workspace: Workspace, { id, parent, state }: Run, atMs: EpochMs): void {
  if (parent !== undefined) return;
  if (state.type !== 'CRASHED') workspace.unclaimed.delete(id);
  else if (workspace.mailboxesUnder.of(id).size > 0) workspace.unclaimed.set(id, later(atMs, LIMITS.mailKeptMs));
}

/** Mail for which nobody came. */
export function dropUnclaimed(workspace: Workspace, nowMs: EpochMs): void {
  for (const flow of workspace.unclaimed.due(nowMs)) forgetMail(workspace, flow as RunId);
}

function forgetMailbox(workspace: Workspace, mailbox: string): void {
  const { run, kind, name } = mailboxParts(mailbox);
  for (const id of workspace.mailboxes.get(mailbox) ?? []) workspace.messages.delete(messageKey(mailbox, id));
  workspace.mailboxes.delete(mailbox);
  workspace.mailboxesUnder.remove(rootOf(run), mailbox);
  if (kind === 'event') leaveTopic(workspace, run, name);
}

function leaveTopic(workspace: Workspace, flow: RunId, topic: string): void {
  const others = (workspace.listening.get(topic) ?? []).filter((other) => other !== flow);
  if (others.length === 0) workspace.listening.delete(topic);
  else workspace.listening.set(topic, others);
}

/** What the rules gave a run leaves its mailbox. */
export function takeMessages(workspace: Workspace, { claims = [] }: Ruling): void {
  for (const claim of claims) {
    if (claim.type !== 'MESSAGE') continue;
    const { mailbox, id } = claim;
    const mail = workspace.mailboxes.get(mailbox) ?? [];
    const rest = mail.filter((other) => other !== id);
    workspace.messages.delete(messageKey(mailbox, id));
    if (rest.length > 0) {
      workspace.mailboxes.set(mailbox, rest);
      workspace.touched.mailboxes.add(mailbox);
      continue;
    }
    workspace.mailboxes.delete(mailbox);
    if (mailboxParts(mailbox).kind !== 'event') {
      workspace.mailboxesUnder.remove(rootOf(mailboxParts(mailbox).run), mailbox);
    }
  }
}

/**
 * A run that suspends itself while it waits for messages goes on at once if there is one, or if fewer of its calls wait
 * than it says: the others have got theirs in the meantime.
 */
export function wakeIfServed(workspace: Workspace, run: Run, atMs: EpochMs): void {
  if (run.state.type !== 'PAUSED' || run.state.suspended !== true || run.state.wakeOn === undefined) return;
  const wanted = Map.groupBy(run.state.wakeOn, (mailbox) => mailbox);
  for (const [mailbox, { length }] of wanted) {
    const isServed = (workspace.waiting.get(mailbox)?.length ?? 0) < length;
    if (isServed || workspace.mailboxes.get(mailbox) !== undefined) {
      wakeAt(workspace, run, atMs);
      return;
    }
  }
}

function wakeAt(workspace: Workspace, { id, version, state }: Run, atMs: EpochMs): void {
  if (state.type !== 'PAUSED' || state.suspended !== true) return;
  workspace.setTimer(timerKey(id, 'wake'), { dueAtMs: atMs, run: id, timer: 'wake', version });
}

/** In whose name a proposal is made, where, and when. */
export const occasionOf = ({ proposal, atMs }: Ruling, at: Position): Occasion => ({
  by: proposal.onBehalfOf ?? proposal.by,
  atMs,
  at,
});
