/** What artifacts, variables, secrets, serializers and names of runs accept, and what they give. */
import { expectTypeOf, test } from 'vitest';
import type { Secret } from '../../sdk/index.ts';
import {
  artifacts,
  fileStorage,
  flow,
  registerSerializer,
  secret,
  setResultStorage,
  task,
  variables,
  type ProgressArtifact,
  type ResultStorage,
  type RunNameContext,
} from '../../sdk/index.ts';

test('a variable is unknown until somebody has checked it, or what the fallback says', () => {
  expectTypeOf(variables.get('rate')).resolves.toBeUnknown();
  expectTypeOf(variables.get('rate', 1)).resolves.toEqualTypeOf<number>();
  expectTypeOf(variables.set('rate', 1, { tags: ['ops'] })).resolves.toBeVoid();
  // @ts-expect-error: a name is a text.
  void variables.get(1);
});

test('artifacts take what they show', () => {
  expectTypeOf(artifacts.markdown('key', '# Text', { description: 'd' })).resolves.toBeVoid();
  expectTypeOf(artifacts.table('key', [{ a: 1 }])).resolves.toBeVoid();
  expectTypeOf<Parameters<ProgressArtifact['update']>>().toEqualTypeOf<[done: number]>();
  expectTypeOf(artifacts.progress('key', { total: 3 })).toEqualTypeOf<ProgressArtifact>();
  void artifacts.link('key', new URL('https://example.org'), { text: 'there' });
  // @ts-expect-error: a table has rows.
  void artifacts.table('key', 'text');
  // @ts-expect-error: a text is needed.
  void artifacts.markdown('key');
});

test('a secret is a type of its own, which is no text', () => {
  expectTypeOf(secret.env('KEY')).toEqualTypeOf<Secret>();
  expectTypeOf(secret.literal('x').reveal()).toBeString();
  const call = task({ name: 'call' }, (key: Secret) => key.reveal().length);
  expectTypeOf(call(secret.file('key'))).resolves.toBeNumber();
  // @ts-expect-error: it must be a secret.
  void call('hunter2');
});

test('a serializer knows its class and what it encodes it as', () => {
  class Money {
    readonly cents = 1;
  }
  registerSerializer({
    name: 'Money',
    test: (value) => value instanceof Money,
    encode: (money) => {
      expectTypeOf(money).toEqualTypeOf<Money>();
      return money.cents;
    },
    decode: (cents: number) => {
      expectTypeOf(cents).toBeNumber();
      return new Money();
    },
  });
});

test('options name runs and redact, and storages store', () => {
  task({ name: 't', runName: 'of {inputs[0]}', redact: ['card.number'] }, (n: number) => n);
  flow({ name: 'f', runName: ({ name, now }: RunNameContext) => `${name} ${now.toISOString()}` }, () => 1);
  // @ts-expect-error: paths are a list.
  task({ name: 't', redact: 'card.number' }, (n: number) => n);
  expectTypeOf(fileStorage('folder')).toEqualTypeOf<ResultStorage>();
  setResultStorage(undefined);
});
