/** What the compiler knows of transactions and hooks. */
import { expectTypeOf, test } from 'vitest';
import {
  completed,
  flow,
  INPUTS,
  task,
  transaction,
  type CompletedCall,
  type HookContext,
  type Transaction,
} from '../../sdk/index.ts';

test('a transaction gives what its block gives', () => {
  expectTypeOf(transaction('t', () => 1)).toEqualTypeOf<Promise<number>>();
  expectTypeOf(
    transaction({ name: 't', key: 'k', isolation: 'serializable' }, () => Promise.resolve('a')),
  ).toEqualTypeOf<Promise<string>>();
  expectTypeOf(transaction('t', () => completed({ value: 7 }))).toEqualTypeOf<Promise<number>>();
  expectTypeOf(
    transaction('t', (own) => {
      expectTypeOf(own).toEqualTypeOf<Transaction>();
    }),
  ).toEqualTypeOf<Promise<void>>();
  // @ts-expect-error there is one level of isolation
  void transaction({ isolation: 'snapshot' }, () => 1);
  // @ts-expect-error its block is a function
  void transaction('t', 1);
});

test('hooks of a transaction know the inputs of their task', () => {
  task(
    {
      name: 'charge',
      onRollback: ({ inputs, idempotencyKey }) => {
        expectTypeOf(inputs).toEqualTypeOf<[cents: number, to: string]>();
        expectTypeOf(idempotencyKey).toEqualTypeOf<string>();
      },
      onCommit: [(call: CompletedCall<readonly [number, string]>) => call.runId, () => undefined],
    },
    (cents: number, to: string) => `${to} ${String(cents)}`,
  );
  // @ts-expect-error its task takes a number
  task({ onRollback: (call: CompletedCall<readonly [string]>) => call.runId }, (cents: number) => cents);
});

test('hooks of tasks and flows are one function or several', () => {
  const hook = ({ runId, state }: HookContext): string => `${runId} ${state.name}`;
  task(
    { onFailure: hook, onCompletion: [hook, () => Promise.resolve()], cachePolicy: INPUTS.plus(() => 'k') },
    () => 1,
  );
  flow({ name: 'f', onCrashed: hook, onCancellation: [hook], onRunning: () => undefined }, () => 1);
  // @ts-expect-error a hook is a function
  flow({ name: 'f', onFailure: 'notify' }, () => 1);
});
