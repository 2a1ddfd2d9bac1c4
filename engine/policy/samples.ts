/** Transitions and facts that rules are tried on before they are put in force: all pairs of states, and facts at edges. */
import type { Digest, EpochMs, RunId } from '../../protocol/ids.ts';
import { DEFAULT_NAMES, STATE_TYPES, type State } from '../../protocol/states.ts';
import type { Facts, FromType, RunKind, SlotFact, Transition } from '../../rules/rule.ts';

const NOW_MS = 1_767_225_600_000 as EpochMs; // 2026-01-01T00:00Z, a Thursday.
const later = (ms: number): EpochMs => (NOW_MS + ms) as EpochMs;

const FROM_TYPES: readonly FromType[] = ['NONE', ...STATE_TYPES];

function stateOf(type: FromType): State | undefined {
  if (type === 'NONE') return undefined;
  const name = DEFAULT_NAMES[type];
  return type === 'SCHEDULED' ? { type, name, dueAtMs: later(60_000) } : { type, name };
}

/** All pairs of states of one kind of run, each as a wish, as a report and as an override. */
export function* sampleTransitions(kind: RunKind): Generator<Transition> {
  for (const from of FROM_TYPES) {
    for (const to of STATE_TYPES) {
      const plain = { kind, from: stateOf(from), to: stateOf(to) ?? RUNNING, report: false, claim: false, by: 'sdk' };
      yield plain;
      yield { ...plain, report: true };
      yield { ...plain, claim: true, onBehalfOf: 'a worker' };
      yield { ...plain, by: 'cli', reason: 'because' };
      yield { ...plain, by: 'cli', reason: 'because', forced: true };
    }
  }
}

const RUNNING: State = { type: 'RUNNING', name: 'Running' };

const PLAIN: Facts = {
  nowMs: NOW_MS,
  execution: { current: 1, asked: 1 },
  version: { current: 3 },
  flow: { type: 'RUNNING', round: 0 },
  attempt: 1,
  run: { name: 'work', tags: [] },
  inHands: true,
  pauses: [],
  retry: { used: 0, retriesMax: 0, delaysMs: [], jitter: 0 },
  resume: { byWorker: false, used: 0 },
  chance: 0.5,
  slots: [],
  graceMs: 30_000,
};

const SLOT: SlotFact = {
  limit: 'api',
  slotsMax: 1,
  from: 'RUNNING',
  onFull: 'enqueue',
  wanted: 1,
  used: 1,
  heldByAncestors: 0,
  ahead: 0,
  wantedAhead: 0,
};

function withoutFlow(): Facts {
  const { flow: _, ...rest } = PLAIN;
  return rest;
}

export const SAMPLE_FACTS: readonly Facts[] = [
  PLAIN,
  withoutFlow(),
  { ...PLAIN, nowMs: later(2 * 86_400_000), run: { name: 'work', tags: ['production'], deployment: 'nightly' } },
  // On a weekend, before it has ever begun.
  { ...PLAIN, nowMs: later(2 * 86_400_000), attempt: 0 },
  { ...PLAIN, execution: { current: 2, asked: 1 }, version: { current: 3, basedOn: 2 } },
  { ...PLAIN, retry: { used: 1, retriesMax: 3, delaysMs: [1000, 2000], jitter: 1 }, attempt: 2, chance: 0.999 },
  { ...PLAIN, resume: { byWorker: true, used: 1 }, timeoutMs: 500, inHands: false, pauses: ['approve'] },
  { ...PLAIN, flow: { type: 'CANCELLING', round: 1 }, ran: { execution: 0, round: 0 } },
  { ...PLAIN, flow: { type: 'CANCELLING', round: 1 }, ran: { execution: 0, round: 0, redo: true }, cleanup: true },
  { ...PLAIN, call: { key: 'mine', inputs: '0'.repeat(64) as Digest, recorded: {} } },
  { ...PLAIN, call: { key: 'work', expected: { run: 'a' as RunId, key: 'other' } } },
  { ...PLAIN, slots: [SLOT, { ...SLOT, limit: 'tag:production', by: 'acme', used: 0 }] },
  {
    ...PLAIN,
    cache: {
      key: 'k',
      ttlMs: 1000,
      entry: { run: 'a' as RunId, result: { digest: '0'.repeat(64) as Digest, size: 1 } },
    },
  },
];
