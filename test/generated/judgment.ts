/** A world that is over, judged by its ledger and its effects. */
import type { RunId } from '../../protocol/ids.ts';
import { rootOf } from '../../protocol/proposals.ts';
import { isTerminal } from '../../protocol/states.ts';
import type { Client } from '../../sdk/client/client.ts';
import { errorOf } from '../../sdk/outcomes.ts';
import { effectProblems, leftovers, ledgerProblems } from './checks.ts';
import { Explanation, outcomeText, type Outcome } from './explanation.ts';
import { folded, type Line, type Run } from './ledger.ts';
import type { Effect } from './outside.ts';
import type { Program } from './program.ts';

export type Case = {
  readonly program: Program;
  readonly world: string;
  readonly lines: readonly Line[];
  readonly effects: readonly Effect[];
  /** Reads what does not stand inline. */
  readonly reader: Client;
};

/** Flow runs of their own: there should be one. */
export const rootsOf = (lines: readonly Line[]): readonly Run[] =>
  [...folded(lines).runs.entries()].map(([, run]) => run).filter(({ id }) => rootOf(id) === id);

/** The run has ended, though nobody may have heard of it. A crashed one has not. */
export const isOver = (lines: readonly Line[]): boolean =>
  rootsOf(lines).some(({ state }) => isTerminal(state) && state.type !== 'CRASHED');

/** What the ledger says that the run came to. */
export async function outcomeOf(reader: Client, lines: readonly Line[]): Promise<Outcome | undefined> {
  const state = rootsOf(lines)[0]?.state;
  if (state === undefined) return undefined;
  if (state.type === 'COMPLETED') return { type: 'COMPLETED', value: await reader.read(state.result) };
  return { type: 'FAILED', error: await errorOf(reader, state, 'The run') };
}

export async function judged(one: Case): Promise<{ outcome: Outcome | undefined; problems: string[] }> {
  const { program, world, lines, effects, reader } = one;
  const [root, ...others] = rootsOf(lines);
  if (root === undefined) return { outcome: undefined, problems: ['K0 there is no run'] };
  const problems = others.map(({ id }) => `K0 there is another run, ${id}`);
  problems.push(...ledgerProblems(lines), ...leftovers(lines, world));
  problems.push(...(await effectProblems(lines, effects, (value) => reader.read(value))));
  const outcome = await outcomeOf(reader, lines);
  const explanation = new Explanation(program, world, lines, reader);
  const explained = await explanation.of(root.id);
  problems.push(...explanation.problems);
  const [came, should] = [outcome, explained].map((text) => (text === undefined ? 'nothing' : outcomeText(text)));
  if (came !== should) problems.push(`K0 the run came to ${String(came)}, explained is ${String(should)}`);
  for (const [id] of folded(lines).runs.entries()) {
    if (!explanation.called.has(id as RunId)) problems.push(`K0 ${id} is a call that nothing explains`);
  }
  return { outcome, problems };
}
