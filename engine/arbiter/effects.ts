/**
 * What follows from a ruling outside the ledger, as data. Pure; carried out only when the ruling is settled.
 */
import type { RunId } from '../../protocol/ids.ts';
import type { Answer, Order, WorkHint } from '../../protocol/messages.ts';
import { rootOf, sessionOf } from '../../protocol/proposals.ts';
import { decidingEntry, stateAfter, type Position, type Ruling } from '../../protocol/rulings.ts';
import { isTerminal } from '../../protocol/states.ts';
import type { Value } from '../../protocol/values.ts';
import { owedKey } from '../fold/hooks-owed.ts';
import type { OwedHook, Run, Workspace } from '../fold/workspace.ts';

export type Effect =
  | { readonly type: 'ANSWER'; readonly session: string; readonly answer: Answer }
  | { readonly type: 'ORDER'; readonly session: string; readonly order: Order }
  | { readonly type: 'DISPATCH'; readonly dispatch: Dispatch };

/** A hint to workers that a run is ready, or that its hook is to be called; the claim that follows it is what counts. */
export type Dispatch = {
  readonly run: RunId;
  readonly version: number;
  readonly name: string;
  readonly pool: string;
  readonly queue: string;
  readonly kind?: 'task';
  readonly parameters?: Value;
  readonly parsed?: NonNullable<Run['parsed']>;
  readonly title?: string;
  readonly startedBy?: RunId;
  readonly hook?: NonNullable<WorkHint['hook']>;
};

/** `before` is the run as it was, `workspace` the state after the ruling. */
export function effectsOf(
  workspace: Workspace,
  before: Run | undefined,
  ruling: Ruling,
  at: Position,
): readonly Effect[] {
  const effects: Effect[] = [];
  const asker = sessionOf(ruling.proposal.id);
  // Another user's session would take the answer for one to a proposal of its own.
  const owner = asker === undefined ? undefined : workspace.sessions.get(asker.session)?.user;
  if (asker !== undefined && (owner ?? ruling.proposal.by) === ruling.proposal.by) {
    effects.push({ type: 'ANSWER', session: asker.session, answer: answerOf(workspace, ruling, at) });
  }
  if (ruling.proposal.kind === 'workspace' || stateAfter(ruling) === undefined) return effects;
  const now = workspace.runs.get(ruling.proposal.run);
  if (now === undefined) return effects;
  for (const session of sessionsToTell(workspace, before, now)) {
    if (session !== asker?.session)
      effects.push({ type: 'ORDER', session, order: orderOf(workspace, now, ruling, at) });
  }
  const dispatch = dispatchOf(now) ?? hookDispatchOf(workspace, workspace.hooksOwed.get(owedKey(now)));
  if (dispatch !== undefined) effects.push({ type: 'DISPATCH', dispatch });
  return effects;
}

function dispatchOf(run: Run): Dispatch | undefined {
  return run.work === undefined || run.state.type !== 'PENDING' ? undefined : hintOf(run, run.work, run.version);
}

function hookDispatchOf(workspace: Workspace, owed: OwedHook | undefined): Dispatch | undefined {
  const run = owed === undefined ? undefined : workspace.runs.get(owed.run);
  if (owed === undefined || run?.work === undefined) return undefined;
  const { hook, state, version } = owed;
  return { ...hintOf(run, run.work, version), hook: { hook, state } };
}

const hintOf = (
  { id, name, kind, parameters, parsed, title, startedBy }: Run,
  work: NonNullable<Run['work']>,
  version: number,
): Dispatch => ({
  run: id,
  version,
  name,
  ...work,
  ...(kind === 'task' ? { kind } : {}),
  ...(parameters === undefined ? {} : { parameters }),
  ...(parsed === undefined ? {} : { parsed }),
  ...(title === undefined ? {} : { title }),
  ...(startedBy === undefined ? {} : { startedBy }),
});

/** What the ledger does not say is done, of the segments before `below`: each hint with the segment of its ruling. */
export function* undone(workspace: Workspace, below: number): Generator<readonly [seq: number, Dispatch]> {
  const { effects } = workspace.meta;
  for (const [, run] of workspace.runs.entries()) {
    const dispatch = run.last.seq > effects && run.last.seq < below ? dispatchOf(run) : undefined;
    if (dispatch !== undefined) yield [run.last.seq, dispatch];
  }
  for (const [, owed] of workspace.hooksOwed.entries()) {
    const dispatch = hookDispatchOf(workspace, owed);
    if (dispatch !== undefined) yield [owed.seq, dispatch];
  }
}

/** The server drops a hint that it has stored under this id already. Calls' ids end in names, so no two kinds are alike. */
export const hintId = ({ run, version, hook }: Dispatch): string =>
  `${run}.${String(version)}${hook === undefined ? '' : '.hook'}`;

/** The process that executes the run, the one that did until now, and whoever waits for its end. */
function sessionsToTell(workspace: Workspace, before: Run | undefined, now: Run): ReadonlySet<string> {
  const root = now.parent === undefined ? now : workspace.runs.get(rootOf(now.id));
  const told = new Set<string>();
  if (root?.session !== undefined) told.add(root.session);
  if (now.parent === undefined && before?.session !== undefined) told.add(before.session);
  if (isTerminal(now.state)) for (const session of [now.creator ?? [], now.askers ?? []].flat()) told.add(session);
  return told;
}

export function orderOf(workspace: Workspace, run: Run, { proposal }: Pick<Ruling, 'proposal'>, at: Position): Order {
  return {
    run: run.id,
    state: run.state,
    version: run.version,
    execution: workspace.runs.get(rootOf(run.id))?.execution ?? 0,
    by: proposal.by,
    ...(proposal.reason === undefined ? {} : { reason: proposal.reason }),
    ...at,
  };
}

/** What the asker is told: the ruling in short, and the run as it now is. */
export function answerOf(workspace: Workspace, ruling: Ruling, at: Position): Answer {
  const { proposal, outcome, version, execution } = ruling;
  const counter = sessionOf(proposal.id)?.counter ?? 0;
  if (proposal.kind === 'workspace') {
    const refusal = decidingEntry(ruling.trail);
    return { counter, outcome, version, ...at, ...whyOf(refusal) };
  }
  const run = workspace.runs.get(proposal.run);
  const state = stateAfter(ruling) ?? run?.state;
  const deciding = outcome === 'accepted' ? undefined : decidingEntry(ruling.trail);
  return {
    counter,
    outcome,
    run: proposal.run,
    version,
    ...(state === undefined ? {} : { state }),
    ...(run === undefined ? {} : { attempt: run.attempt }),
    ...(execution === undefined ? {} : { execution }),
    ...whyOf(deciding),
    ...at,
  };
}

/**
 * The answer from the record, for a proposal that was published again. Its asker may have been away while the run went on
 * elsewhere: then what was granted to it before is not its own any more.
 */
export function recordedAnswerOf(workspace: Workspace, ruling: Ruling, at: Position): Answer {
  const answer = answerOf(workspace, ruling, at);
  const { proposal } = ruling;
  const granted = proposal.kind === 'workspace' ? undefined : (ruling.execution ?? proposal.execution);
  if (proposal.kind === 'workspace' || granted === undefined) return answer;
  const current = workspace.runs.get(rootOf(proposal.run))?.execution ?? 0;
  if (current === granted) return answer;
  const why = `execution ${String(current)} is current, this was answered for execution ${String(granted)}`;
  return { ...answer, outcome: 'rejected', code: 'FENCED', why };
}

const whyOf = (entry: ReturnType<typeof decidingEntry>): Pick<Answer, 'code' | 'why'> =>
  entry === undefined ? {} : { why: entry.why, ...(entry.code === undefined ? {} : { code: entry.code }) };
