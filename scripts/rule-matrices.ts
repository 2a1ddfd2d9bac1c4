/**
 * What becomes of every wish, by policy: tables for docs/rules.md, made by asking the real rules. The facts are those of
 * the plain case, which the legend names; test/property/lifecycle.model.test.ts goes through all the others.
 */
import type { EpochMs } from '../protocol/ids.ts';
import { DEFAULT_NAMES, isTerminal, type State, type StateType } from '../protocol/states.ts';
import { court, judge, type PolicyName, type Verdict } from '../rules/judge.ts';
import { corePolicies } from '../rules/policy.ts';
import type { Facts, FromType, RunKind, Transition } from '../rules/rule.ts';
import { ANY_STATE, FROM_ANY } from '../rules/state-sets.ts';

const NOW_MS = 1_000_000 as EpochMs;
const REASON = 'it was wrong';

/** What the cells mean, and in which case; stands above the tables. */
export const MATRIX_LEGEND = [
  'Under each policy stands what becomes of every wish: from the state in the row to the one in the column. **A**: it is ' +
    'accepted; **→ X**: it becomes X instead; **R**: it is rejected, with the code of that number; **H**: it waits. That is ' +
    'the plain case: whoever executes the run asks, in the name of the current execution (RUNNING of a run of its own is ' +
    'a claim), and says no reason; the run is due, a worker can find it, one retry is left, the run completed without a ' +
    'result, it is paused and not suspended, no limit is set, nothing is cached; the flow run around it runs, in the ' +
    'execution and round in which the call last ran. Behind a stroke: what becomes of it with a reason, where that is ' +
    'different.',
  'What holds in every case, not only in this one, is checked by ' +
    '[lifecycle.model](../test/property/lifecycle.model.test.ts), which goes through every combination of states, ways of ' +
    'asking and facts at their edges, and by [lifecycle.walk](../test/property/lifecycle.walk.test.ts), which lets ' +
    'everybody ask everything in every order: no end is left without an actor and a reason (but by resuming what crashed ' +
    'or failed, or by making a call again), what is being cancelled ends by time alone, and from every state there is a ' +
    'way to an end that nobody has to force.',
].join('\n\n');

/** From where to where, and what comes of it. */
export function verdictMatrix(policy: PolicyName): string {
  const codes: string[] = [];
  const rows = FROM_ANY.map((from) => {
    const cells = ANY_STATE.map((to) => cellOf(policy, from, to, codes));
    return `| **${from}** | ${cells.join(' | ')} |`;
  });
  const legend = codes.map((code, index) => `R${String(index + 1)}: \`${code}\``);
  return [
    policy === 'forced' ? 'What becomes of an override that says why:' : 'What becomes of a wish in the plain case:',
    [`| from \\ to | ${ANY_STATE.join(' | ')} |`, `| --- |${' --- |'.repeat(ANY_STATE.length)}`, ...rows].join('\n'),
    ...(legend.length === 0 ? [] : [legend.join(', ')]),
  ].join('\n\n');
}

function cellOf(policy: PolicyName, from: FromType, to: StateType, codes: string[]): string {
  // Without a reason an override is nothing: its plain case has one.
  if (policy === 'forced') return shown(verdictOn(policy, from, to, { reason: REASON }), codes);
  const plain = shown(verdictOn(policy, from, to, {}), codes);
  const reasoned = shown(verdictOn(policy, from, to, { reason: REASON }), codes);
  return plain === reasoned ? plain : `${plain} / ${reasoned}`;
}

function shown({ outcome, to, code = '' }: Verdict, codes: string[]): string {
  switch (outcome) {
    case 'accepted':
      return 'A';
    case 'rewritten':
      return `→ ${to.type}`;
    case 'held':
      return 'H';
    case 'rejected':
      if (!codes.includes(code)) codes.push(code);
      return `R${String(codes.indexOf(code) + 1)}`;
  }
}

const theCourt = court(corePolicies);

function verdictOn(policy: PolicyName, from: FromType, to: StateType, more: Pick<Transition, 'reason'>): Verdict {
  const kind: RunKind = policy === 'forced' ? 'flow' : policy;
  const isRoot = kind === 'flow' || kind === 'background';
  const asked: Transition = {
    kind,
    from: from === 'NONE' ? undefined : stateOf(from),
    to: stateOf(to),
    report: from === 'RUNNING' && isTerminal({ type: to }),
    claim: isRoot && to === 'RUNNING' && from !== 'PAUSED',
    by: 'sdk',
    ...(policy === 'forced' ? { forced: true } : {}),
    ...more,
  };
  const hasRun = from !== 'NONE' && from !== 'SCHEDULED' && from !== 'PENDING';
  return judge(theCourt, asked, () => plainFacts(isRoot, hasRun));
}

function stateOf(type: StateType): State {
  const name = DEFAULT_NAMES[type];
  return type === 'SCHEDULED' ? { type, name, dueAtMs: NOW_MS } : { type, name };
}

function plainFacts(isRoot: boolean, hasRun: boolean): Facts {
  return {
    nowMs: NOW_MS,
    execution: { current: 1, asked: 1 },
    version: { current: 1 },
    attempt: hasRun ? 1 : 0,
    retry: { used: 0, retriesMax: 1, delaysMs: [], jitter: 0 },
    run: { name: 'work', tags: [] },
    inHands: true,
    pauses: [],
    resume: { byWorker: true, used: 0 },
    chance: 0,
    slots: [],
    graceMs: 30_000,
    ...(isRoot ? {} : { flow: { type: 'RUNNING', round: 0 } }),
    ...(isRoot || !hasRun ? {} : { ran: { execution: 1, round: 0 } }),
  };
}
