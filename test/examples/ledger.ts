/** What the ledger says of the examples, read from an export: the file that anybody can read without an engine. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';

const line = z.looseObject({ kind: z.string(), text: z.string().optional() });
const state = z.looseObject({ type: z.string(), name: z.string().optional() });
const entry = z.looseObject({
  type: z.string().optional(),
  outcome: z.string().optional(),
  state: state.optional(),
  proposal: z.looseObject({ kind: z.string(), run: z.string().optional(), to: state.optional() }).optional(),
});

/** A state that a run has entered. */
export type Entered = { readonly kind: string; readonly run: string; readonly type: string; readonly name: string };

/** Every state that any run has entered, in the order of the ledger. */
export async function enteredStates(exported: string): Promise<Entered[]> {
  const texts = (await readFile(exported, 'utf8')).trimEnd().split('\n');
  return texts
    .map((text) => line.parse(JSON.parse(text)))
    .flatMap(({ kind, text = '' }) => (kind === 'segment' ? text.split('\n') : []))
    .filter((text) => text.startsWith('{'))
    .map((text) => entry.parse(JSON.parse(text)))
    .flatMap(({ type, outcome = '', state: ruled, proposal }) => {
      const to = ruled ?? proposal?.to;
      if (type !== 'RULING' || proposal?.run === undefined || to === undefined) return [];
      if (outcome !== 'accepted' && outcome !== 'rewritten') return [];
      return [{ kind: proposal.kind, run: proposal.run, type: to.type, name: to.name ?? '' }];
    });
}

/** The task runs that were at work once more after they had completed. */
export function ranAgain(entered: readonly Entered[]): string[] {
  const completed = new Set<string>();
  const again = new Set<string>();
  for (const { kind, run, type } of entered) {
    if (kind !== 'task') continue;
    if (type === 'COMPLETED') completed.add(run);
    if (type === 'RUNNING' && completed.has(run)) again.add(run);
  }
  return [...again];
}
