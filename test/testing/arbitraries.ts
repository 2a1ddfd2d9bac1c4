/**
 * Anything that can be said, for properties: well-formed, at the edges and beyond what is usual. Made by the fast-check
 * that is given, so that this package needs none of its own.
 */
import type { Arbitrary } from 'fast-check';
import type { Digest, EpochMs, RunId } from '../../protocol/ids.ts';
import { LIMITS } from '../../protocol/limits.ts';
import type { ProposalDraft } from '../../protocol/messages.ts';
import { ON_FULL, type RunDefinition, type SlotWish, type WorkspaceEvent } from '../../protocol/proposals.ts';
import { STATE_TYPES, type State, type StateType } from '../../protocol/states.ts';
import type { Value } from '../../protocol/values.ts';
import type { PolicyName } from '../../rules/judge.ts';
import { RUN_KINDS, type Facts, type RunKind, type SlotFact, type Transition } from '../../rules/rule.ts';
import { factsOf, slotFactOf, transitionOf, type FastCheck } from './arbitrary-facts.ts';

/** What {@link arbitraries} makes. */
export interface Arbitraries {
  readonly digest: Arbitrary<Digest>;
  /** A name of a run, a state, a limit … */
  readonly name: Arbitrary<string>;
  /** A flow run of its own. */
  readonly rootId: Arbitrary<RunId>;
  /** Any run. */
  readonly runId: Arbitrary<RunId>;
  readonly time: Arbitrary<EpochMs>;
  readonly value: Arbitrary<Value>;
  readonly kind: Arbitrary<RunKind>;
  readonly policyName: Arbitrary<PolicyName>;
  readonly state: Arbitrary<State>;
  stateOf(type: StateType): Arbitrary<State>;
  readonly slotWish: Arbitrary<SlotWish>;
  readonly definition: Arbitrary<RunDefinition>;
  /** A proposal as a client writes it. */
  readonly draft: Arbitrary<ProposalDraft>;
  /** Well-formed for its kind of run (default: any): only who may execute claims, only ends are reported. */
  transition(kind?: RunKind): Arbitrary<Transition>;
  readonly slotFact: Arbitrary<SlotFact>;
  /** All facts, of a run of this kind (default: any): the calls of a flow run have one around them. */
  facts(kind?: RunKind): Arbitrary<Facts>;
}

/**
 * Arbitraries for properties of rules, from the fast-check that you use.
 *
 * @example
 * import fc from 'fast-check';
 * import { corePolicies, court, judge } from 'assent/rules';
 * import { arbitraries } from 'assent/testing';
 *
 * const any = arbitraries(fc);
 * fc.assert(
 *   fc.property(any.transition('task'), any.facts('task'), (transition, facts) => {
 *     const { code } = judge(court(corePolicies), transition, () => facts);
 *     return code !== 'RULE_ERROR';
 *   }),
 * );
 */
export function arbitraries(fc: FastCheck): Arbitraries {
  const words = wordsOf(fc);
  const state = fc.oneof(...STATE_TYPES.map((type) => stateOf(fc, type)));
  const kind = fc.constantFrom(...RUN_KINDS);
  const parts = { fc, state, digest: words.digest, runId: words.runId, time: words.time, value: words.value };
  return {
    ...words,
    kind,
    policyName: fc.constantFrom<PolicyName>(...RUN_KINDS, 'forced'),
    state,
    stateOf: (type) => stateOf(fc, type),
    slotWish: slotWishOf(fc),
    definition: definitionOf(fc),
    draft: draftOf(fc),
    transition: (of) => (of === undefined ? kind.chain((any) => transitionOf(parts, any)) : transitionOf(parts, of)),
    slotFact: slotFactOf(parts),
    facts: (of) => (of === undefined ? kind.chain((any) => factsOf(parts, any)) : factsOf(parts, of)),
  };
}

/** Fields that are there or not, never undefined. */
const optional = (fc: FastCheck, fields: Record<string, Arbitrary<unknown>>): Arbitrary<object> =>
  fc.record(fields, { requiredKeys: [] });

const merged = <T>(fc: FastCheck, ...parts: Arbitrary<object>[]): Arbitrary<T> =>
  fc.tuple(...parts).map((made) => Object.assign({}, ...made) as T);

const textOf = (fc: FastCheck): Arbitrary<string> => fc.string({ maxLength: 40, unit: 'grapheme' });
const countOf = (fc: FastCheck): Arbitrary<number> => fc.oneof(fc.nat(20), fc.nat(2 ** 31 - 1));
const spelt = (fc: FastCheck, characters: string, minLength: number, maxLength: number): Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...characters.split('')), minLength, maxLength });

type Words = Pick<Arbitraries, 'digest' | 'name' | 'rootId' | 'runId' | 'time' | 'value'>;

function wordsOf(fc: FastCheck): Words {
  const digest = spelt(fc, '0123456789abcdef', 64, 64) as Arbitrary<Digest>;
  const name = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' });
  const rootId = spelt(fc, 'abz09', 16, 16) as Arbitrary<RunId>;
  const call = spelt(fc, 'ab0-', 1, 20);
  const sized = (fields: Record<string, Arbitrary<unknown>>, size = 1000): Arbitrary<object> =>
    fc.record({ digest, size: fc.nat(size), ...fields });
  return {
    digest,
    name,
    rootId,
    runId: fc
      .tuple(rootId, fc.array(call, { maxLength: 3 }))
      .map(([root, calls]) => [root, ...calls].join('.') as RunId),
    time: fc.nat(2 ** 31 - 1) as unknown as Arbitrary<EpochMs>,
    value: fc.oneof(
      sized({}, LIMITS.valueBytesMax),
      sized({ inline: textOf(fc) }),
      sized({ cipher: fc.record({ key: name, box: textOf(fc) }) }),
    ) as Arbitrary<Value>,
  };
}

function stateOf(fc: FastCheck, type: StateType): Arbitrary<State> {
  const { name, time, value } = wordsOf(fc);
  const named = [fc.record({ type: fc.constant(type), name }), optional(fc, { message: textOf(fc) })];
  switch (type) {
    case 'SCHEDULED':
      return merged(fc, ...named, fc.record({ dueAtMs: time }), optional(fc, { error: value }));
    case 'PENDING':
      return merged(fc, ...named, optional(fc, { dueAtMs: time }));
    case 'PAUSED':
      return merged(fc, ...named, optional(fc, { key: name, timeoutAtMs: time, suspended: fc.constant(true) }));
    case 'RUNNING':
    case 'CANCELLING':
      return merged(fc, ...named);
    case 'COMPLETED':
      return merged(fc, ...named, optional(fc, { result: value }));
    case 'FAILED':
      return merged(fc, ...named, optional(fc, { error: value, retriable: fc.boolean() }));
    case 'CRASHED':
      return merged(fc, ...named, optional(fc, { error: value }));
    case 'CANCELLED':
      return merged(fc, ...named, optional(fc, { result: value, error: value }));
  }
}

const slotWishOf = (fc: FastCheck): Arbitrary<SlotWish> =>
  merged(
    fc,
    fc.record({ limit: fc.constantFrom('db', 'api', 'cpu'), slots: fc.integer({ min: 1, max: 5 }) }),
    optional(fc, { by: fc.constantFrom('ada', 'bob') }),
  );

function definitionOf(fc: FastCheck): Arbitrary<RunDefinition> {
  const { name, runId, digest, value } = wordsOf(fc);
  const text = textOf(fc);
  const durationMs = fc.oneof(fc.nat(100_000), fc.double({ min: 0.001, max: LIMITS.durationMsMax, noNaN: true }));
  const token = spelt(fc, 'aZ0_-', 1, 20);
  const call = merged<object>(fc, fc.record({ key: text, ordinal: countOf(fc) }), optional(fc, { inputs: digest }));
  const cache = merged<object>(
    fc,
    fc.record({ key: name }),
    optional(fc, { ttlMs: durationMs, refresh: fc.constant(true), once: fc.constant(true) }),
  );
  const retry = fc.record({
    retriesMax: fc.nat(LIMITS.retriesMax),
    delaysMs: fc.array(durationMs, { maxLength: 5 }),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  return merged(
    fc,
    fc.record({ kind: fc.constantFrom('flow', 'task'), name }),
    optional(fc, {
      parent: runId,
      call,
      parameters: value,
      retry,
      timeoutMs: durationMs.filter((ms) => ms > 0),
      limits: fc.array(slotWishOf(fc), { maxLength: 4 }),
      priority: fc.integer({ min: -100, max: 100 }),
      tags: fc.array(name, { maxLength: 3 }),
      cache,
      deployment: name,
      work: fc.record({ pool: token, queue: token }),
      identity: digest,
    }),
  );
}

function draftOf(fc: FastCheck): Arbitrary<ProposalDraft> {
  const { runId } = wordsOf(fc);
  const text = textOf(fc);
  const count = countOf(fc);
  const asked = [fc.record({ counter: count }), optional(fc, { onBehalfOf: text, reason: text, done: count })];
  const flags = {
    basedOn: count,
    report: fc.constant(true),
    execution: count,
    claim: fc.constant(true),
    force: fc.constant(true),
    create: definitionOf(fc),
  };
  const to = fc.oneof(...STATE_TYPES.map((type) => stateOf(fc, type)));
  return fc.oneof(
    merged<ProposalDraft>(
      fc,
      fc.record({ kind: fc.constantFrom('flow', 'task'), run: runId, to }),
      ...asked,
      optional(fc, flags),
    ),
    merged<ProposalDraft>(fc, fc.record({ kind: fc.constant('workspace'), event: eventOf(fc) }), ...asked),
  );
}

function eventOf(fc: FastCheck): Arbitrary<WorkspaceEvent> {
  const { name } = wordsOf(fc);
  const slotsPerSecond = fc.double({ min: 1000 / LIMITS.durationMsMax, max: LIMITS.slotsPerSecondMax, noNaN: true });
  return fc.oneof(
    merged<WorkspaceEvent>(
      fc,
      fc.record({ type: fc.constant('LIMIT_SET'), limit: name, slotsMax: countOf(fc) }),
      optional(fc, { slotsPerSecond, onFull: fc.constantFrom(...ON_FULL) }),
    ),
    merged<WorkspaceEvent>(fc, fc.record({ type: fc.constant('LIMIT_REMOVED'), limit: name })),
  );
}
