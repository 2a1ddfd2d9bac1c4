/**
 * What must hold of a world when it is over, whoever was killed. Written from what is promised, not from how it is kept; each
 * check says what is wrong, or nothing.
 *
 * C1 Every flow run has the end, and the value or the error, that its shape says; and so whoever began it was told.
 * C2 A function begins only by a ruling that granted the attempt, once for each, and never after somebody was told that the
 *    call has completed.
 * C3 Of a call that completed, the attempt by which it did so has one effect, begun and ended.
 * C4 Each run has as many calls with effects as its shape says: none too few, none twice.
 * C5 What is kept under a cache key was computed once, by whichever run.
 * C6 Hooks: what is recorded was called; the end of a run calls each hook at most once.
 * C7 Nothing is left: no run, slot, timer, message, listener, or held proposal.
 */
import { stateAfter } from '../../protocol/rulings.ts';
import { parentId, rootOf, type Hook } from '../../protocol/proposals.ts';
import type { RunId } from '../../protocol/ids.ts';
import { isTerminal } from '../../protocol/states.ts';
import type { Run } from '../../engine/fold/workspace.ts';
import { isRunFor } from '../../protocol/background-runs.ts';
import { decodeText } from '../../sdk/values.ts';
import type { AnswerLine } from '../faults/answers.ts';
import { leftovers, type LedgerRead } from '../faults/ledger-check.ts';
import type { Effect } from './effects.ts';
import type { JobNote, Seen } from './process.ts';
import type { Counts, End, Job } from './shape.ts';
import { shapeOf } from './shapes.ts';
import { KEPT } from './shapes-kept.ts';

export type Evidence = {
  readonly jobs: readonly Job[];
  readonly notes: readonly JobNote[];
  readonly answers: readonly AnswerLine[];
  readonly effects: readonly Effect[];
  readonly ledger: LedgerRead;
};

export function judged(evidence: Evidence): string[] {
  const calls = callsOn(evidence.ledger);
  return [
    ...wrongJobs(evidence),
    ...wrongRuns(evidence),
    ...ungranted(evidence, calls),
    ...wrongCompletions(evidence, calls),
    ...wrongCounts(evidence),
    ...computedTwice(evidence),
    ...wrongHooks(evidence),
    ...leftovers(evidence.ledger),
    ...leftInMail(evidence.ledger),
  ];
}

const text = (value: unknown): string => JSON.stringify({ value });
const seenText = (seen: Seen): string => ('error' in seen ? `error ${seen.error}` : `value ${text(seen.value)}`);
const endText = (end: End): string => ('error' in end ? `error ${end.error}` : `value ${text(end.value)}`);
const endOf = (job: Job): End => shapeOf(job.shape).end(job);

/** C1, as whoever began it saw it. */
function wrongJobs({ jobs, notes }: Evidence): string[] {
  const done = new Map(notes.flatMap((note) => (note.type === 'DONE' ? [[note.job, note.seen] as const] : [])));
  return jobs.flatMap((job) => {
    const seen = done.get(job.job);
    if (seen === undefined) return [`C1 ${job.job} (${job.shape}) has no end for whoever began it`];
    const [found, expected] = [seenText(seen), endText(endOf(job))];
    return found === expected ? [] : [`C1 ${job.job} (${job.shape}) was told as ${found}, not ${expected}`];
  });
}

/** The job that a flow run at the top does. */
function jobOf(run: Run | undefined, jobs: ReadonlyMap<string, Job>): Job | undefined {
  if (run?.kind !== 'flow' || run.parent !== undefined) return undefined;
  const given = decodeText(run.parameters?.inline ?? 'undefined') as Partial<Job> | undefined;
  return given?.job === undefined ? undefined : jobs.get(given.job);
}

const byName = (jobs: readonly Job[]): ReadonlyMap<string, Job> => new Map(jobs.map((job) => [job.job, job]));

/** C1, as it stands on the ledger. */
function wrongRuns({ jobs, ledger }: Evidence): string[] {
  const named = byName(jobs);
  const missing = new Set(named.keys());
  const problems: string[] = [];
  for (const [id, run] of ledger.workspace.runs.entries()) {
    if (run.parent !== undefined || !isTerminal(run.state)) continue;
    const { state } = run;
    const job = jobOf(run, named);
    if (job === undefined) {
      const isDone = state.type === 'COMPLETED' || (run.kind === 'task' && run.startedBy !== undefined);
      if (!isDone) problems.push(`C1 run ${id} of ${run.name} is ${state.name}`);
      continue;
    }
    missing.delete(job.job);
    const end = endOf(job);
    const wanted = [end.type, end.name ?? state.name, 'value' in end ? text(end.value) : ''].join(' ');
    const value = state.type === 'COMPLETED' ? text(decodeText(state.result?.inline ?? 'undefined')) : '';
    const found = [state.type, state.name, value].join(' ');
    if (found !== wanted) problems.push(`C1 run ${id} of ${job.shape} (${job.job}) ended as ${found}, not ${wanted}`);
  }
  return [...problems, ...[...missing].map((job) => `C1 ${job} has no run that ended`)];
}

/** Of a call with effects: the attempts that were granted, by the run that makes them, which is the call's own or does its work elsewhere. */
type Call = { readonly granted: string[]; completedBy: string | undefined; readonly runs: Set<string> };

function callsOn({ rulings, workspace }: LedgerRead): ReadonlyMap<string, Call> {
  const calls = new Map<string, Call>();
  const attempts = new Map<string, number>();
  for (const { ruling } of rulings) {
    const { proposal } = ruling;
    if (proposal.kind !== 'task') continue;
    const state = stateAfter(ruling);
    if (state === undefined) continue;
    const { run } = proposal;
    const key = keyOf(workspace.runs.get(run), run);
    const call = calls.get(key) ?? { granted: [], completedBy: undefined, runs: new Set<string>() };
    calls.set(key, call);
    call.runs.add(run);
    if (state.type === 'RUNNING') {
      const attempt = (attempts.get(run) ?? 0) + 1;
      attempts.set(run, attempt);
      call.granted.push(grantOf(run, attempt));
    }
    // What does a call's work elsewhere completes before the call itself does, with nothing of its own.
    if (state.type === 'COMPLETED' && state.name === 'Completed' && call.completedBy === undefined) {
      call.completedBy = grantOf(run, attempts.get(run) ?? 0);
    }
  }
  return calls;
}

const grantOf = (run: string, attempt: number): string => `${run} #${String(attempt)}`;
const attemptOf = (grant: string): number => Number(grant.slice(grant.lastIndexOf('#') + 1));

function keyOf(run: Run | undefined, id: RunId): string {
  const by = run?.startedBy;
  return by !== undefined && isRunFor(by, id) ? by : id;
}

/** C2. */
function ungranted({ effects, answers, ledger }: Evidence, calls: ReadonlyMap<string, Call>): string[] {
  const problems: string[] = [];
  const toldNs = toldCompleted(answers);
  const left = new Map<string, number[]>();
  for (const [key, { granted }] of calls) left.set(key, granted.map(attemptOf));
  for (const { at, key, label, attempt, ns, pid } of effects) {
    if (at !== 'BEGIN') continue;
    const attempts = left.get(key) ?? [];
    const found = attempts.indexOf(attempt);
    // ADR 0018: of a run that the engine has ended, calls are undone without being asked for.
    if (found < 0 && label.startsWith('rollback ') && isEndedFor(ledger, key)) continue;
    if (found < 0)
      problems.push(`C2 ${label} ${key} began attempt ${String(attempt)} in ${String(pid)} without a grant`);
    else attempts.splice(found, 1);
    for (const run of calls.get(key)?.runs ?? []) {
      if (BigInt(ns) > (toldNs.get(run) ?? BigInt(ns))) {
        problems.push(`C2 ${label} ${key} began attempt ${String(attempt)} in ${String(pid)} after it had completed`);
      }
    }
  }
  return problems;
}

/** Somebody else than its own process has ended the flow run of a call. */
function isEndedFor({ workspace }: LedgerRead, key: string): boolean {
  const state = workspace.runs.get(parentId(key as RunId))?.state;
  return state?.type === 'CANCELLED' || state?.name === 'TimedOut';
}

/** When anybody was first told that a run has completed. */
function toldCompleted(answers: readonly AnswerLine[]): ReadonlyMap<string, bigint> {
  const told = new Map<string, bigint>();
  for (const line of answers) {
    if (line.type !== 'ANSWER' || line.run === undefined || line.state !== 'COMPLETED') continue;
    if (line.outcome !== 'accepted' && line.outcome !== 'rewritten') continue;
    const ns = BigInt(line.ns);
    const before = told.get(line.run);
    if (before === undefined || ns < before) told.set(line.run, ns);
  }
  return told;
}

/** C3. */
function wrongCompletions({ effects, ledger }: Evidence, calls: ReadonlyMap<string, Call>): string[] {
  const problems: string[] = [];
  const labels = new Map(effects.map(({ key, label, at }) => [at === 'HOOK' ? '' : key, label]));
  const counts = new Map<string, number>();
  for (const { at, key, attempt } of effects) {
    const place = `${at} ${grantOf(key, attempt)}`;
    counts.set(place, (counts.get(place) ?? 0) + 1);
  }
  for (const [key, { completedBy, granted }] of calls) {
    const label = labels.get(key);
    if (completedBy === undefined || label === undefined) continue;
    const attempt = attemptOf(completedBy);
    // Several runs may have done the work of one call, and each counts its attempts.
    const most = granted.filter((grant) => attemptOf(grant) === attempt).length;
    const [begun, ended] = (['BEGIN', 'END'] as const).map((at) => counts.get(`${at} ${grantOf(key, attempt)}`) ?? 0);
    if (ended! < 1 || ended! > begun! || begun! > most) {
      problems.push(
        `C3 ${label} ${key} completed by ${completedBy}, which began ${String(begun)} and ended ${String(ended)} times`,
      );
    }
  }
  for (const [, run] of ledger.workspace.runs.entries()) {
    const { state, kind, name, id } = run;
    const isDone = kind === 'task' && state.type === 'COMPLETED' && state.name === 'Completed';
    const hasEffect = labels.has(keyOf(run, id));
    if (isDone && !hasEffect && KNOWN.has(name)) problems.push(`C3 ${name} ${id} completed without an effect`);
  }
  return problems;
}

/** Tasks that never complete without an effect. */
const KNOWN: ReadonlySet<string> = new Set([
  ...['add', 'quick', 'narrow', 'flaky', 'patient', 'double', 'increase', 'total', 'tell', 'large', 'slow', KEPT],
  ...['reserve', 'rollback reserve', 'commit reserve', 'hooked', 'stamp', 'crunch', 'shaky', 'errand'],
]);

/** The run at the top that an effect belongs to. */
function rootOfEffect({ key }: Effect, { workspace }: LedgerRead): RunId {
  const root = rootOf(key as RunId);
  const by = workspace.runs.get(root)?.startedBy;
  return by === undefined ? root : rootOf(by);
}

/** C4. */
function wrongCounts({ jobs, effects, ledger }: Evidence): string[] {
  const named = byName(jobs);
  const keys = new Map<string, Map<string, Set<string>>>();
  for (const effect of effects) {
    if (effect.at !== 'BEGIN') continue;
    const root = rootOfEffect(effect, ledger);
    const ofRoot = keys.get(root) ?? new Map<string, Set<string>>();
    keys.set(root, ofRoot);
    ofRoot.set(effect.label, (ofRoot.get(effect.label) ?? new Set()).add(effect.key));
  }
  const problems: string[] = [];
  for (const [id, run] of ledger.workspace.runs.entries()) {
    const job = jobOf(run, named);
    if (job === undefined) continue;
    const expected: Counts = shapeOf(job.shape).effects(job);
    const found = keys.get(id) ?? new Map<string, Set<string>>();
    for (const label of new Set([...Object.keys(expected), ...found.keys()])) {
      const count = found.get(label)?.size ?? 0;
      const wanted = expected[label] ?? 0;
      const [least, most] = typeof wanted === 'number' ? [wanted, wanted] : wanted;
      if (count >= least && count <= most) continue;
      const range = least === most ? String(least) : `${String(least)} to ${String(most)}`;
      problems.push(`C4 ${job.job} (${job.shape}, ${id}) has ${String(count)} calls of ${label}, not ${range}`);
    }
  }
  return problems;
}

/** C5. A result that is taken from the cache is named so. */
function computedTwice({ ledger }: Evidence): string[] {
  const computed = new Map<string, RunId>();
  const problems: string[] = [];
  for (const [id, { name, state, cache }] of ledger.workspace.runs.entries()) {
    if (name !== KEPT || state.type !== 'COMPLETED' || state.name !== 'Completed') continue;
    const key = cache?.key ?? '';
    const before = computed.get(key);
    if (before !== undefined) problems.push(`C5 ${key} was computed by ${before} and by ${id}`);
    computed.set(key, id as RunId);
  }
  return problems;
}

/** C6. */
function wrongHooks({ effects, ledger }: Evidence): string[] {
  const called = new Map<string, number>();
  for (const { at, label, key } of effects) {
    if (at === 'HOOK') called.set(`${label} ${key}`, (called.get(`${label} ${key}`) ?? 0) + 1);
  }
  const problems: string[] = [];
  const recorded = new Set<string>();
  for (const { ruling } of ledger.rulings) {
    const { proposal, outcome } = ruling;
    if (proposal.kind !== 'workspace' || outcome !== 'accepted' || proposal.event.type !== 'HOOK_RAN') continue;
    const { hook, run } = proposal.event;
    if (NOTED.has(hook)) recorded.add(`${hook} ${run}`);
  }
  for (const place of recorded) if (!called.has(place)) problems.push(`C6 ${place} is recorded, and was not called`);
  for (const [place, count] of called) {
    if (place.startsWith('onCompletion') && count > 1) problems.push(`C6 ${place} was called ${String(count)} times`);
  }
  return problems;
}

const NOTED: ReadonlySet<Hook | 'onCommit' | 'onRollback'> = new Set(['onRunning', 'onCompletion']);

/** C7. */
function leftInMail({ workspace }: LedgerRead): string[] {
  const { mailboxes, waiting, listening, mailboxesUnder, evictions } = workspace;
  return [mailboxes, waiting, listening, mailboxesUnder, evictions].flatMap((table) =>
    [...table.entries()].map(([key]) => `C7 ${table.name} still has ${key}`),
  );
}
