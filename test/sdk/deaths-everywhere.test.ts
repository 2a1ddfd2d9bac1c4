/**
 * Flows of random shape whose process dies at any of its proposals, right before it or right after, or which are cancelled
 * there. The process that goes on comes to the end that there would have been; a cancelled one leaves nothing half done. In
 * memory, with the real arbiter; by seed.
 */
import { afterEach, expect, test } from 'vitest';
import { decidingEntry, stateAfter } from '../../protocol/rulings.ts';
import { isTerminal } from '../../protocol/states.ts';
import { useClient } from '../../sdk/client/connect.ts';
import { Seeded } from '../support/seeded.ts';
import { memoryWorkspace, type MemoryLink, type MemoryWorkspace } from './arbiter-in-memory.ts';
import { rootRun } from './transaction-steps.ts';
import { gate } from './waiting.ts';
import { crash } from './workers-in-memory.ts';
import { later, Outside, scriptOf, worldBy, type Shape, type World } from './worlds-of-calls.ts';

let workspace: MemoryWorkspace;
let link: MemoryLink;

afterEach(() => {
  delete process.env['ASSENT_RESUME'];
  useClient(undefined);
});

/** Storing what is large takes a while, and not always the same. */
async function connect(): Promise<void> {
  const connected = await workspace.connect();
  const mine = connected.link;
  const put = mine.putBlob.bind(mine);
  mine.putBlob = async (digest, text) => {
    for (let turns = Math.floor(Math.random() * 6); turns > 0; turns -= 1) await later();
    await put(digest, text);
  };
  link = mine;
  useClient(connected.client);
}

/** Where something happens to the process: at its proposal of this number, before that leaves or after. */
type Moment = { readonly at: number; readonly isSent: boolean };
const NEVER: Moment = { at: Number.POSITIVE_INFINITY, isSent: true };

/** `happens` says whether the process has died by it. Resolves with how many proposals there are, when it happens. */
function watch(
  { at, isSent }: Moment,
  happens: () => boolean,
): { readonly moment: Promise<undefined>; count: () => number } {
  const moment = gate();
  const watched = link;
  const propose = watched.propose.bind(watched);
  const seen = new Set<number>();
  let isOver = false;
  let isDead = false;
  watched.propose = (session, batch) => {
    if (isDead) return;
    const { v, proposals } = JSON.parse(Buffer.from(batch).toString()) as { v: 1; proposals: { counter: number }[] };
    const before = proposals.filter(({ counter }) => seen.add(counter).size < at || (seen.size === at && isSent));
    if (!isOver && seen.size >= at) {
      isOver = true;
      isDead = happens();
      moment.open();
    }
    const sent = isDead ? before : proposals;
    if (sent.length > 0) propose(session, Buffer.from(JSON.stringify({ v, proposals: sent })));
  };
  return { moment: moment.opened, count: () => seen.size };
}

const textOf = (outcome: Promise<unknown>): Promise<string> => outcome.then((value) => JSON.stringify(value), String);

type End = {
  /** Undefined: the process died when its run had ended. */
  readonly outcome: string | undefined;
  readonly outside: Outside;
  readonly proposals: number;
  readonly runs: readonly string[];
  readonly problems: readonly string[];
};

async function executed(world: World, moment: Moment): Promise<End> {
  workspace = await memoryWorkspace();
  await connect();
  const outside = new Outside();
  const dying = link;
  const { moment: died, count } = watch(moment, () => {
    dying.deaf = true;
    outside.life += 1;
    return true;
  });
  let outcome = await Promise.race([textOf(scriptOf(world, outside)()), died]);
  if (outcome === undefined) outcome = await startedAgain(world, outside);
  const end = { outcome, outside, proposals: count(), ...(await recorded()) };
  useClient(undefined);
  await workspace.stop();
  return end;
}

async function startedAgain(world: World, outside: Outside): Promise<string | undefined> {
  // What it has sent is ruled on.
  for (let turns = 0; turns < 6; turns += 1) await later();
  const run = await rootRun(workspace);
  if (run !== '') await crash(workspace, run);
  const state = workspace.arbiter.workspace.runs.get(run)?.state;
  if (state !== undefined && state.type !== 'CRASHED') return undefined;
  await connect();
  if (run !== '') process.env['ASSENT_RESUME'] = run;
  return textOf(scriptOf(world, outside)());
}

/** How the calls ended, by names, because ids depend on the run's; and what must not be. */
async function recorded(): Promise<Pick<End, 'runs' | 'problems'>> {
  const runs = new Map<string, string>();
  const problems: string[] = [];
  for (const ruling of await workspace.rulings()) {
    const { proposal, trail } = ruling;
    const state = stateAfter(ruling);
    if (proposal.kind === 'workspace') continue;
    if (decidingEntry(trail)?.code === 'DIVERGED') problems.push(`${proposal.run} diverged`);
    if (state === undefined || !proposal.run.includes('.')) continue;
    if (state.type === 'RUNNING' && runs.get(proposal.run)?.startsWith('COMPLETED') === true)
      problems.push(`${proposal.run} ran again`);
    // An error is recorded with where it was thrown.
    const result = state.type === 'COMPLETED' && !proposal.run.includes('.rollback-') ? state.result?.inline : '';
    runs.set(proposal.run, `${state.type} ${result ?? ''}`);
  }
  const names = [...runs].map(([run, end]) => `${run.slice(run.indexOf('.')).replaceAll(/-[0-9a-f]{16}/g, '')} ${end}`);
  return { runs: names.sort(), problems };
}

/** Of a flow that was tried again, whatever broke off in the first attempt was another one in another execution. */
const isTriedAgain = (world: World): boolean => JSON.stringify(world).includes('RETRIED');

function expectAlike(end: End, whole: End, world: World): void {
  if (end.outcome !== undefined) expect(end.outcome).toBe(whole.outcome);
  expect(end.problems).toEqual([]);
  for (const what of ['keep', 'undo']) {
    expect([...new Set(end.outside.hooked(what))]).toEqual([...new Set(whole.outside.hooked(what))]);
  }
  if (!isTriedAgain(world)) expect(end.runs).toEqual(whole.runs);
}

const SEEDS = Number(process.env['SEEDS'] ?? 12);
const ONLY = process.env['SEED'];
const seeds = ONLY === undefined ? Array.from({ length: SEEDS }, (_, i) => i + 1) : [Number(ONLY)];
/** Moments of each world; of one that is asked for, all. */
const MOMENTS = 12;

const everywhere = (proposals: number): Moment[] =>
  Array.from({ length: 2 * proposals }, (_, i) => ({ at: 1 + (i >> 1), isSent: i % 2 === 1 }));

function momentsOf(seed: number, proposals: number): Moment[] {
  const all = everywhere(proposals);
  if (ONLY !== undefined || process.env['SEEDS'] !== undefined) return all;
  const every = Math.max(1, Math.floor(all.length / MOMENTS));
  return all.filter((_, i) => i % every === seed % every);
}

async function expectAlikeEverywhere(world: World, momentsIn: (proposals: number) => readonly Moment[]): Promise<void> {
  const whole = await executed(world, NEVER);
  for (const moment of momentsIn(whole.proposals)) {
    const end = await executed(world, moment);
    try {
      expectAlike(end, whole, world);
    } catch (error) {
      throw new Error(`${JSON.stringify(moment)} of ${JSON.stringify(world)}`, { cause: error });
    }
  }
}

test.each(seeds)('seed %i: wherever it dies, it ends alike (again: SEED=<seed>)', { timeout: 60_000 }, async (seed) => {
  await expectAlikeEverywhere(worldBy(new Seeded(seed)), (proposals) => momentsOf(seed, proposals));
});

const step = (name: string): Shape => ({ type: 'STEP', name });
const big = (name: string): Shape => ({ type: 'BIG', name });
const together: readonly [string, Shape][] = [
  [
    'transactions and flows',
    {
      type: 'ALL',
      parts: [
        { type: 'SERIALIZABLE', name: 'n2', part: step('n3') },
        { type: 'FLOW', name: 'n4', part: step('n5') },
      ],
    },
  ],
  [
    'calls that say much',
    { type: 'ALL', parts: [big('n2'), { type: 'FLOW', name: 'n11', part: step('n3') }, big('n4'), step('n5')] },
  ],
];

test.each(together)('a strict flow begins %s in the order in which it calls them', async (_, shape) => {
  await expectAlikeEverywhere({ shape, fails: false, strict: true }, everywhere);
});

async function cancelled(world: World, moment: Moment): Promise<readonly string[]> {
  workspace = await memoryWorkspace();
  await connect();
  const outside = new Outside();
  const other = await workspace.connect();
  watch(moment, () => {
    void rootRun(workspace).then((run) => {
      const to = { type: 'CANCELLING', name: 'Cancelling' } as const;
      if (run !== '') other.client.session.propose({ kind: 'flow', run, to }, () => undefined);
    });
    return false;
  });
  await textOf(scriptOf(world, outside)());
  for (let turns = 0; turns < 10; turns += 1) await later();
  const runs = [...workspace.arbiter.workspace.runs.entries()];
  const [kept, undone] = [outside.hooked('keep'), outside.hooked('undo')];
  const ended = runs.filter(
    ([run, { state }]) => /\.all-.*\.(step|shaky)-[0-9a-f]+$/.test(run) && state.type === 'COMPLETED',
  );
  useClient(undefined);
  await workspace.stop();
  return [
    ...runs.flatMap(([run, { state }]) => (isTerminal(state) ? [] : [`${run} is ${state.type}`])),
    ...kept.filter((name) => undone.includes(name)).map((name) => `${name} was kept and undone`),
    ...(ended.length === kept.length + undone.length
      ? []
      : [`of ${String(ended.length)} calls not all are kept or undone`]),
  ];
}

test.each(seeds)('seed %i: wherever it is cancelled, nothing is half done', { timeout: 60_000 }, async (seed) => {
  const world = worldBy(new Seeded(seed));
  if (isTriedAgain(world)) return;
  const { proposals } = await executed(world, NEVER);
  for (const moment of momentsOf(seed, proposals).filter(({ isSent }) => isSent)) {
    expect(await cancelled(world, moment), `${JSON.stringify(moment)} of ${JSON.stringify(world)}`).toEqual([]);
  }
});
