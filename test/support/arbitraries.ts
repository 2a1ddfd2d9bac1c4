/** Anything that can be said on the wire, for properties. */
import fc from 'fast-check';
import type { Digest, EpochMs, RunId } from '../../protocol/ids.ts';
import { LIMITS } from '../../protocol/limits.ts';
import type { ProposalDraft } from '../../protocol/messages.ts';
import type { RunDefinition } from '../../protocol/proposals.ts';
import { STATE_TYPES, type State, type StateType } from '../../protocol/states.ts';
import type { Value } from '../../protocol/values.ts';

/** Fields that are there or not, never undefined. */
const optional = (fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<object> =>
  fc.record(fields, { requiredKeys: [] });

const merged = <T>(...parts: fc.Arbitrary<object>[]): fc.Arbitrary<T> =>
  fc.tuple(...parts).map((made) => Object.assign({}, ...made) as T);

const text = fc.string({ maxLength: 40, unit: 'grapheme' });
const count = fc.oneof(fc.nat(20), fc.nat(2 ** 31 - 1));
/** Texts of these characters. */
const spelt = (characters: string, minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...characters.split('')), minLength, maxLength });

export const anyDigest = spelt('0123456789abcdef', 64, 64) as fc.Arbitrary<Digest>;
export const anyName = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' });

const idPart = spelt('abz09', 16, 16);
const callPart = spelt('ab0-', 1, 20);
export const anyRootId = idPart as fc.Arbitrary<RunId>;
export const anyRunId = fc
  .tuple(idPart, fc.array(callPart, { maxLength: 3 }))
  .map(([root, calls]) => [root, ...calls].join('.') as RunId);

export const anyValue: fc.Arbitrary<Value> = fc.oneof(
  merged<Value>(fc.record({ digest: anyDigest, size: fc.nat(LIMITS.valueBytesMax) })),
  merged<Value>(fc.record({ digest: anyDigest, size: fc.nat(1000), inline: text })),
  merged<Value>(fc.record({ digest: anyDigest, size: fc.nat(1000), cipher: fc.record({ key: anyName, box: text }) })),
);

export const anyTime = fc.nat(2 ** 31 - 1) as unknown as fc.Arbitrary<EpochMs>;

export function anyStateOf(type: StateType): fc.Arbitrary<State> {
  const named = [fc.record({ type: fc.constant(type), name: anyName }), optional({ message: text })];
  switch (type) {
    case 'SCHEDULED':
      return merged(...named, fc.record({ dueAtMs: anyTime }), optional({ error: anyValue }));
    case 'PENDING':
    case 'RUNNING':
    case 'PAUSED':
    case 'CANCELLING':
      return merged(...named);
    case 'COMPLETED':
      return merged(...named, optional({ result: anyValue }));
    case 'FAILED':
      return merged(...named, optional({ error: anyValue, retriable: fc.boolean() }));
    case 'CRASHED':
      return merged(...named, optional({ error: anyValue }));
    case 'CANCELLED':
      return merged(...named, optional({ result: anyValue, error: anyValue }));
  }
}

export const anyState: fc.Arbitrary<State> = fc.oneof(...STATE_TYPES.map(anyStateOf));

const wish = fc.record({ limit: fc.constantFrom('db', 'api', 'cpu'), slots: fc.integer({ min: 1, max: 5 }) });
const token = spelt('aZ0_-', 1, 20);
const durationMs = fc.oneof(fc.nat(100_000), fc.double({ min: 0.001, max: LIMITS.durationMsMax, noNaN: true }));

export const anyDefinition: fc.Arbitrary<RunDefinition> = merged(
  fc.record({ kind: fc.constantFrom('flow', 'task'), name: anyName }),
  optional({
    parent: anyRunId,
    call: merged<object>(fc.record({ key: text, ordinal: count }), optional({ inputs: anyDigest })),
    parameters: anyValue,
    retry: fc.record({
      retriesMax: fc.nat(LIMITS.retriesMax),
      delaysMs: fc.array(durationMs, { maxLength: 5 }),
      jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
    timeoutMs: durationMs.filter((ms) => ms > 0),
    limits: fc.array(wish, { maxLength: 4 }),
    priority: fc.integer({ min: -100, max: 100 }),
    work: fc.record({ pool: token, queue: token }),
    identity: anyDigest,
  }),
);

const asked = [fc.record({ counter: count }), optional({ onBehalfOf: text, reason: text, done: count })];

const transition = [
  ...asked,
  optional({
    basedOn: count,
    report: fc.constant(true),
    execution: count,
    claim: fc.constant(true),
    create: anyDefinition,
  }),
];

export const anyDraft: fc.Arbitrary<ProposalDraft> = fc.oneof(
  merged<ProposalDraft>(
    fc.record({ kind: fc.constantFrom('flow', 'task'), run: anyRunId, to: anyState }),
    ...transition,
  ),
  merged<ProposalDraft>(
    fc.record({
      kind: fc.constant('workspace'),
      event: fc.oneof(
        fc.record({ type: fc.constant('LIMIT_SET'), limit: anyName, slotsMax: count }),
        fc.record({ type: fc.constant('LIMIT_REMOVED'), limit: anyName }),
      ),
    }),
    ...asked,
  ),
);
