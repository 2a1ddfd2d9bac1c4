/**
 * Programs of chance whose process dies at any time, several times: all of them strict, so a call that another execution of
 * the same program did not make in its place would be refused.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunId } from '../../protocol/ids.ts';
import { useClient } from '../../sdk/client/connect.ts';
import {
  allowFailure,
  concurrent,
  failed,
  flow,
  flowRun,
  receive,
  send,
  sleep,
  task,
  transaction,
  variables,
} from '../../sdk/index.ts';
import { memoryWorkspace, type MemoryLink, type MemoryWorkspace } from './arbiter-in-memory.ts';

let workspace: MemoryWorkspace;

beforeEach(async () => {
  workspace = await memoryWorkspace();
});

afterEach(async () => {
  delete process.env['ASSENT_RESUME'];
  useClient(undefined);
  await workspace.stop();
});

/** From 0 to 1, the same for the same seed. */
function chanceOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const nap = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const nameOf = (error: unknown): string => (error as Error).name;

const roll = task({ name: 'roll' }, async (n: number) => {
  await nap(Math.random() * 6);
  return Math.floor(Math.random() * 3) + n;
});
const shaky = task({ name: 'shaky', retries: 1 }, async (n: number) => {
  await nap(Math.random() * 4);
  if (Math.random() < 0.5) throw new RangeError(`shaky ${String(n)}`);
  return n;
});
const add = task({ name: 'add' }, (a: unknown, b: unknown) => `${String(a)}+${String(b)}`);
const toss = task({ name: 'toss' }, (n: number) => n + Math.floor(Math.random() * 2));
const timed = task({ name: 'timed', timeout: '5s' }, async (n: number) => {
  await nap(Math.random() * 5);
  return n;
});
const within = flow({ name: 'within' }, async ({ n }: { n: number }) => {
  const [one, other = 0] = await toss.map([n, n + 1, n]).results();
  return add.submit(one, roll.submit(other));
});
const ends = flow({ name: 'ends' }, async ({ n }: { n: number }) => {
  if ((await toss(n)) % 2 === 0) throw new Error('even');
  return failed({ name: 'Odd', message: 'odd' });
});

type Step = (n: number) => unknown;
const steps: readonly Step[] = [
  (n) => roll(n),
  (n) => add(roll.submit(n), allowFailure(shaky.submit(n))),
  (n) => add(shaky.submit(n), roll.submit(n)).catch(nameOf),
  (n) => Promise.race([roll(n), timed(n), toss(n), sleep(3)]),
  (n) => Promise.all([roll.map([n, n, n]).results(), within({ n }), timed(n)]),
  (n) =>
    transaction('block', async (block) => {
      block.set('tossed', await toss(n));
      await roll(n);
      return block.get('tossed');
    }),
  (n) => Promise.allSettled(shaky.map([n, n, n + 1])),
  async (n) => {
    const rolled = roll.submit(n);
    const sum = add.submit(rolled, rolled);
    void toss(n);
    return [await sum, await rolled];
  },
  (n) => ends.submit({ n }).state(),
  async (n) => {
    const first = within.submit({ n: roll.submit(n) });
    await add
      .with({ waitFor: [first, shaky.submit(n)] })(1, 2)
      .catch(nameOf);
    return first;
  },
  async (n) => {
    await variables.set('tossed', await toss(n));
    await send(flowRun().id, 'note', n);
    return receive('note');
  },
  (n) =>
    Promise.all(
      [n, n + 1, n].map(async (one) => {
        const rolled = await roll(one);
        if (rolled % 2 === 0) return add(rolled, toss.submit(rolled));
        return Promise.any([shaky(rolled), timed(rolled)]).catch(nameOf);
      }),
    ),
];

const STEPS = 5;
const DEATHS_MAX = 4;

const programOf = (seed: number) =>
  flow(
    { name: 'program', strict: true, ...(seed % 3 === 0 ? { taskRunner: concurrent({ limit: 3 }) } : {}) },
    async () => {
      const chance = chanceOf(seed);
      for (let step = 0; step < STEPS; step += 1) {
        await steps[Math.floor(chance() * steps.length)]?.(Math.floor(chance() * 3));
      }
      return 'done';
    },
  );

/** The process says and hears nothing more, and its run is ruled crashed; undefined if it had none, or that was over. */
async function dies(link: MemoryLink): Promise<{ run: RunId; link: MemoryLink } | undefined> {
  link.mute = true;
  link.deaf = true;
  await nap(5);
  const next = await workspace.connect();
  useClient(next.client);
  const first = (await workspace.rulings()).find(({ proposal }) => proposal.kind === 'flow')?.proposal;
  if (first?.kind !== 'flow') return undefined;
  const { run } = first;
  const { execution = 0 } = (await next.client.runView(run)) ?? {};
  const to = { type: 'CRASHED', name: 'Crashed' } as const;
  const answer = await next.client.session.ask({ kind: 'flow', run, to, report: true, execution });
  return answer.outcome === 'rejected' ? undefined : { run, link: next.link };
}

test.each(Array.from({ length: 25 }, (_, seed) => seed))('the same calls are made again: program %d', async (seed) => {
  const connected = await workspace.connect();
  useClient(connected.client);
  const program = programOf(seed);
  let { link } = connected;
  let over = program();
  for (let deaths = 0; deaths < DEATHS_MAX; deaths += 1) {
    const isOver = await Promise.race([over.then(() => true), nap(5 + Math.random() * 30)]);
    if (isOver === true) break;
    // Whatever becomes of the dead process's promise, nobody hears of it.
    over.catch(() => undefined);
    const survived = await dies(link);
    if (survived === undefined) return;
    ({ link } = survived);
    process.env['ASSENT_RESUME'] = survived.run;
    over = program();
  }
  expect(await over).toBe('done');
});
