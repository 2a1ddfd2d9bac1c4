/** What the worlds of a test have met between them: a simulator that never gets anywhere finds nothing. */
import type { Report, Plan } from './world.ts';

const KINDS = [
  'worlds',
  'died',
  'were stopped',
  'were parted',
  'woke while the run went on',
  'were fenced',
  'heard the outcome',
  'killed more than once',
  'completed',
  'failed',
  'calls reused',
  'failures reused',
  'proposals fenced',
  'proposals held for a slot',
  'attempts timed out',
  'tasks retried',
  'flows retried',
  'subflows',
  'results stored apart',
] as const;
type Kind = (typeof KINDS)[number];

export class Reach {
  readonly #counts = new Map<Kind, number>();

  see(report: Report, { lives }: Plan): void {
    this.#add('worlds');
    if (report.cuts > 1) this.#add('killed more than once');
    for (const { fate, wakesAt } of lives.slice(0, report.cuts)) {
      this.#add(fate === 'DEAD' ? 'died' : fate === 'STOPPED' ? 'were stopped' : 'were parted');
      if (fate !== 'DEAD' && wakesAt !== undefined) this.#add('woke while the run went on');
    }
    this.#add('were fenced', report.fenced);
    this.#add('heard the outcome', report.told);
    if (report.outcome !== undefined) this.#add(report.outcome.type === 'COMPLETED' ? 'completed' : 'failed');
    for (const line of report.lines) this.#seeRuling(line.ruling);
  }

  #seeRuling({ proposal, outcome, state, trail, waits }: Report['lines'][number]['ruling']): void {
    if (proposal.kind === 'workspace') return;
    const isSub = proposal.run.includes('.');
    const rules = trail.flatMap((entry) => (typeof entry === 'string' ? [] : [entry.rule]));
    if (rules.includes('reuse-completed-task')) {
      this.#add(state?.type === 'FAILED' ? 'failures reused' : 'calls reused');
    }
    if (outcome === 'rejected' && rules.includes('fence-stale-executions')) this.#add('proposals fenced');
    if (outcome === 'held' && waits?.type === 'SLOTS') this.#add('proposals held for a slot');
    if (proposal.to.name === 'TimedOut') this.#add('attempts timed out');
    if (state?.name === 'AwaitingRetry') this.#add(proposal.kind === 'task' ? 'tasks retried' : 'flows retried');
    if (proposal.kind === 'flow' && isSub && proposal.to.type === 'COMPLETED') this.#add('subflows');
    const result = proposal.to.type === 'COMPLETED' ? proposal.to.result : undefined;
    if (result !== undefined && result.inline === undefined) this.#add('results stored apart');
  }

  missing(): Kind[] {
    return KINDS.filter((kind) => !this.#counts.has(kind));
  }

  text(): string {
    return KINDS.map((kind) => `${String(this.#counts.get(kind) ?? 0)} ${kind}`).join(', ');
  }

  #add(kind: Kind, count = 1): void {
    if (count > 0) this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + count);
  }
}
