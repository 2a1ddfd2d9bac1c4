/** Flows of random shape: calls of each kind, side by side and one after the other, within flows and transactions. */
import {
  artifacts,
  flow,
  flowRun,
  INPUTS,
  receive,
  send,
  sleep,
  task,
  transaction,
  variables,
  type CompletedCall,
} from '../../sdk/index.ts';
import type { Seeded } from '../support/seeded.ts';

const LEAVES = [
  'STEP',
  'STEP',
  'SHAKY',
  'BAD',
  'SLEEP',
  'MAP',
  'MAIL',
  'VARIABLE',
  'ARTIFACT',
  'CACHED',
  'BIG',
] as const;
const BLOCKS = ['TRANSACTION', 'SERIALIZABLE', 'GIVEN_UP', 'FLOW', 'RETRIED', 'LOST'] as const;

export type Shape =
  | { readonly type: (typeof LEAVES)[number]; readonly name: string }
  | { readonly type: 'ALL' | 'EACH'; readonly parts: readonly Shape[] }
  | { readonly type: (typeof BLOCKS)[number]; readonly name: string; readonly part: Shape };

/** What a flow of the shape does besides. */
export type World = { readonly shape: Shape; readonly fails: boolean; readonly strict: boolean };

export function worldBy(chance: Seeded): World {
  const shape = shapeBy(chance, 3, { next: 0 });
  return { shape, fails: chance.chance(0.5), strict: chance.chance(0.5) };
}

function shapeBy(chance: Seeded, depth: number, names: { next: number }): Shape {
  const name = `n${String((names.next += 1))}`;
  const kind = depth === 0 ? 0 : chance.whole(0, 4);
  if (kind === 0) return { type: chance.pick(LEAVES), name };
  if (kind <= 2) {
    const parts = Array.from({ length: 2 + chance.whole(0, 1) }, () => shapeBy(chance, depth - 1, names));
    return { type: kind === 1 ? 'ALL' : 'EACH', parts };
  }
  return { type: chance.pick(BLOCKS), name, part: shapeBy(chance, depth - 1, names) };
}

export const later = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What is outside of all processes; what one still does that has died, it does for nobody. */
export class Outside {
  readonly effects: string[] = [];
  life = 0;
  readonly #first = new Set<string>();

  /** Whether it happens for the first time. */
  isFirst(what: string): boolean {
    const isKnown = this.#first.has(what);
    this.#first.add(what);
    return !isKnown;
  }

  async happens(what: string, life: number): Promise<void> {
    for (const act of [() => this.effects.push(what), () => undefined]) {
      await later();
      if (life !== this.life) await new Promise(() => undefined);
      act();
    }
  }

  /** Calls whose hooks of this name were called: each once, however often its hook was. */
  hooked(what: string): string[] {
    const keys = new Set(this.effects.filter((effect) => effect.startsWith(`${what} `)));
    return [...keys].map((effect) => effect.split(' ')[1] ?? '').sort();
  }
}

/** More than stands in the ledger itself. */
const PAD = 'x'.repeat(70_000);
const messageOf = (error: unknown): string => (error as Error).message;

/** The script, as a process runs it. */
export function scriptOf({ shape, fails, strict }: World, outside: Outside): () => Promise<unknown> {
  const calls = callsOf(outside);
  const flows = new Map<string, (parameters: { name: string; pad?: string }) => Promise<unknown>>();
  async function done(part: Shape): Promise<unknown> {
    if (!('parts' in part)) return 'part' in part ? block(part) : calls[part.type](part.name);
    if (part.type === 'ALL') return Promise.all(part.parts.map(done));
    const all: unknown[] = [];
    for (const one of part.parts) all.push(await done(one));
    return all;
  }
  function block({ type, name, part }: Extract<Shape, { readonly part: Shape }>): Promise<unknown> {
    const act = (): Promise<unknown> => done(part);
    if (type === 'TRANSACTION') return transaction(name, act);
    if (type === 'SERIALIZABLE') return transaction({ name, key: name, isolation: 'serializable' }, act);
    if (type === 'GIVEN_UP') {
      return transaction(name, async () => {
        await act();
        throw new Error('given up');
      }).catch(messageOf);
    }
    const fn = async (): Promise<unknown> => {
      const gave = await act();
      if (type === 'LOST' || (type === 'RETRIED' && outside.isFirst(name))) throw new Error(`lost ${name}`);
      return gave;
    };
    const inner = flows.get(name) ?? flow({ name, strict, retries: type === 'RETRIED' ? 1 : 0 }, fn);
    flows.set(name, inner);
    const outcome = inner({ name, ...(name.endsWith('1') ? { pad: PAD } : {}) });
    return type === 'LOST' ? outcome.catch(messageOf) : outcome;
  }
  return flow({ name: 'world', strict }, async () => {
    const all = transaction('all', async () => {
      const gave = await done(shape);
      if (fails) throw new Error('in the end');
      return gave;
    });
    return [await all.catch(messageOf), await calls.STEP('last')];
  });
}

type Calls = Readonly<Record<(typeof LEAVES)[number], (name: string) => Promise<unknown>>>;

function callsOf(outside: Outside): Calls {
  const { life } = outside;
  const told =
    (what: string) =>
    ({ result, idempotencyKey }: CompletedCall): Promise<void> =>
      outside.happens(`${what} ${String(result)} ${idempotencyKey}`, life);
  const hooks = { onCommit: told('keep'), onRollback: told('undo') };
  const act = async (name: string): Promise<string> => {
    await outside.happens(`do ${name}`, life);
    return name;
  };
  const step = task({ name: 'step', ...hooks }, act);
  const shaky = task({ name: 'shaky', retries: 1, ...hooks }, async (name: string) => {
    await act(name);
    if (outside.isFirst(name)) throw new Error(`shaky ${name}`);
    return name;
  });
  const bad = task({ name: 'bad' }, async (name: string) => {
    throw new RangeError(`bad ${await act(name)}`);
  });
  const cached = task({ name: 'cached', cachePolicy: INPUTS }, act);
  const big = task({ name: 'big' }, ({ name }: { name: string; pad: string }) => act(name));
  return {
    STEP: step,
    SHAKY: shaky,
    BAD: (name) => bad(name).catch(messageOf),
    SLEEP: () => sleep(2),
    MAP: (name) => step.map([`${name}a`, `${name}b`, `${name}a`]).results(),
    MAIL: (name) => send(flowRun().id, name, `mail ${name}`).then(() => receive(name)),
    VARIABLE: (name) => variables.set(name, name).then(() => variables.get(name)),
    ARTIFACT: (name) => artifacts.markdown(name, name),
    CACHED: (name) => cached(name).then(async (one) => [one, await cached(name)]),
    BIG: (name) => big({ name, pad: PAD }),
  };
}
