/** What the SDK infers, and what it refuses. `npm run types` checks this file; nothing here runs. */
import { expectTypeOf } from 'vitest';
import { z } from 'zod';
import {
  allowFailure,
  completed,
  exponential,
  flow,
  serve,
  startRun,
  task,
  unmapped,
  type FlowRunHandle,
  type Future,
  type RunHandle,
} from '../../sdk/index.ts';

const number = async (n: number): Promise<number> => Promise.resolve(n);

// A task has its function's own type …
expectTypeOf(task(number)).toExtend<(n: number) => Promise<number>>();
expectTypeOf(task({ name: 'x', retries: 1 }, number)(1)).resolves.toEqualTypeOf<number>();

// … but that it returns a promise.
const length = task({ name: 'length' }, (text: string, times?: number) => text.length * (times ?? 1));
expectTypeOf(length).toExtend<(text: string, times?: number) => Promise<number>>();
expectTypeOf(length('a', 2)).resolves.toEqualTypeOf<number>();
expectTypeOf(task(function nothing() {})()).resolves.toBeVoid();

// A function that only throws is a task like any other.
const throws = task({ name: 'throws' }, (text: string): never => {
  throw new Error(text);
});
expectTypeOf(throws('x').catch(() => 1)).resolves.toEqualTypeOf<number>();

// A generic function stays generic.
const first = task({ name: 'first' }, async <T>(list: readonly T[]): Promise<T | undefined> =>
  Promise.resolve(list[0]),
);
expectTypeOf(first(['a'])).resolves.toEqualTypeOf<string | undefined>();
expectTypeOf(first([1])).resolves.toEqualTypeOf<number | undefined>();

// The inputs are checked.
// @ts-expect-error -- a number is no text
void length(3);
// @ts-expect-error -- the text is missing
void length();

// Futures of inputs are inputs; lists of them are mapped.
expectTypeOf(length.submit('a')).toEqualTypeOf<Future<number>>();
void length.submit(task((n: number) => String(n)).submit(3), 2);
void length(task((n: number) => String(n)).submit(3), 2);
expectTypeOf(length.map(['a', 'b'], 2).results()).resolves.toEqualTypeOf<number[]>();
void length.map(['a', 'b'], [1, 2]);
void length.map(unmapped('a'), [1, 2]);
const total = task((rows: number[], by: { factor: number }) => rows.length * by.factor);
void total(length.map(['a']), { factor: length.submit('b') });
void total([length.submit('a'), 3], { factor: 1 });
// @ts-expect-error -- a list of texts is no list of numbers
void total([task((n: number) => String(n)).submit(3)], { factor: 1 });
// @ts-expect-error -- a future of a number is no text
void length.submit(length.submit('a'));
// @ts-expect-error -- numbers are no texts
void length.map([1, 2]);
// @ts-expect-error -- a failure is no text
void length.submit(allowFailure(task((n: number) => String(n)).submit(3)));
void task((text: string | Error) => String(text)).submit(allowFailure(task((n: number) => String(n)).submit(3)));

// What is in a state that is returned is what the caller gets.
const skips = flow({ name: 'skips' }, ({ n }: { n: number }) => (n > 1 ? n : completed({ value: 'none' })));
expectTypeOf(skips({ n: 1 })).resolves.toEqualTypeOf<number | string>();
const lists = flow({ name: 'lists' }, () => [length.submit('a'), length.submit('b')]);
expectTypeOf(lists()).resolves.toEqualTypeOf<number[]>();

// A key is a function of the same inputs.
task(
  { name: 'keyed', key: (url, page) => `${url.toUpperCase()} ${page.toFixed()}` },
  (url: string, page: number) => url + String(page),
);
// @ts-expect-error -- the key is no text
task({ name: 'keyed', key: (url) => url.length }, (url: string) => url);
// @ts-expect-error -- the task's input is a text
task({ name: 'keyed', key: (url: number) => String(url) }, (url: string) => url);

// Options are checked where they are written.
task({ name: 'x', retries: 3, retryDelay: ['1s', 500], timeout: '2m', limits: { api: 2 } }, number);
task({ name: 'x', retryDelay: exponential('1s', { max: '1m' }), limits: ['api'], await: 'ruling' }, number);
// @ts-expect-error -- no such option
task({ name: 'x', retry: 3 }, number);
// @ts-expect-error -- no such unit
task({ name: 'x', timeout: '3 weeks' }, number);
// @ts-expect-error -- a count is no text
task({ name: 'x', retries: '3' }, number);
// @ts-expect-error -- only tasks have a key
flow({ name: 'x', key: 'k' }, () => 1);
// @ts-expect-error -- the function is missing
task({ name: 'x' });

// A flow takes nothing or one object.
const none = flow(async function none() {
  return Promise.resolve('done');
});
expectTypeOf(none()).resolves.toEqualTypeOf<string>();
const one = flow({ name: 'one' }, ({ n }: { n: number }) => n + 1);
expectTypeOf(one({ n: 1 })).resolves.toEqualTypeOf<number>();
const maybe = flow({ name: 'maybe' }, (options?: { deep: boolean }) => options?.deep ?? false);
expectTypeOf(maybe()).resolves.toEqualTypeOf<boolean>();
expectTypeOf(maybe({ deep: true })).resolves.toEqualTypeOf<boolean>();
expectTypeOf(one.name).toEqualTypeOf<string>();
// @ts-expect-error -- the parameters are missing
void one();
// @ts-expect-error -- they are wrong
void one({ n: 'x' });
// @ts-expect-error -- a text is no object
flow({ name: 'x' }, (text: string) => text);
// @ts-expect-error -- two parameters are not one object
flow({ name: 'x' }, (a: { n: number }, b: { n: number }) => a.n + b.n);

// With a schema, a flow takes what the schema takes, and its function gets what the schema gives.
const typed = flow(
  {
    name: 'typed',
    parameters: z.object({ at: z.string().transform((text) => new Date(text)), n: z.number().default(1) }),
  },
  ({ at, n }) => {
    expectTypeOf(at).toEqualTypeOf<Date>();
    expectTypeOf(n).toEqualTypeOf<number>();
    return at.getTime() + n;
  },
);
expectTypeOf(typed({ at: '2026-01-01' })).resolves.toEqualTypeOf<number>();
// @ts-expect-error -- the schema takes a text
void typed({ at: new Date() });
// @ts-expect-error -- the schema needs a field
void typed();
const defaults = flow({ name: 'defaults', parameters: z.object({ n: z.number().default(1) }) }, ({ n }) => n);
expectTypeOf(defaults()).resolves.toEqualTypeOf<number>();

// A generic function keeps what it says of a promise; what it gives otherwise is not known. What never returns is waited for.
expectTypeOf(task(<T>(x: T) => Promise.resolve(x))(1)).resolves.toEqualTypeOf<number>();
expectTypeOf(task(<T>(x: T) => x)(1)).resolves.toEqualTypeOf<unknown>();
expectTypeOf(
  task((): never => {
    throw new Error('always');
  })(),
).resolves.toEqualTypeOf<never>();

// What holds futures is held to what it is: a tuple to its places, an instance of a class to its class.
class Money {
  readonly #cents: number;
  constructor(cents: number) {
    this.#cents = cents;
  }
  isMore(than: Money): boolean {
    return this.#cents > than.#cents;
  }
}
declare const someNumber: Future<number>;
declare const someMoney: Future<Money>;
const takesPair = task((pair: [number, string], money?: readonly Money[]) => [pair, money]);
void takesPair([someNumber, 'a'], [someMoney, new Money(1)]);
// @ts-expect-error -- it is too long
void takesPair([1, 'a', 2]);
// @ts-expect-error -- the other way round
void takesPair(['a', someNumber]);
// @ts-expect-error -- it only looks like one
void takesPair([1, 'a'], [{ isMore: () => true }]);

// Runs at a distance know their flow's parameters and result.
expectTypeOf(startRun(one, { n: 1 })).resolves.toEqualTypeOf<FlowRunHandle<number>>();
expectTypeOf(startRun(none)).resolves.toEqualTypeOf<FlowRunHandle<string>>();
expectTypeOf<FlowRunHandle<string>>().toExtend<RunHandle<string>>();
expectTypeOf(startRun(typed, { at: '2026-01-01' }, { pool: 'p', key: 'k' })).resolves.toEqualTypeOf<
  FlowRunHandle<number>
>();
// @ts-expect-error -- the parameters are wrong
void startRun(one, { n: 'x' });
// @ts-expect-error -- they are missing
void startRun(one);
// @ts-expect-error -- no such option
void startRun(one, { n: 1 }, { lane: 'fast' });
void serve([one, none, typed], { slots: 3 });
