/**
 * What a flow redacts is redacted wherever something of it is recorded, also where it is too short to be looked for; what is
 * revealed is recorded nowhere. In memory: every byte that leaves the process is looked at.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { useClient } from '../../sdk/client/connect.ts';
import {
  artifacts,
  AssentError,
  emitEvent,
  flow,
  runLogger,
  secret,
  send,
  startRun,
  task,
  transaction,
  variables,
  type FlowOptions,
  type TaskOptions,
} from '../../sdk/index.ts';
import { forgetHidden } from '../../sdk/scrubber.ts';
import { decodeText } from '../../sdk/values.ts';
import { memoryWorkspace, type MemoryLink, type MemoryWorkspace } from './arbiter-in-memory.ts';

/** The first is so short that it is only known by its place. */
const CVV = 'Q+9';
const NUMBER = '4111-2222-3333';
const TRACES = /Q\+9|4111-2222|hunter2/;
type Card = { readonly number: string; readonly cvv: string; readonly holder: string };
const card: Card = { number: NUMBER, cvv: CVV, holder: 'Ada' };
const redact = ['card.number', 'card.cvv', 'number', 'cvv'];

let workspace: MemoryWorkspace;
let link: MemoryLink;
let proposed: string[];

beforeEach(async () => {
  workspace = await memoryWorkspace();
  const connected = await workspace.connect();
  ({ link } = connected);
  useClient(connected.client);
  proposed = [];
  const propose = link.propose.bind(link);
  link.propose = (session, batch) => {
    proposed.push(Buffer.from(batch).toString());
    propose(session, batch);
  };
});

afterEach(async () => {
  useClient(undefined);
  forgetHidden();
  await workspace.stop();
});

/** All that has left the process. */
async function left(): Promise<string> {
  const rulings = JSON.stringify(await workspace.rulings());
  return [...proposed, rulings, ...link.blobs.values(), ...link.logged.map(({ lines }) => lines)].join('\n');
}

const run = async (fn: (parameters: { card: Card }) => unknown, options: FlowOptions = {}): Promise<unknown> =>
  flow({ name: 'pay', redact, ...options }, fn)({ card }).catch((error: unknown) => error);

type Use = (card: Card) => unknown;
const use = (options: TaskOptions<[Card]>, fn: Use = ({ holder }) => holder): ((card: Card) => Promise<unknown>) =>
  task({ name: 'use', ...options }, fn);

test.each<[string, FlowOptions, (given: { card: Card }) => unknown]>([
  ['the inputs of a task with a key', {}, ({ card: one }) => use({ key: 'the card' })(one)],
  ['the inputs of a task of a strict flow', { strict: true }, ({ card: one }) => use({})(one)],
  ['a key', {}, ({ card: one }) => use({ key: ({ number }) => `card ${number}` })(one)],
  ['a key of the cache', {}, ({ card: one }) => use({ cacheKey: ({ number }) => `card ${number}` })(one)],
  ['the name of a task’s run', {}, ({ card: one }) => use({ runName: '{inputs[0].cvv} {parameters.card.cvv}' })(one)],
  ['the name of the run', { runName: 'pay {parameters.card.cvv} {inputs[0].card.number}' }, () => 1],
  [
    'the parameters of a subflow',
    {},
    (given) => flow({ name: 'sub' }, ({ card: one }: { card: Card }) => one.holder)(given),
  ],
  [
    'the parameters of a subflow in a transaction',
    {},
    (given) => transaction('t', () => flow({ name: 'sub' }, (one: Card) => one.holder)(given.card)),
  ],
  [
    'the parameters of a run that it starts',
    {},
    (given) =>
      startRun(
        flow({ name: 'other' }, (one: { card: Card }) => one.card.holder),
        given,
      ).then(({ id }) => id),
  ],
  [
    'the inputs of a run in the background',
    {},
    async ({ card: one }) => (await task({ name: 'later' }, (later: Card) => later.holder).delay(one)).id,
  ],
  ['a message', {}, ({ card: one }) => send('a'.repeat(16), 'card', one).catch(() => undefined)],
  ['an event', {}, ({ card: one }) => emitEvent('card', one)],
  ['a variable', {}, ({ card: one }) => variables.set('card', one)],
  ['an artifact', {}, ({ card: one }) => artifacts.table('cards', [one, { card: one }])],
  [
    'an artifact that is a text',
    {},
    ({ card: { number } }) => artifacts.markdown('card', `card ${number}`, { description: `card ${number}` }),
  ],
  ['an artifact of a task', {}, ({ card: one }) => use({}, (given) => artifacts.table('cards', [given]))(one)],
  [
    'the error of a task',
    {},
    ({ card: one }) =>
      use({}, ({ number }) => {
        throw new Error(`declined ${number}`);
      })(one),
  ],
  [
    'the cause of an error',
    {},
    ({ card: one }) =>
      use({}, (given) => {
        throw new Error('declined', { cause: new Error('so', { cause: given }) });
      })(one),
  ],
  [
    'what is thrown',
    {},
    ({ card: one }) =>
      use({}, (given) => {
        throw given as unknown as Error;
      })(one),
  ],
  [
    'the error of the flow',
    {},
    ({ card: one }) => {
      throw new Error('declined', { cause: { card: one } });
    },
  ],
  [
    'the error of a hook',
    {
      onRunning: ({ inputs }) => {
        throw new Error('no', { cause: inputs[0] });
      },
    },
    () => 1,
  ],
  [
    'the error of a task’s hook',
    {},
    ({ card: one }) =>
      use({
        onRunning: ({ inputs }) => {
          throw new Error('no', { cause: inputs[0] });
        },
      })(one),
  ],
  [
    'what is logged',
    {},
    ({ card: one }) => {
      runLogger().info({ deep: { in: { card: one } }, err: Object.assign(new Error('x'), { card: one }) }, 'x');
      runLogger().child({ card: one }).warn(`y`);
    },
  ],
  [
    'what a task logs',
    {},
    ({ card: one }) =>
      use({}, (given) => {
        runLogger().info({ given }, `of ${given.number}`);
      })(one),
  ],
  [
    'the error of a task that got it elsewhere',
    {},
    () =>
      task({ name: 'load' }, () => ({ ...card, number: '9999-hunter2' }))().then((one) =>
        use({}, ({ number }) => {
          throw new Error(number);
        })(one),
      ),
  ],
])('%s', async (_, options, fn) => {
  await run(fn, options);
  const text = (await left()).replaceAll('"result":{"digest"', '"result"');
  expect(text).toContain('pay');
  const results = /load/.test(text);
  expect(results ? text.replace(/"result".*?hunter2.*?\}/gs, '') : text).not.toMatch(TRACES);
});

test('a path that pino has no word for, or that is one of a line’s own', async () => {
  const odd = {
    'x-key': 'secret-1111',
    time: 'secret-2222',
    level: { a: 'secret-3333' },
    msg: 'secret-4444',
    list: ['secret-5555'],
  };
  const end = await run(
    () => {
      runLogger().info({ odd, ...odd }, 'said');
      return 'logged';
    },
    { redact: ['x-key', 'time', 'level', 'flowRun', 'list[*]', 'odd.msg', '["a]b"]'] },
  );
  expect(end).toBe('logged');
  const lines = link.logged.map(({ lines: all }) => all).join('');
  expect(lines).not.toMatch(/secret-[1235]/);
  const said = JSON.parse(lines.split('\n')[0]!) as Record<string, unknown>;
  expect(said['flowRun']).toMatch(/^[a-z0-9]{16}$/);
});

test('the description of an artifact that a flow makes holds nothing that was revealed', async () => {
  await run(async () => {
    const key = secret.literal('hunter2-key').reveal();
    await artifacts.markdown('a', `of ${key}`, { description: `of ${key}` });
    await artifacts.link('b', `https://example.org/?key=${key}`, { text: key });
    await variables.set('c', key, { tags: [key] });
  });
  expect(await left()).toMatch(/\*\*\*/);
  expect(await left()).not.toMatch(TRACES);
});

test('what a divergence says of the inputs', async () => {
  let nth = 0;
  const keyed = use({ key: 'the card' });
  const pay = flow({ name: 'pay', redact, retries: 1 }, async ({ card: one }: { card: Card }) => {
    nth += 1;
    await keyed({ ...one, holder: `Ada ${String(nth)}` });
    throw new Error('once more');
  });
  const error: unknown = await pay({ card }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(AssentError);
  expect((error as AssentError).kind).toBe('DIVERGED');
  expect((error as AssentError).message).toContain(
    'first difference: inputs[0].holder: Ada 1 was recorded, Ada 2 was given',
  );
  expect((error as AssentError).message).not.toMatch(TRACES);
  expect(await left()).not.toMatch(TRACES);
});

test('and what the flow computes with stays as it is', async () => {
  const seen: unknown[] = [];
  const end = await run(async ({ card: one }) => {
    seen.push(await use({ key: 'k' }, ({ cvv }) => cvv.length)(one));
    seen.push(await flow({ name: 'sub' }, ({ card: own }: { card: Card }) => own.number.length)({ card: one }));
    return seen;
  });
  expect(end).toEqual([3, 14]);
  const parameters = (await workspace.rulings()).flatMap((ruling) => {
    const { proposal } = ruling as unknown as { proposal?: { create?: { parameters?: { inline?: string } } } };
    return proposal?.create?.parameters?.inline ?? [];
  });
  expect(parameters.map((text) => JSON.stringify(decodeText(text)))).toContain(
    '[{"number":"***","cvv":"***","holder":"Ada"}]',
  );
});
