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

/** A ruling: the state that was asked for, or that it was rewritten to. */
export type Ruled = {
  readonly kind: string;
  readonly run: string;
  readonly outcome: string;
  readonly type: string;
  readonly name: string;
};

/** The entries of an exported ledger, as they were stored. */
export async function entryLines(exported: string): Promise<string[]> {
  const texts = (await readFile(exported, 'utf8')).trimEnd().split('\n');
  return texts
    .map((text) => line.parse(JSON.parse(text)))
    .flatMap(({ kind, text = '' }) => (kind === 'segment' ? text.split('\n') : []))
    .filter((text) => text.startsWith('{'));
}

/** Every ruling on any run, in the order of the ledger. */
export function rulingsIn(lines: readonly string[]): Ruled[] {
  return lines
    .map((text) => entry.parse(JSON.parse(text)))
    .flatMap(({ type, outcome = '', state: ruled, proposal }) => {
      const to = ruled ?? proposal?.to;
      if (type !== 'RULING' || proposal?.run === undefined || to === undefined) return [];
      return [{ kind: proposal.kind, run: proposal.run, outcome, type: to.type, name: to.name ?? '' }];
    });
}

export const hasEntered = ({ outcome }: Ruled): boolean => outcome === 'accepted' || outcome === 'rewritten';

/** The task runs that were at work once more after they had completed. */
export function ranAgain(rulings: readonly Ruled[]): string[] {
  const completed = new Set<string>();
  const again = new Set<string>();
  for (const { kind, run, type } of rulings.filter(hasEntered)) {
    if (kind !== 'task') continue;
    if (type === 'COMPLETED') completed.add(run);
    if (type === 'RUNNING' && completed.has(run)) again.add(run);
  }
  return [...again];
}
