/** What is inferred where types are less plain: overloads, unions, what may be left out, several lists, nested futures. */
import { expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import type { CachePolicy, FutureList } from '../../sdk/index.ts';
import {
  cancelled,
  completed,
  failed,
  flow,
  FLOW_PARAMETERS,
  INPUTS,
  receive,
  runHandle,
  serve,
  startRun,
  suspend,
  task,
  transaction,
  unmapped,
  waitForEvent,
  type CacheContext,
  type Duration,
  type Flow,
  type FlowRunHandle,
  type FinalState,
  type Future,
  type HookContext,
  type RunHandle,
  type Task,
  type Worker,
} from '../../sdk/index.ts';

declare const side: Future<number>;
declare const total: Future<number>;
declare const row: Future<{ id: string }>;
declare const when: Future<number>;

test('overloads, unions and rests stay what they are', () => {
  function parse(text: string): Promise<number>;
  function parse(text: string, isList: true): Promise<number[]>;
  function parse(text: string, isList?: boolean): Promise<number | number[]> {
    return Promise.resolve(isList === true ? [text.length] : text.length);
  }
  expectTypeOf(task(parse)('a')).resolves.toEqualTypeOf<number>();
  expectTypeOf(task(parse)('a', true)).resolves.toEqualTypeOf<number[]>();

  const either = task({ name: 'either' }, (id: string | number | { readonly id: string }) => id);
  expectTypeOf(either(1)).resolves.toEqualTypeOf<string | number | { readonly id: string }>();
  void either.submit(either.submit('a'));
  void either.map(['a', 1, { id: 'b' }]);
  // @ts-expect-error -- it is none of them
  void either(true);

  type Shape = { readonly kind: 'circle'; readonly r: number } | { readonly kind: 'square'; readonly side: number };
  const area = task({ name: 'area' }, (shape: Shape) => (shape.kind === 'circle' ? shape.r : shape.side));
  void area({ kind: 'circle', r: 1 });
  void area.submit({ kind: 'square', side });
  // @ts-expect-error -- a square has no radius
  void area({ kind: 'square', r: 1 });

  const sum = task({ name: 'sum' }, (first: number, ...more: number[]) => first + more.length);
  expectTypeOf(sum(1, 2, 3)).resolves.toEqualTypeOf<number>();
  void sum.submit(side, 2, side);
  // @ts-expect-error -- a text is no number
  void sum(1, 'a');
});

test('what may be left out may be left out, everywhere', () => {
  const page = task({ name: 'page' }, (url: string, size = 10, at?: Date) => `${url} ${String(size)} ${String(at)}`);
  expectTypeOf(page('a')).resolves.toEqualTypeOf<string>();
  void page.submit('a');
  void page.submit('a', undefined, new Date());
  void page.map(['a', 'b']);
  void page.map(['a', 'b'], [1, 2], new Date());
  expectTypeOf(page.delay('a')).resolves.toEqualTypeOf<RunHandle<string>>();
  // @ts-expect-error -- the address is missing
  void page.submit();
  // @ts-expect-error -- a date is no size
  void page.delay('a', new Date());

  const none = task({ name: 'none' }, () => 'x');
  expectTypeOf(none()).resolves.toEqualTypeOf<string>();
  // @ts-expect-error -- it takes nothing
  void none(1);
  expectTypeOf(none.with({ retries: 1 })()).resolves.toEqualTypeOf<string>();
});

test('map takes several lists, of any kind, and what is the same for all', () => {
  const at = task({ name: 'at' }, (x: number, y: number, grid: readonly string[]) => grid[x + y] ?? '');
  const places = at.map([1, 2], new Set([3, 4]), unmapped(['a', 'b']));
  expectTypeOf(places).toEqualTypeOf<FutureList<string>>();
  expectTypeOf(places.results()).resolves.toEqualTypeOf<string[]>();
  expectTypeOf(places.states()).resolves.toEqualTypeOf<FinalState<string>[]>();
  expectTypeOf(places[0]).toEqualTypeOf<Future<string> | undefined>();
  void at.map([1, 2], 3, [['a'], ['b']]);
  const double = task({ name: 'double' }, (n: number) => n * 2);
  void double.map(double.map([1, 2]));
  void double.map([double.submit(1), 2]);
  // @ts-expect-error -- a list of texts is no list of numbers
  void double.map(['a']);
});

test('futures may be nested in what a call takes', () => {
  const report = task(
    { name: 'report' },
    (of: { total: number; rows: { id: string }[]; by: Map<string, number> }) => of,
  );
  void report.submit({ total, rows: [row, { id: 'a' }], by: new Map([['a', total]]) });
  void report({ total: 1, rows: [], by: new Map() });
  // @ts-expect-error -- a row is no number
  void report.submit({ total: row, rows: [], by: new Map() });
});

test('a task or flow with other options is the same', () => {
  const count = task({ name: 'count' }, (text: string) => text.length);
  expectTypeOf(count.with({ retries: 3, key: (text) => text.trim() })).toEqualTypeOf<typeof count>();
  expectTypeOf<Task<(text: string) => number>>().toEqualTypeOf<typeof count>();
  // @ts-expect-error -- no such option
  count.with({ retrys: 3 });
  const typed = flow({ name: 'typed', parameters: z.object({ n: z.coerce.number() }) }, ({ n }) => n);
  const again = typed.with({ retries: 1, onFailure: ({ state }: HookContext) => state.error });
  expectTypeOf(again).toEqualTypeOf<typeof typed>();
  // @ts-expect-error -- the schema stays
  typed.with({ parameters: z.object({}) });
});

test('flows without parameters, and whose parameters may be left out', () => {
  const none = flow({ name: 'none' }, () => 1);
  expectTypeOf(none).toEqualTypeOf<Flow<[], number>>();
  // @ts-expect-error -- it takes nothing
  void none({ n: 1 });
  expectTypeOf(none.submit()).toEqualTypeOf<Future<number>>();
  const maybe = flow({ name: 'maybe' }, ({ n = 1 }: { n?: number } = {}) => n);
  expectTypeOf(maybe()).resolves.toEqualTypeOf<number>();
  expectTypeOf(startRun(maybe)).resolves.toEqualTypeOf<FlowRunHandle<number>>();
  expectTypeOf(startRun(maybe, { n: 2 })).resolves.toEqualTypeOf<FlowRunHandle<number>>();
  const schema = flow({ name: 'schema', parameters: z.object({ n: z.number().default(1) }) }, ({ n }) => n);
  expectTypeOf(startRun(schema)).resolves.toEqualTypeOf<FlowRunHandle<number>>();
  const union = flow(
    {
      name: 'union',
      parameters: z.discriminatedUnion('by', [
        z.object({ by: z.literal('id'), id: z.string() }),
        z.object({ by: z.literal('all') }),
      ]),
    },
    (given) => (given.by === 'id' ? given.id : given.by),
  );
  void union({ by: 'id', id: 'a' });
  // @ts-expect-error -- its id is missing
  void union({ by: 'id' });
  void schema.submit({ n: when });
});

test('states that are returned give what is in them', () => {
  const checks = task({ name: 'checks' }, (n: number) => (n > 1 ? failed({ message: 'no' }) : n > 0 ? cancelled() : n));
  expectTypeOf(checks(1)).resolves.toEqualTypeOf<number>();
  const done = task({ name: 'done' }, async () => Promise.resolve(completed({ value: 'x' as const })));
  expectTypeOf(done()).resolves.toEqualTypeOf<'x'>();
  expectTypeOf(done.submit().state()).resolves.toEqualTypeOf<FinalState<'x'>>();
  expectTypeOf(completed().result()).toBeUnknown();
});

test('what a schema says is what comes', () => {
  const choice = z.union([z.object({ ok: z.literal(true) }), z.object({ ok: z.literal(false), why: z.string() })]);
  type Choice = { ok: true } | { ok: false; why: string };
  expectTypeOf(receive('choice', { schema: choice, timeout: '1h' })).resolves.toEqualTypeOf<Choice>();
  expectTypeOf(waitForEvent('choice', { schema: choice.optional() })).resolves.toEqualTypeOf<Choice | undefined>();
  expectTypeOf(suspend({ input: z.string().transform(Number) })).resolves.toEqualTypeOf<number>();
  // @ts-expect-error -- no such option
  void receive('choice', { schema: choice, timeOut: '1h' });
  // @ts-expect-error -- no such unit
  void waitForEvent('choice', { schema: choice, timeout: '1w' });
});

test('policies of caches are combined, or a function', () => {
  expectTypeOf(INPUTS.plus(FLOW_PARAMETERS).minus('verbose').minus(0)).toEqualTypeOf<CachePolicy>();
  task(
    { cachePolicy: ({ inputs, flowParameters }) => (flowParameters === undefined ? undefined : String(inputs[0])) },
    () => 1,
  );
  task({ cacheKey: (url, page) => `${url.href} ${page.toFixed()}` }, (url: URL, page: number) => [url, page]);
  expectTypeOf<CacheContext['inputs']>().toEqualTypeOf<readonly unknown[]>();
  // @ts-expect-error -- a policy is no text
  task({ cachePolicy: 'inputs' }, () => 1);
  // @ts-expect-error -- a key is a text
  task({ cacheKey: (n) => n }, (n: number) => n);
  // @ts-expect-error -- no such isolation
  task({ cacheIsolation: 'snapshot' }, () => 1);
});

test('a limit’s key knows the inputs of its task', () => {
  task({ limits: { tenant: { slots: 2, by: ({ tenant }) => tenant } } }, (of: { tenant: string }) => of);
  // @ts-expect-error -- it has no such field
  task({ limits: { tenant: { by: (of: { customer: string }) => of.customer } } }, (of: { tenant: string }) => of);
});

test('runs at a distance', () => {
  const one = flow({ name: 'one' }, ({ n }: { n: number }) => [n]);
  const half = task({ name: 'half' }, (n: number) => n / 2);
  expectTypeOf(serve([one, half], { pool: 'p', onRun: ({ type }) => type })).resolves.toEqualTypeOf<Worker>();
  expectTypeOf(half.delay(1)).resolves.toEqualTypeOf<RunHandle<number>>();
  expectTypeOf(runHandle('id')).resolves.toEqualTypeOf<FlowRunHandle<unknown>>();
  expectTypeOf(startRun(one, { n: 1 }, { at: new Date(), key: 'k' })).resolves.toEqualTypeOf<FlowRunHandle<number[]>>();
  // @ts-expect-error -- a time is no text
  void startRun(one, { n: 1 }, { at: '2026-01-01' });
  // @ts-expect-error -- a task is started by delay
  void startRun(half, 1);
  // @ts-expect-error -- a plain function is neither flow nor task, but that is only known when it runs
  void serve([3]);
});

test('a transaction gives what its block gives, futures and lists of ends too', () => {
  const half = task({ name: 'half' }, (n: number) => n / 2);
  expectTypeOf(transaction('t', () => half(1))).resolves.toEqualTypeOf<number>();
  expectTypeOf(transaction('t', () => half.map([1, 2]))).resolves.toEqualTypeOf<number[]>();
  expectTypeOf(transaction('t', async () => ({ a: await half(1) }))).resolves.toEqualTypeOf<{ a: number }>();
});

test('durations have a unit', () => {
  expectTypeOf<'1.5s'>().toExtend<Duration>();
  expectTypeOf<'3 weeks'>().not.toExtend<Duration>();
});

type Tree = { readonly value: number; readonly children: readonly Tree[] };
type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
interface Job {
  readonly id: string;
  run(): void;
}

test('types that hold themselves, null, records, and objects with methods', () => {
  const sumOf = task({ name: 'sum-of' }, (tree: Tree) => tree.value);
  void sumOf.submit({ value: side, children: [{ value: 2, children: [] }] });
  const json = task({ name: 'json' }, (value: Json) => value);
  void json({ a: [1, 'x', { b: null }] });
  void json.submit({ a: [json.submit(1)] });
  // @ts-expect-error -- a date is no JSON
  void json(new Date());
  const maybe = task({ name: 'maybe' }, (text: string | null, n?: number | null) => [text, n]);
  void maybe.submit(null, null);
  void maybe.map([null, 'a']);
  const total = task({ name: 'total' }, (by: Record<string, number>) => by);
  void total.submit({ a: side, b: 1 });
  const start = task({ name: 'start' }, (job: Job) => job.id);
  void start({ id: 'a', run: () => undefined });
  const down: Task<(n: number) => Promise<number>> = task({ name: 'down' }, async (n: number) =>
    n > 0 ? down(n - 1) : n,
  );
  expectTypeOf(task((value: unknown) => value)(1)).resolves.toBeUnknown();
});
