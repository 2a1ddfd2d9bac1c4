/** Whatever takes options or arguments says which of them is wrong, at once, and takes no unknown ones. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { useClient } from '../../sdk/client/connect.ts';
import * as assent from '../../sdk/index.ts';
import { memoryWorkspace, type MemoryWorkspace } from './arbiter-in-memory.ts';

let workspace: MemoryWorkspace;
beforeAll(async () => {
  workspace = await memoryWorkspace();
  useClient((await workspace.connect()).client);
});
afterAll(async () => {
  useClient(undefined);
  await workspace.stop();
});

const { flow, task } = assent;
const one = flow({ name: 'one' }, () => 1);
const inFlow = (act: () => unknown): Promise<unknown> =>
  flow({ name: 'host', resume: false }, async () => {
    await act();
  })();
/** What no compiler would let pass. */
const odd = (value: unknown): never => value as never;
const taskWith = (options: object): unknown => task({ name: 't', ...options }, () => 1);

test.each<[named: string, act: () => unknown]>([
  ['timeout: expected a duration', () => taskWith({ timeout: 1e20 })],
  ['timeout: expected a duration', () => taskWith({ timeout: '99999999d' })],
  ['retryDelay', () => taskWith({ retries: 1, retryDelay: Number.NaN })],
  ['cacheExpiration', () => taskWith({ cacheKey: 'k', cacheExpiration: '5x' })],
  ['limits.api.slot: no such option', () => taskWith({ limits: { api: { slot: 1 } } })],
  ['name: has half a character', () => taskWith({ name: '\ud800' })],
  ['onFailure: expected a function, or a list', () => taskWith({ onFailure: 'notify' })],
  ['suspendAfter', () => flow({ name: 'f', suspendAfter: odd('5x') }, () => 1)],
  ['exponential: base', () => assent.exponential(odd('5x'))],
  ['exponential: max', () => assent.exponential('1s', { max: odd('5x') })],
  ['exponential: factor', () => assent.exponential('1s', { factor: Number.NaN })],
  ['exponential: maximum', () => assent.exponential('1s', odd({ maximum: '1m' }))],
  ['concurrent: limits: no such option', () => assent.concurrent(odd({ limits: 1 }))],
  ['concurrent: limit: expected', () => assent.concurrent({ limit: Number.NaN })],
  ['threads: max: no such option', () => assent.threads(odd({ max: 1 }))],
  ['threads: maxThreads', () => assent.threads({ maxThreads: 0.5 })],
  ['threads: grace', () => assent.threads({ grace: -1 })],
  ['workers: pol: no such option', () => assent.workers(odd({ pol: 'x' }))],
  ['workers: queue', () => assent.workers({ queue: 'a b' })],
  ['workers: limit', () => assent.workers({ limit: Number.POSITIVE_INFINITY })],
  ['serve: slot: no such option', () => assent.serve([one], odd({ slot: 3 }))],
  ['serve: slots', () => assent.serve([one], { slots: odd('3') })],
  ['serve: onRun', () => assent.serve([one], { onRun: odd(3) })],
  ['serve needs a list', () => assent.serve(odd(one))],
  ['startRun: lane: no such option', () => assent.startRun(one, undefined, odd({ lane: 'fast' }))],
  ['startRun: pool', () => assent.startRun(one, undefined, { pool: 'a b' })],
  ['startRun: at', () => assent.startRun(one, undefined, { at: odd('2026-01-01') })],
  ['startRun: at', () => assent.startRun(one, undefined, { at: new Date(Number.NaN) })],
  ['startRun: at', () => assent.startRun(one, undefined, { at: 9e15 })],
  ['startRun: key', () => assent.startRun(one, undefined, { key: '' })],
  ['cancelRun', () => assent.cancelRun('')],
  ['setLimit: slots', () => assent.setLimit('api', -1)],
  ['setLimit: slots', () => assent.setLimit('api', Number.NaN)],
  ['setLimit: slots', () => assent.setLimit('api', odd('5x'))],
  ['setLimit: name', () => assent.setLimit('', 1)],
  ['setLimit: slotsPerSecond', () => assent.setLimit('api', 1, { slotsPerSecond: 0 })],
  ['setLimit: onFull', () => assent.setLimit('api', 1, { onFull: odd('drop') })],
  ['setLimit: perSecond: no such option', () => assent.setLimit('api', 1, odd({ perSecond: 1 }))],
  ['removeLimit: name', () => assent.removeLimit('')],
  ['sleep', () => assent.sleep('73000d')],
  ['receive: timeOut: no such option', () => inFlow(() => assent.receive('n', odd({ timeOut: '1s' })))],
  ['receive: timeout', () => inFlow(() => assent.receive('n', { timeout: odd('5x') }))],
  ['receive: schema', () => inFlow(() => assent.receive('n', { schema: odd('text') }))],
  ['waitForEvent: keys: no such option', () => inFlow(() => assent.waitForEvent('n', odd({ keys: 'x' })))],
  ['waitForEvent: key', () => inFlow(() => assent.waitForEvent('n', { key: odd(7) }))],
  ['pause: timeOut: no such option', () => inFlow(() => assent.pause(odd({ timeOut: '1s' })))],
  ['pause: timeout', () => inFlow(() => assent.pause({ timeout: Number.NaN }))],
  ['suspend: message', () => inFlow(() => assent.suspend({ message: 'x'.repeat(501) }))],
  ['emitEvent: ky: no such option', () => assent.emitEvent('n', 1, odd({ ky: 'x' }))],
  ['emitEvent: key', () => assent.emitEvent('n', 1, { key: '' })],
  ['desc: no such option', () => inFlow(() => assent.artifacts.markdown('k', 'x', odd({ desc: 'x' })))],
  ['description', () => inFlow(() => assent.artifacts.image('k', 'x', { description: odd(5) }))],
  ['address', () => inFlow(() => assent.artifacts.link('k', odd(5)))],
  ['rows', () => inFlow(() => assent.artifacts.table('k', odd([1])))],
  ['total', () => inFlow(() => assent.artifacts.progress('k', { total: Number.NaN }))],
  [
    'update: NaN',
    () =>
      inFlow(() => {
        assent.artifacts.progress('k').update(Number.NaN);
      }),
  ],
  ['tags', () => assent.variables.set('v', 1, { tags: odd('ops') })],
  ['tag: no such option', () => assent.variables.set('v', 1, odd({ tag: ['ops'] }))],
  ['secret.env', () => assent.secret.env(odd(undefined))],
  ['secret.file', () => assent.secret.file(odd(5))],
  ['secret.literal', () => assent.secret.literal(odd(undefined))],
  [
    'encode: expected a function',
    () => {
      assent.registerSerializer(odd({ name: 'Test', test: () => true }));
    },
  ],
  [
    'setResultStorage: put',
    () => {
      assent.setResultStorage(odd({}));
    },
  ],
  ['fileStorage', () => assent.fileStorage('')],
  ['minus', () => assent.INPUTS.minus(odd({}))],
  ['plus', () => assent.INPUTS.plus(odd('x'))],
  ['completed: name', () => assent.completed({ name: '' })],
  ['failed: msg: no such option', () => assent.failed(odd({ msg: 'x' }))],
  ['cancelled: message', () => assent.cancelled({ message: odd(5) })],
])('%s', async (named, act) => {
  const error: unknown = await Promise.resolve()
    .then(act)
    .then(
      () => 'nothing was thrown',
      (thrown: unknown) => thrown,
    );
  expect(error).toBeInstanceOf(assent.AssentError);
  expect(error).toMatchObject({ kind: 'BAD_OPTION' });
  expect((error as assent.AssentError).detail).toContain(named);
});

test('a long message of a state is cut, and is no reason to fail', async () => {
  const long = flow({ name: 'long' }, () => assent.completed({ message: 'x'.repeat(999) + '😀😀', value: 7 }));
  expect(await long()).toBe(7);
  const fails = flow({ name: 'fails' }, () => assent.failed({ message: 'y'.repeat(3000) }));
  await expect(fails()).rejects.toThrow('yyy');
});
