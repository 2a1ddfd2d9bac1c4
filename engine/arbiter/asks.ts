/**
 * Questions to the active arbiter, answered from what is settled. Not a read model: only what a process must know before
 * it proposes.
 */
import type { Digest, RunId } from '../../protocol/ids.ts';
import type {
  Ask,
  Hello,
  ListenersView,
  MailView,
  Outcomes,
  PolicyReport,
  RuleTimes,
  RunView,
  VariableView,
} from '../../protocol/messages.ts';
import { mailboxParts, rootOf, topicOf } from '../../protocol/proposals.ts';
import type { Run, Workspace } from '../fold/workspace.ts';
import type { PolicySets } from '../policy/loaded-policy.ts';
import type { Arbiter } from './arbiter.ts';
import { policyReport } from './policy-report.ts';

export type About = {
  readonly policy: Digest;
  readonly completesEarly: boolean;
  readonly heartbeatLimitMs: number;
  readonly monotonicMs: () => number;
  /** The rules in force; absent: the core ones. */
  readonly sets?: PolicySets;
};

type Told = Outcomes | RuleTimes | PolicyReport | VariableView | MailView | ListenersView;
type Found = { readonly v: 1; readonly epoch: number; readonly run?: RunView };

const PAGE = 256;
/** Ruling and settling are a few milliseconds apart; this is for a ledger that stalls. */
const SETTLE_LIMIT_MS = 5000;
const LOOK_EVERY_MS = 1;

/** Undefined: another arbiter may know better, and is asked next. */
export async function answerAsk(
  arbiter: Arbiter,
  ask: Ask,
  about: About,
): Promise<Hello | Found | ({ readonly v: 1 } & Told) | undefined> {
  switch (ask.type) {
    case 'HELLO': {
      const { policy, completesEarly, heartbeatLimitMs } = about;
      return { v: 1, epoch: arbiter.workspace.meta.epoch, policy, completesEarly, heartbeatLimitMs };
    }
    // Whoever hears that a run is not there, or in a process's hands, acts on it: that must be true, and not what was so
    // before another arbiter took over.
    case 'RUN':
      if (!(await isUpToDate(arbiter, about))) return undefined;
      return view(await settledRun(arbiter, ask.run, about), arbiter, about);
    case 'UNFINISHED': {
      if (!(await isUpToDate(arbiter, about))) return undefined;
      const id = unfinished(arbiter.workspace, ask);
      return view(id === undefined ? undefined : await settledRun(arbiter, id, about), arbiter, about);
    }
    case 'OUTCOMES':
      if (!(await isUpToDate(arbiter, about))) return undefined;
      return { v: 1, ...outcomes(arbiter, ask.run, ask.after) };
    case 'POLICY':
      return { v: 1, ...policyReport(arbiter.workspace, arbiter.incarnation?.settledSeq ?? 0, about.sets) };
    case 'VARIABLE': {
      if (!(await isUpToDate(arbiter, about))) return undefined;
      const { value } = arbiter.workspace.variables.get(ask.name) ?? {};
      if (!(await isSettledUntilNow(arbiter, about))) return undefined;
      return { v: 1, ...(value === undefined ? {} : { value }) };
    }
    case 'MAIL':
      if (!(await isUpToDate(arbiter, about))) return undefined;
      return { v: 1, ...unreadMail(arbiter.workspace, ask.run) };
    case 'LISTENERS': {
      const topics = [topicOf(ask.name), ...(ask.key === undefined ? [] : [topicOf(ask.name, ask.key)])];
      const flows = topics.flatMap((topic) => arbiter.workspace.listening.get(topic) ?? []);
      return { v: 1, listening: new Set(flows).size };
    }
    case 'RULE_TIMES':
      return { v: 1, rules: [...arbiter.counters.times.rules].map(([rule, time]) => ({ rule, ...time })) };
  }
}

function unfinished(
  workspace: Workspace,
  { identity, before }: Extract<Ask, { type: 'UNFINISHED' }>,
): RunId | undefined {
  const known = workspace.identities.get(identity) ?? [];
  if (before === undefined) return known.at(-1);
  const at = known.indexOf(before);
  return at > 0 ? known[at - 1] : undefined;
}

/** Whether this arbiter knows all that stands in the ledger: a deposed one that has not noticed finds out here. */
async function isUpToDate(arbiter: Arbiter, about: About): Promise<boolean> {
  const { incarnation } = arbiter;
  const untilMs = about.monotonicMs() + SETTLE_LIMIT_MS;
  if (incarnation === undefined) return false;
  const last = await incarnation.ledgerEnd();
  while (arbiter.incarnation === incarnation && about.monotonicMs() <= untilMs) {
    if (incarnation.settledSeq >= last) return true;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  return false;
}

/** Once everything is settled that was ruled until it was called. */
async function isSettledUntilNow(arbiter: Arbiter, about: About): Promise<boolean> {
  const { incarnation } = arbiter;
  if (incarnation === undefined) return false;
  // What is ruled and not sent yet stands in the next segment.
  const next = Math.max(arbiter.workspace.meta.head.seq, incarnation.settledSeq) + 1;
  const untilMs = about.monotonicMs() + SETTLE_LIMIT_MS;
  while (arbiter.incarnation === incarnation && about.monotonicMs() <= untilMs) {
    if (incarnation.isQuiet || incarnation.settledSeq >= next) return true;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  return false;
}

/** The run as its last ruling left it, once that ruling is settled. */
async function settledRun(arbiter: Arbiter, id: RunId, about: About): Promise<Run | undefined> {
  const untilMs = about.monotonicMs() + SETTLE_LIMIT_MS;
  for (;;) {
    const run = arbiter.workspace.runs.get(id);
    if (run === undefined || run.last.seq <= (arbiter.incarnation?.settledSeq ?? 0)) return run;
    if (about.monotonicMs() > untilMs) throw new Error('the ledger does not answer');
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

function view(run: Run | undefined, arbiter: Arbiter, about: About): Found {
  const { epoch } = arbiter.workspace.meta;
  return run === undefined ? { v: 1, epoch } : { v: 1, epoch, run: viewOf(run, arbiter, about) };
}

function viewOf(run: Run, arbiter: Arbiter, about: About): RunView {
  const root = arbiter.workspace.runs.get(rootOf(run.id)) ?? run;
  const beat = root.session === undefined ? undefined : arbiter.liveness.of(root.session, about.monotonicMs());
  return {
    run: run.id,
    name: run.name,
    state: run.state,
    version: run.version,
    attempt: run.attempt,
    execution: root.execution,
    ...(run.generation === undefined ? {} : { generation: run.generation }),
    ...(run.acted === undefined ? {} : { acted: run.acted }),
    ...(run.call === undefined ? {} : { call: run.call }),
    ...(run.parameters === undefined ? {} : { parameters: run.parameters }),
    ...(run.parsed === undefined ? {} : { parsed: run.parsed }),
    ...(root.session === undefined
      ? {}
      : {
          process: {
            session: root.session,
            ...(beat === undefined ? {} : { pid: beat.heartbeat.pid, host: beat.heartbeat.host }),
            silentMs: beat?.silentMs ?? 0,
          },
        }),
  };
}

/**
 * The calls under a flow run that have ended for good, in the order of their ids, a page at a time: what completed, and
 * what failed in the round that its flow run is in; and the flow runs within it that came to nothing otherwise.
 */
function outcomes(arbiter: Arbiter, id: RunId, after: RunId | undefined): Outcomes {
  const { workspace, incarnation } = arbiter;
  const settledSeq = incarnation?.settledSeq ?? 0;
  const ended: Run[] = [];
  for (const key of workspace.runs.unit(rootOf(id))) {
    if (!key.startsWith(`${id}.`) || (after !== undefined && key <= after)) continue;
    const run = workspace.runs.get(key);
    if (run === undefined || run.last.seq > settledSeq) continue;
    if (isFinal(run, workspace) || isSpent(run)) ended.push(run);
  }
  ended.sort((a, b) => (a.id < b.id ? -1 : 1));
  const page = ended.slice(0, PAGE);
  const next = ended.length > PAGE ? page.at(-1)?.id : undefined;
  const views = page.map((one) => {
    const { id: run, name, state, version, attempt, ran, end } = one;
    const execution = ran?.execution ?? 0;
    const spent = isFinal(one, workspace) ? {} : { spent: true as const };
    return { run, name, state, version, attempt, execution, ...spent, ...(end === undefined ? {} : { at: end }) };
  });
  return { ended: views, ...(next === undefined ? {} : { next }) };
}

/** A transaction that was undone is over: its block begins anew, as another one. */
const isSpent = ({ kind, state }: Run): boolean =>
  kind === 'flow' && (state.type === 'FAILED' || state.type === 'CANCELLED');

/** By mailbox, of the run and of all under it. */
function unreadMail({ mailboxes, mailboxesUnder }: Workspace, run: RunId): MailView {
  const mail = [...mailboxesUnder.of(rootOf(run))].flatMap((mailbox) => {
    const owner = mailboxParts(mailbox).run;
    const messages = mailboxes.get(mailbox)?.length ?? 0;
    return messages > 0 && (owner === run || owner.startsWith(`${run}.`)) ? [{ mailbox, messages }] : [];
  });
  return { mail: mail.slice(0, PAGE) };
}

/** As the rule reuse-completed-task has it: what is to be done again is not final; a flow run that failed begins its next round when it is run again. */
function isFinal({ state, parent, ran }: Run, workspace: Workspace): boolean {
  if (ran?.redo === true) return false;
  if (state.type === 'COMPLETED') return true;
  const flow = parent === undefined ? undefined : workspace.runs.get(parent);
  return state.type === 'FAILED' && flow !== undefined && flow.state.type !== 'FAILED' && flow.round === ran?.round;
}
