/** Workers for the workspace in memory: each execution has a process of its own. And what the ledger says of a run. */
import type { Dispatch } from '../../engine/arbiter/effects.ts';
import type { RunId } from '../../protocol/ids.ts';
import type { Ruling } from '../../protocol/rulings.ts';
import type { State } from '../../protocol/states.ts';
import { executed } from '../../sdk/flow-call.ts';
import { planFor, servedBy } from '../../sdk/served.ts';
import type { MemoryLink, MemoryWorkspace } from './arbiter-in-memory.ts';

export const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 3));

export type Workers = {
  /** How each execution has ended: `done`, or by an error of this class. */
  readonly ends: readonly string[];
  /** All lines that their runs have logged. */
  logged(): string[];
  /** Those that are at work are to end; what is handed out from now on goes to others. */
  release(): void;
  stop(): void;
};

/** Execute what is handed out of these flows. */
export function workersOf(workspace: MemoryWorkspace, ...flows: readonly unknown[]): Workers {
  const served = servedBy('workersOf', flows);
  const ends: string[] = [];
  const links: MemoryLink[] = [];
  let next = 0;
  let stopped = false;
  let ending = new AbortController();
  const execute = async (dispatch: Dispatch): Promise<void> => {
    if (!served.flows.has(dispatch.name)) return;
    const { client, link } = await workspace.connect();
    const released = ending.signal;
    const plan = planFor(client, served, { v: 1, ...dispatch });
    if (plan === undefined) return;
    links.push(link);
    client.beginWork();
    await executed({ ...plan, released }).then(
      () => ends.push('done'),
      (error: unknown) => ends.push((error as Error).constructor.name),
    );
    client.endWork();
  };
  const look = (): void => {
    if (stopped) return;
    for (const hint of workspace.hints.slice(next)) void execute(hint);
    next = workspace.hints.length;
    setTimeout(look, 3);
  };
  look();
  return {
    ends,
    logged: () => links.flatMap(({ logged }) => logged).flatMap(({ lines }) => lines.split('\n')),
    release: () => {
      const old = ending;
      ending = new AbortController();
      old.abort();
    },
    stop: () => {
      stopped = true;
    },
  };
}

type Moved = { readonly to: State; readonly atMs: number };

/** What the ledger says of a run, and of the calls of a name. */
export class Said {
  readonly #workspace: MemoryWorkspace;

  constructor(workspace: MemoryWorkspace) {
    this.#workspace = workspace;
  }

  state(run: string): State | undefined {
    return this.#workspace.arbiter.workspace.runs.get(run)?.state;
  }

  /** Resolves with the run's state when it is of this type; the run may still have to get its id. */
  async until(run: () => string, type: State['type']): Promise<State> {
    for (;;) {
      const state = run() === '' ? undefined : this.state(run());
      if (state?.type === type) return state;
      await turn();
    }
  }

  /** All that was ruled about calls of this name. */
  async about(call: string): Promise<Ruling[]> {
    return (await this.#workspace.rulings()).filter(
      ({ proposal }) => proposal.kind !== 'workspace' && proposal.run.includes(`.${call}-`),
    );
  }

  /** Where calls of this name have gone, as it was asked for. */
  async moves(call: string): Promise<Moved[]> {
    return (await this.about(call)).flatMap(({ outcome, proposal, atMs }) =>
      outcome === 'accepted' && proposal.kind !== 'workspace' ? [{ to: proposal.to, atMs }] : [],
    );
  }

  /** Times that a run was paused. */
  async pauses(run: string): Promise<number> {
    return (await this.#workspace.rulings()).filter(
      ({ outcome, proposal }) =>
        outcome === 'accepted' && proposal.kind === 'flow' && proposal.run === run && proposal.to.type === 'PAUSED',
    ).length;
  }
}

/** When the one sleep that there was was to be over, as it was said each time, and when it was. */
export async function sleepOf(said: Said): Promise<{ readonly dueMs: readonly number[]; readonly overMs: number }> {
  const moves = await said.moves('sleep');
  const due = moves.flatMap(({ to }) => (to.type === 'SCHEDULED' ? [to.dueAtMs] : []));
  return { dueMs: [...new Set<number>(due)], overMs: moves.find(({ to }) => to.type === 'RUNNING')?.atMs ?? 0 };
}

/** What the arbiter rules when it hears of a process no more. */
export async function crash(workspace: MemoryWorkspace, run: string): Promise<void> {
  const { client } = await workspace.connect();
  const execution = (await client.runView(run as RunId))?.execution ?? 0;
  const to: State = { type: 'CRASHED', name: 'Crashed' };
  await client.session.ask({ kind: 'flow', run: run as RunId, to, report: true, execution });
}
