/**
 * What the code of runs leaves behind for people: artifacts with their history, the outcomes of hooks; and the variables
 * of the workspace as they stand.
 */
import type { ArtifactMade, HookRan, Proposal, VariableSet, WorkspaceEvent } from '../../protocol/proposals.ts';
import type { Position } from '../../protocol/rulings.ts';
import type { Bound, ViewFile } from './view-file.ts';

type Left = ArtifactMade | HookRan | VariableSet | Extract<WorkspaceEvent, { readonly type: 'VARIABLE_REMOVED' }>;
type When = { readonly atMs: number; readonly at: Position };

export class WorkspaceRows {
  readonly #file: ViewFile;
  /** Statements in the order of the ledger: what is set and removed again must end as removed. */
  #changes: (readonly [sql: string, values: readonly Bound[]])[] = [];

  constructor(file: ViewFile) {
    this.#file = file;
  }

  /** `proposal` is the one that is the event, or that carries it. */
  take(event: Left, proposal: Proposal, { atMs, at }: When): void {
    const place = [at.seq, at.index, atMs] as const;
    switch (event.type) {
      case 'ARTIFACT_MADE': {
        const { run, key, kind, description } = event;
        this.#changes.push([OUTDATE, [run, key]]);
        const actor = this.#file.numberOf(proposal.by);
        this.#changes.push([ADD_ARTIFACT, [run, key, ...place, kind, description ?? null, actor]]);
        break;
      }
      case 'HOOK_RAN': {
        const { run, hook, function: name, error } = event;
        this.#changes.push([ADD_HOOK, [run, ...place, hook, name ?? null, error === undefined ? 0 : 1]]);
        break;
      }
      case 'VARIABLE_SET': {
        const { name, value, tags = [] } = event;
        const by = proposal.onBehalfOf ?? proposal.by;
        const run = proposal.kind === 'workspace' ? null : proposal.run;
        const kept = tags.length === 0 ? null : JSON.stringify(tags);
        this.#changes.push([SET, [name, JSON.stringify(value), kept, by, atMs, run, at.seq, at.index]]);
        break;
      }
      case 'VARIABLE_REMOVED':
        this.#changes.push([REMOVE, [event.name]]);
        break;
    }
  }

  /** Within a transaction. */
  write(): void {
    for (const [sql, values] of this.#changes) this.#file.prepare(sql).run(...values);
  }

  /** After the transaction. */
  written(): void {
    this.#changes = [];
  }
}

const OUTDATE = 'UPDATE artifacts SET newest = 0 WHERE run = ? AND key = ? AND newest = 1';
const ADD_ARTIFACT = `INSERT INTO artifacts (run, key, seq, idx, at_ms, kind, description, actor, newest)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)`;
const ADD_HOOK = 'INSERT INTO hooks (run, seq, idx, at_ms, hook, function, failed) VALUES (?, ?, ?, ?, ?, ?, ?)';
const SET = `INSERT OR REPLACE INTO variables (name, value, tags, set_by, at_ms, run, seq, idx)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;
const REMOVE = 'DELETE FROM variables WHERE name = ?';
