/**
 * What can be found wrong with a world from outside: its ledger as it is stored, what its processes noted of their jobs and
 * answers, and the effects of their tasks.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stateAfter } from '../../protocol/rulings.ts';
import { isTerminal } from '../../protocol/states.ts';
import { decodeText } from '../../sdk/values.ts';
import { expectedOf, type Effect, type Job } from './flows.ts';
import { brokenRuns, leftovers, placeOf, repeatedCalls, ruledTwice, type LedgerRead } from './ledger-check.ts';
import type { AnswerLine } from './answers.ts';
import type { JobLine } from './sdk-process.ts';

/** The lines of a file that several processes append to; what a killed one wrote last may be half a line. */
export function linesOf<T>(file: string): T[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line.endsWith('}')).map((line) => JSON.parse(line) as T);
}

/** `names` are the processes that left their notes in the folder. */
export function problemsOf(folder: string, names: readonly string[], ledger: LedgerRead): string[] {
  const jobs = names.flatMap((name) => linesOf<JobLine>(join(folder, `${name}.jobs`)));
  const answers = names.flatMap((name) => linesOf<AnswerLine>(join(folder, `${name}.answers`)));
  const effects = linesOf<Effect>(join(folder, 'effects'));
  return [
    ...leftovers(ledger),
    ...ruledTwice(ledger.rulings),
    ...brokenRuns(ledger.rulings),
    ...repeatedCalls(ledger.rulings),
    ...wrongJobs(jobs),
    ...wrongRuns(ledger),
    ...lostAnswers(answers, ledger),
    ...wrongEffects(effects, answers, ledger),
  ];
}

/** What its processes saw of each job. */
function wrongJobs(lines: readonly JobLine[]): string[] {
  const begun = new Map<string, Job>();
  const problems: string[] = [];
  const done = new Set<string>();
  for (const line of lines) {
    if (line.type === 'BEGUN') begun.set(line.job, line);
    if (line.type === 'WRONG') problems.push(`job ${line.job} failed: ${line.why}`);
    if (line.type !== 'DONE') continue;
    done.add(line.job);
    const job = begun.get(line.job);
    const expected = job === undefined ? undefined : expectedOf(job);
    if (line.value !== expected) problems.push(`job ${line.job} gave ${String(line.value)}, not ${String(expected)}`);
  }
  for (const job of begun.keys()) if (!done.has(job)) problems.push(`job ${job} has no end`);
  if (done.size === 0) problems.push('no job was done');
  return problems;
}

/** How each flow run of its own ended on the ledger. */
function wrongRuns({ workspace }: LedgerRead): string[] {
  const problems: string[] = [];
  for (const [id, run] of workspace.runs.entries()) {
    if (run.parent !== undefined || !isTerminal(run.state)) continue;
    const job = decodeText(run.parameters?.inline ?? 'undefined') as Job;
    const expected = expectedOf(job);
    const { state } = run;
    const result =
      state.type === 'COMPLETED' && state.result?.inline !== undefined ? decodeText(state.result.inline) : state.type;
    if (result !== expected)
      problems.push(`run ${id} of ${job.shape} ended with ${String(result)}, not ${String(expected)}`);
  }
  return problems;
}

/** Nothing settled is lost: whatever a process was told stands in the ledger, exactly so. */
export function lostAnswers(lines: readonly AnswerLine[], { rulings }: LedgerRead): string[] {
  const places = new Map(rulings.map((one) => [placeOf(one), one.ruling]));
  return lines.flatMap((line) => {
    if (line.type !== 'ANSWER') return [];
    const ruling = places.get(placeOf(line));
    // What was granted to an execution that is over is told to nobody any more.
    if (ruling?.proposal.id === line.id && (ruling.outcome === line.outcome || line.code === 'FENCED')) return [];
    const there = ruling === undefined ? 'nothing' : `${ruling.proposal.id} ${ruling.outcome}`;
    return [`${line.id} was answered ${line.outcome} at ${placeOf(line)}, where ${there} stands`];
  });
}

/** Bodies begin only by a ruling, and not after somebody was told that their call has completed. */
export function wrongEffects(
  effects: readonly Effect[],
  answers: readonly AnswerLine[],
  { rulings }: LedgerRead,
): string[] {
  const problems: string[] = [];
  const granted = new Map<string, number>();
  for (const { ruling } of rulings) {
    const { proposal } = ruling;
    if (proposal.kind !== 'task' || stateAfter(ruling)?.type !== 'RUNNING') continue;
    granted.set(proposal.run, (granted.get(proposal.run) ?? 0) + 1);
  }
  const completedNs = new Map<string, bigint>();
  for (const line of answers) {
    if (line.type !== 'ANSWER' || line.run === undefined || line.state !== 'COMPLETED') continue;
    if (line.outcome !== 'accepted' && line.outcome !== 'rewritten') continue;
    const before = completedNs.get(line.run);
    const ns = BigInt(line.ns);
    if (before === undefined || ns < before) completedNs.set(line.run, ns);
  }
  for (const { key, at, ns, pid } of effects) {
    if (at !== 'BEGIN') continue;
    const left = (granted.get(key) ?? 0) - 1;
    granted.set(key, left);
    if (left < 0) problems.push(`${key} was begun more often than it was granted`);
    if (BigInt(ns) > (completedNs.get(key) ?? BigInt(ns)))
      problems.push(`${key} was begun by ${String(pid)} after it had completed`);
  }
  return problems;
}
