/** What the tests of transactions have in common: tasks that note what is done and undone, and what the ledger has of it. */
import type { RunId } from '../../protocol/ids.ts';
import { stateAfter } from '../../protocol/rulings.ts';
import { task, type CompletedCall } from '../../sdk/index.ts';
import type { MemoryWorkspace } from './arbiter-in-memory.ts';

/** What was done and what became of it, in order, and the idempotency keys of the hooks. */
export const seen: string[] = [];
export const keys = new Set<string>();
export function forgetAll(): void {
  seen.length = 0;
  keys.clear();
}

export const note =
  (what: string) =>
  ({ result, idempotencyKey }: CompletedCall): void => {
    seen.push(`${what} ${String(result)}`);
    keys.add(idempotencyKey);
  };

export const step = task({ name: 'step', onCommit: note('keep'), onRollback: note('undo') }, (name: string) => {
  seen.push(`do ${name}`);
  return name;
});

export const boom = (text = 'boom'): never => {
  throw new RangeError(text);
};

/** The states that runs of this name entered, as the ledger has them. */
export async function path(workspace: MemoryWorkspace, name: string): Promise<string[]> {
  const rulings = await workspace.rulings();
  const ids = new Set(
    rulings.flatMap(({ proposal: p }) => (p.kind !== 'workspace' && p.create?.name === name ? [p.run] : [])),
  );
  return rulings.flatMap((ruling) => {
    const { proposal } = ruling;
    const state = stateAfter(ruling);
    return proposal.kind !== 'workspace' && ids.has(proposal.run) && state !== undefined
      ? [`${state.type} ${state.name}`]
      : [];
  });
}

/** What is recorded of hooks: which, and whether it failed. */
export const hooksRan = async (workspace: MemoryWorkspace): Promise<string[]> =>
  (await workspace.rulings()).flatMap(({ proposal }) =>
    proposal.kind === 'workspace' && proposal.event.type === 'HOOK_RAN'
      ? [`${proposal.event.hook}${proposal.event.error === undefined ? '' : ' failed'}`]
      : [],
  );

export const rootRun = async (workspace: MemoryWorkspace): Promise<RunId> => {
  const first = (await workspace.rulings()).find(({ proposal }) => proposal.kind === 'flow')?.proposal;
  return first?.kind === 'flow' ? first.run : ('' as RunId);
};
