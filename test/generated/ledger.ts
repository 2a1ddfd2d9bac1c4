/** The ledger of a workspace as it is written, sorted by the worlds whose runs it is about. */
import type { RunId } from '../../protocol/ids.ts';
import { rootOf } from '../../protocol/proposals.ts';
import type { Position, Ruling } from '../../protocol/rulings.ts';
import { decodeEntry, decodeSegment } from '../../protocol/segment.ts';
import { Workspace } from '../../engine/fold/workspace.ts';
import { evolve } from '../../engine/fold/evolve.ts';
import type { Run } from '../../engine/fold/workspace.ts';
import type { Follower, Log } from '../../engine/log/port.ts';
import { limitName, mainName } from './bound.ts';

export type Line = { readonly ruling: Ruling; readonly line: string; readonly at: Position };

const WORLD_OF_MAIN = new RegExp(`^${mainName('(.*)')}$`);
const WORLD_OF_LIMIT = new RegExp(`^${limitName('(.*)')}$`);

export class Ledger {
  readonly #lines = new Map<string, Line[]>();
  readonly #worlds = new Map<RunId, string>();
  readonly #watches = new Set<() => void>();
  #follower: Follower | undefined;
  /** The last segment that was read. */
  lastSeq = 0;

  static async follow(log: Log): Promise<Ledger> {
    const ledger = new Ledger();
    ledger.#follower = await log.follow(1, ({ seq, bytes }) => {
      ledger.#take(seq, bytes);
    });
    return ledger;
  }

  of(world: string): readonly Line[] {
    return this.#lines.get(world) ?? [];
  }

  /** Resolves when it is true of the world's lines; rejects after `limitMs`. */
  until(what: string, limitMs: number, isTrue: () => boolean): Promise<void> {
    if (isTrue()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => {
        this.#watches.delete(look);
        reject(new Error(`${what}: not within ${String(limitMs)} ms`));
      }, limitMs);
      const look = (): void => {
        if (!isTrue()) return;
        clearTimeout(limit);
        this.#watches.delete(look);
        resolve();
      };
      this.#watches.add(look);
    });
  }

  forget(world: string): void {
    this.#lines.delete(world);
  }

  stop(): void {
    this.#follower?.stop();
  }

  #take(seq: number, bytes: Uint8Array): void {
    const decoded = decodeSegment(bytes);
    if (!decoded.ok) throw new Error(decoded.problem);
    decoded.segment.lines.forEach((line, index) => {
      const entry = decodeEntry(line);
      if (entry.type !== 'RULING') return;
      const world = this.#worldOf(entry);
      if (world === undefined) return;
      const lines = this.#lines.get(world);
      const added = { ruling: entry, line, at: { seq, index } };
      if (lines === undefined) this.#lines.set(world, [added]);
      else lines.push(added);
    });
    this.lastSeq = seq;
    for (const look of [...this.#watches]) look();
  }

  #worldOf({ proposal }: Ruling): string | undefined {
    if (proposal.kind === 'workspace') {
      return proposal.event.type === 'LIMIT_SET' ? WORLD_OF_LIMIT.exec(proposal.event.limit)?.[1] : undefined;
    }
    const root = rootOf(proposal.run);
    const named = proposal.run === root ? WORLD_OF_MAIN.exec(proposal.create?.name ?? '')?.[1] : undefined;
    if (named !== undefined) this.#worlds.set(root, named);
    return this.#worlds.get(root);
  }
}

export type { Run };

/** One ruling's effect: the run as it was, and as it is after it. */
export type Step = Line & {
  readonly before: Run | undefined;
  readonly after: Run | undefined;
  readonly workspace: Workspace;
};

/** Folds a world's lines one by one. */
export function* steps(lines: readonly Line[]): Generator<Step> {
  const workspace = new Workspace();
  for (const { ruling, line, at } of lines) {
    const { proposal } = ruling;
    const run = proposal.kind === 'workspace' ? undefined : proposal.run;
    const before = run === undefined ? undefined : workspace.runs.get(run);
    evolve(workspace, ruling, line, at);
    yield { ruling, line, at, before, after: run === undefined ? undefined : workspace.runs.get(run), workspace };
  }
}

export function folded(lines: readonly Line[]): Workspace {
  let workspace = new Workspace();
  for (const step of steps(lines)) workspace = step.workspace;
  return workspace;
}

/** For whoever reads of a failure: one ruling a line. */
export function linesText(lines: readonly Line[]): string {
  return lines.map(({ ruling }) => lineText(ruling)).join('\n');
}

function lineText({ proposal, outcome, trail, atMs, state }: Ruling): string {
  if (proposal.kind === 'workspace') return `${outcome} ${proposal.event.type}`;
  const said = trail.flatMap((entry) => (typeof entry === 'string' ? [] : [`${entry.rule}: ${entry.why}`]));
  const execution = proposal.execution === undefined ? '' : ` in execution ${String(proposal.execution)}`;
  const to = state === undefined ? proposal.to.name : `${proposal.to.name} as ${state.name}`;
  return `${String(atMs % 100_000)} ${outcome} ${proposal.id}${execution}: ${proposal.run} ${to} ${said.join('; ')}`;
}
