/** Arbitrary transitions and facts: as the engine could ask a rule, for each kind of run. */
import type fastCheck from 'fast-check';
import type { Arbitrary } from 'fast-check';
import type { Digest, EpochMs, RunId } from '../../protocol/ids.ts';
import { ON_FULL } from '../../protocol/proposals.ts';
import { STATE_TYPES, isTerminal, type State } from '../../protocol/states.ts';
import type { Value } from '../../protocol/values.ts';
import type { Facts, RunKind, SlotFact, Transition } from '../../rules/rule.ts';

/** The module `fast-check`, as it is imported. */
export type FastCheck = typeof fastCheck;

type Parts = {
  readonly fc: FastCheck;
  readonly state: Arbitrary<State>;
  readonly digest: Arbitrary<Digest>;
  readonly runId: Arbitrary<RunId>;
  readonly time: Arbitrary<EpochMs>;
  readonly value: Arbitrary<Value>;
};

/** A run of its own: a process may claim it. */
const isOwn = (kind: RunKind): boolean => kind === 'flow' || kind === 'background';

/** Leaves out, or leaves in, each field by chance. */
const some = (fc: FastCheck, fields: Record<string, Arbitrary<unknown>>): Arbitrary<object> =>
  fc.record(fields, { requiredKeys: [] });

export function transitionOf({ fc, state }: Parts, kind: RunKind): Arbitrary<Transition> {
  const said = some(fc, {
    onBehalfOf: fc.constantFrom('clock', 'cascade', 'liveness', 'limit', 'ada'),
    reason: fc.string({ minLength: 1, maxLength: 20 }),
    forced: fc.constant(true),
  });
  return fc
    .record({
      from: fc.option(state, { nil: undefined }),
      to: state,
      report: fc.boolean(),
      claim: fc.boolean(),
      by: fc.constantFrom('sdk', 'operator', 'engine'),
      said,
    })
    .map(({ from, to, report, claim, by, said: more }) => ({
      kind,
      from,
      to,
      report: report && isTerminal(to),
      claim: claim && isOwn(kind) && to.type === 'RUNNING',
      by,
      ...more,
    }));
}

const small = (fc: FastCheck): Arbitrary<number> => fc.nat(5);

export function slotFactOf({ fc, runId, time }: Parts): Arbitrary<SlotFact> {
  const holder = fc.record({ run: runId, slots: fc.integer({ min: 1, max: 3 }), isEnding: fc.boolean() });
  const known = fc.record({
    limit: fc.constantFrom('db', 'api', 'cpu', 'tag:slow'),
    from: fc.constantFrom('PENDING', 'RUNNING'),
    onFull: fc.constantFrom(...ON_FULL),
    wanted: fc.integer({ min: 1, max: 5 }),
    used: small(fc),
    heldByAncestors: small(fc),
    ahead: small(fc),
    wantedAhead: small(fc),
  });
  const more = some(fc, {
    slotsMax: small(fc),
    by: fc.constantFrom('ada', 'bob'),
    rate: fc.record({ everyMs: fc.integer({ min: 1, max: 60_000 }), emptyAtMs: time }),
    holders: fc.array(holder, { maxLength: 3 }),
  });
  return (
    fc
      .tuple(known, more)
      .map(([slot, rest]): SlotFact => ({ ...slot, ...rest }))
      // What ancestors hold is a part of what is held.
      .map((slot) => ({ ...slot, heldByAncestors: Math.min(slot.heldByAncestors, slot.used) }))
  );
}

export function factsOf(parts: Parts, kind: RunKind): Arbitrary<Facts> {
  const { fc, time } = parts;
  const known = fc.record({
    nowMs: time,
    execution: fc.tuple(fc.record({ current: small(fc) }), some(fc, { asked: small(fc) })).map(both),
    version: fc.tuple(fc.record({ current: small(fc) }), some(fc, { basedOn: small(fc) })).map(both),
    attempt: small(fc),
    run: runOf(fc),
    inHands: fc.boolean(),
    pauses: fc.uniqueArray(fc.constantFrom('one', 'two', 'three')),
    retry: retryOf(fc),
    resume: fc.record({ byWorker: fc.boolean(), used: small(fc) }),
    chance: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    slots: fc.uniqueArray(slotFactOf(parts), { maxLength: 3, selector: ({ limit }) => limit }),
    graceMs: fc.nat(60_000),
  });
  const flow = fc.record({ type: fc.constantFrom(...STATE_TYPES), round: small(fc) });
  const ran = fc
    .tuple(fc.record({ execution: small(fc), round: small(fc) }), some(fc, { redo: fc.constant(true) }))
    .map(both);
  const more = some(fc, {
    ...(isOwn(kind) ? {} : { ran, call: callOf(parts), cleanup: fc.constant(true) }),
    ...(kind === 'task' ? { message: messageOf(parts) } : {}),
    timeoutMs: fc.integer({ min: 1, max: 100_000 }),
    cache: cacheOf(parts),
  });
  return fc
    .tuple(known, more, isOwn(kind) ? fc.constant({}) : fc.record({ flow }))
    .map((made) => Object.assign({}, ...made) as Facts);
}

/** A call that waits for a message, with the one that is there, or for an event. */
function messageOf({ fc, time, value }: Parts): Arbitrary<object> {
  const first = fc.tuple(fc.record({ id: fc.constantFrom('4/0', '5/1') }), some(fc, { value })).map(both);
  const more = some(fc, { topic: fc.constantFrom('paid', 'paid[7]'), untilMs: time, first });
  return fc.tuple(fc.record({ mailbox: fc.constant('aaaaaaaaaaaaaaaa message:go') }), more).map(both);
}

/** A call as it is made; with a key of its own, as it was made before; or the one that was expected in its place. */
function callOf({ fc, runId, digest }: Parts): Arbitrary<object> {
  const expected = fc.record({ run: runId, key: fc.constantFrom('charge', 'mine') });
  const more = some(fc, { inputs: digest, recorded: some(fc, { inputs: digest }), expected });
  return fc.tuple(fc.record({ key: fc.constantFrom('charge', 'mine') }), more).map(both);
}

const both = <A extends object, B extends object>([one, other]: [A, B]): A & B => ({ ...one, ...other });

const runOf = (fc: FastCheck): Arbitrary<object> =>
  fc
    .tuple(
      fc.record({ name: fc.constantFrom('nightly', 'charge'), tags: fc.uniqueArray(fc.constantFrom('slow', 'prod')) }),
      some(fc, { deployment: fc.constantFrom('blue', 'green') }),
    )
    .map(both);

const retryOf = (fc: FastCheck): Arbitrary<Facts['retry']> =>
  fc.record({
    used: small(fc),
    retriesMax: small(fc),
    delaysMs: fc.array(fc.nat(100_000), { maxLength: 3 }),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  });

function cacheOf({ fc, runId, time, value }: Parts): Arbitrary<object> {
  const entry = fc.tuple(fc.record({ run: runId }), some(fc, { result: value, expiresAtMs: time })).map(both);
  const more = some(fc, { ttlMs: fc.nat(100_000), refresh: fc.constant(true), once: fc.constant(true), entry });
  return fc.tuple(fc.record({ key: fc.constantFrom('one', 'two') }), more).map(both);
}
