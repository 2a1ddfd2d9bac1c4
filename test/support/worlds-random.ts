/**
 * Random work for a desk: flows, subflows, tasks, background tasks, deployments, limits of every kind, priorities, caches,
 * pauses, cancels, crashes, claims, overrides, corrections, session ends, held proposals and timers, as a list of steps
 * that fast-check can make smaller. A step is five numbers; each verb reads them as it likes, so that any list of numbers
 * is a history. worlds-definitions.ts says what the runs are.
 */
import fc from 'fast-check';
import { isTerminal, STATE_TYPES, type State } from '../../protocol/states.ts';
import type { Digest, EpochMs, ProposalId, RunId } from '../../protocol/ids.ts';
import {
  ENGINE,
  mailboxParts,
  rootOf,
  type EventEmitted,
  type MessageSent,
  type RunDefinition,
} from '../../protocol/proposals.ts';
import type { Ruling } from '../../protocol/rulings.ts';
import type { Run } from '../../engine/fold/workspace.ts';
import { backgroundOf, callOf, flowOf, LIMITS, limitEventOf, MESSAGES, receivesOf } from './worlds-definitions.ts';
import { Desk, runId, type DraftOfWish } from './worlds.ts';

export type Step = readonly [verb: number, a: number, b: number, c: number, d: number];

const small = fc.nat(999);
export const steps = (maxLength: number): fc.Arbitrary<readonly Step[]> =>
  fc.array(fc.tuple(small, small, small, small, small), { maxLength, size: 'max' });

const PASSING_MS = [0, 1, 40, 250, 1000, 6000, 16_000, 61_000] as const;
const ROOTS = 6;

const pick = <T>(from: readonly T[], by: number): T => from[by % from.length]!;
const pickAny = <T>(from: readonly T[], by: number): T | undefined => from[by % Math.max(1, from.length)];
const simple = (type: State['type'], dueAtMs = 0): State =>
  type === 'SCHEDULED' ? { type, name: 'Scheduled', dueAtMs: dueAtMs as EpochMs } : { type, name: type.toLowerCase() };

export class Monkey {
  readonly desk: Desk;
  readonly #generation = [0, 0, 0, 0];
  /** How often each verb found something to do, for tests that prove their reach. */
  readonly did = new Map<string, number>();

  constructor(desk = new Desk({ chance: chanceOf(7) })) {
    this.desk = desk;
  }

  do([verb, a, b, c, d]: Step): void {
    const name = pick(VERBS, verb);
    this.did.set(name, (this.did.get(name) ?? 0) + 1);
    this[name](a, b, c, d);
  }

  #session(by: number): string {
    const place = by % this.#generation.length;
    return `s${String(place)}g${String(this.#generation[place])}`;
  }

  #flows(): Run[] {
    return this.desk.runs().filter(({ kind }) => kind === 'flow');
  }

  #execution(run: RunId): number {
    return this.desk.run(rootOf(run))?.execution ?? 0;
  }

  /** Mostly the current execution; sometimes an older one, or none. */
  #asked(run: RunId, by: number): { execution?: number } {
    const current = this.#execution(run);
    if (by % 8 === 0) return { execution: Math.max(0, current - 1) };
    return by % 8 === 1 ? {} : { execution: current };
  }

  start(a: number, b: number, c: number, d: number): void {
    const run = runId(`flow${String(a % ROOTS)}`);
    const session = this.#session(b);
    const create = flowOf(c, d);
    const dueAtMs = this.desk.nowMs + (d % 5) * 300;
    const asks: readonly DraftOfWish[] = [
      { kind: 'flow', run, to: simple('RUNNING'), claim: true, create },
      { kind: 'flow', run, to: simple('RUNNING'), claim: true, create, basedOn: 0 },
      { kind: 'flow', run, to: simple('SCHEDULED', dueAtMs), create },
      { kind: 'flow', run, to: simple('PENDING'), create },
    ];
    this.#ask(session, pick(asks, d));
  }

  background(a: number, b: number, c: number, d: number): void {
    const run = runId(`task${String(a % ROOTS)}`);
    const due = simple('SCHEDULED', this.desk.nowMs + (d % 4) * 300);
    const ask = pick([{ to: due }, { to: simple('PENDING') }, { to: simple('RUNNING'), claim: true as const }], d);
    this.#ask(this.#session(b), { kind: 'task', run, create: backgroundOf(c, d), ...ask });
  }

  claim(a: number, b: number, c: number): void {
    const run = this.desk.run(runId(`${a % 3 === 0 ? 'task' : 'flow'}${String(a % ROOTS)}`));
    if (run === undefined) return;
    const basedOn = pick([{}, {}, { basedOn: run.version }, { basedOn: run.version - 1 }], c);
    this.#ask(this.#session(b), { kind: run.kind, run: run.id, to: simple('RUNNING'), claim: true, ...basedOn });
  }

  call(a: number, b: number, c: number, d: number): void {
    const running = this.#flows().filter(({ state }) => d % 6 === 0 || state.type === 'RUNNING');
    if (running.length === 0) return;
    const parent = pick(running, a).id;
    const deep = parent.split('.').length > 2;
    const kind = !deep && (c + d) % 4 === 0 ? 'flow' : 'task';
    const run = `${parent}.t${String(b % 4)}-${kind}` as RunId;
    const create: RunDefinition = { ...callOf(c, d), kind, parent };
    const to = d % 17 === 0 ? simple('SCHEDULED', this.desk.nowMs + 100) : simple('RUNNING');
    this.#ask(this.#session(d), { kind, run, to, create, ...this.#asked(run, c) });
  }

  /** Called only where the flow run is not a task's; a call may be asked for before it waits. */
  receive(a: number, b: number, c: number, d: number): void {
    const running = this.#flows().filter(({ state }) => d % 6 === 0 || state.type === 'RUNNING');
    if (running.length === 0) return;
    const parent = pick(running, a).id;
    const run = `${parent}.m${String(b % 4)}-receive` as RunId;
    const receives = receivesOf(parent, c, d, this.desk.nowMs);
    const create: RunDefinition = {
      kind: 'task',
      name: 'receive',
      parent,
      receives,
      ...(d % 4 === 0 ? { limits: [{ limit: 'db', slots: 1 }] } : {}),
    };
    const to = d % 11 === 0 ? simple('PENDING') : simple('RUNNING');
    this.#ask(this.#session(d), { kind: 'task', run, to, create, ...this.#asked(run, c) });
  }

  /** From outside, or carried by the end of a call. */
  send(a: number, b: number, c: number, d: number): void {
    const value = { digest: 'c'.repeat(64) as Digest, size: 1, inline: String(d % 10) };
    const event = this.#awaited(a, d) ?? this.#sent(a, b, c, d);
    if (event === undefined) return;
    const caller = d % 3 === 0 ? this.desk.runs().find(({ state }) => state.type === 'RUNNING') : undefined;
    if (caller === undefined) this.#ask(this.#session(b), { kind: 'workspace', event: { ...event, value } });
    else {
      const { kind, id: run } = caller;
      const to = simple('COMPLETED');
      this.#ask(this.#session(b), {
        kind,
        run,
        to,
        report: true,
        carries: { ...event, value },
        ...this.#asked(run, b),
      });
    }
  }

  /** To whoever waits, now and then; an event may be heard by others too. */
  #awaited(a: number, d: number): MessageSent | EventEmitted | undefined {
    const mailbox = d % 2 === 0 ? pickAny([...this.desk.workspace.waiting.entries()], a)?.[0] : undefined;
    if (mailbox === undefined) return undefined;
    const { run, kind, name } = mailboxParts(mailbox);
    if (kind === 'message') return { type: 'MESSAGE_SENT', to: run, name };
    return { type: 'EVENT_EMITTED', name: 'paid', ...pick([{}, { key: 'a' }, { key: 'b' }], d) };
  }

  #sent(a: number, b: number, c: number, d: number): MessageSent | EventEmitted | undefined {
    const flow = pickAny(
      this.#flows().filter(({ state }) => d % 6 === 0 || !isTerminal(state)),
      a,
    );
    if (flow === undefined) return undefined;
    if (c % 2 === 0) return { type: 'MESSAGE_SENT', to: flow.id, name: pick(MESSAGES, b) };
    return { type: 'EVENT_EMITTED', name: 'paid', ...(b % 2 === 0 ? {} : { key: pick(['a', 'b'], d) }) };
  }

  report(a: number, b: number, c: number): void {
    const active = this.desk.runs().filter(({ state }) => b % 7 === 0 || !isTerminal(state));
    if (active.length === 0) return;
    const run = pick(active, a);
    const ends: readonly State[] = [
      { type: 'COMPLETED', name: 'Completed' },
      { type: 'COMPLETED', name: 'Completed', result: { digest: 'a'.repeat(64) as Digest, size: 1, inline: '1' } },
      { type: 'FAILED', name: 'Failed' },
      { type: 'FAILED', name: 'Failed', error: { digest: 'b'.repeat(64) as Digest, size: 3, inline: '"e"' } },
      { type: 'FAILED', name: 'Failed', retriable: false },
      { type: 'CANCELLED', name: 'Cancelled' },
      { type: 'CRASHED', name: 'Crashed' },
    ];
    this.#ask(this.#session(b), {
      kind: run.kind,
      run: run.id,
      to: pick(ends, c),
      report: true,
      ...this.#asked(run.id, b),
    });
  }

  cancel(a: number, b: number, c: number): void {
    const run = pickAny([...this.#flows(), ...this.desk.runs()], a);
    if (run === undefined) return;
    const asked = c % 2 === 0 ? {} : this.#asked(run.id, b);
    this.#ask(this.#session(b), { kind: run.kind, run: run.id, to: simple('CANCELLING'), reason: 'enough', ...asked });
  }

  pause(a: number, b: number, c: number, d: number): void {
    const run = pickAny(
      this.#flows().filter(({ state }) => d % 5 === 0 || state.type === 'RUNNING'),
      a,
    );
    if (run === undefined) return;
    const to: State = {
      type: 'PAUSED',
      name: 'Paused',
      ...(b % 3 === 0 ? {} : { key: `k${String(b % 2)}` }),
      ...(c % 3 === 0 ? { timeoutAtMs: (this.desk.nowMs + (d % 4) * 500) as EpochMs } : {}),
      ...(d % 3 === 0 ? { suspended: true } : {}),
      ...(a % 4 === 0 ? { wakeAtMs: (this.desk.nowMs + (c % 3) * 400) as EpochMs } : {}),
      ...(d % 2 === 0 ? { wakeOn: [...this.desk.workspace.waiting.entries()].map(([mailbox]) => mailbox) } : {}),
    };
    this.#ask(this.#session(b), { kind: 'flow', run: run.id, to, ...this.#asked(run.id, c) });
  }

  resume(a: number, b: number, c: number, d: number): void {
    const run = pickAny(
      this.#flows().filter(({ state }) => state.type === 'PAUSED'),
      a,
    );
    if (run === undefined) return;
    const running = { kind: 'flow', run: run.id, to: simple('RUNNING') } as const;
    const asks: readonly DraftOfWish[] = [
      { ...running, ...this.#asked(run.id, c) },
      running,
      { ...running, claim: true },
      { kind: 'flow', run: run.id, to: simple('SCHEDULED', this.desk.nowMs + (d % 3) * 200) },
    ];
    const input = c % 2 === 0 ? {} : { input: { digest: 'd'.repeat(64) as Digest, size: 1, inline: '7' } };
    this.#ask(this.#session(b), { ...pick(asks, d), ...input });
  }

  /** Somebody says why a run that has ended did not end so, or not at all. */
  correct(a: number, b: number, c: number, d: number): void {
    const run = pickAny(
      this.desk.runs().filter(({ state }) => isTerminal(state)),
      a,
    );
    if (run === undefined) return;
    const to = simple(pick(STATE_TYPES, b), this.desk.nowMs + (d % 3) * 200);
    const claim = c % 3 === 0 ? { claim: true as const } : {};
    const execution = c % 2 === 0 ? this.#asked(run.id, d) : {};
    const call = c % 4 === 3 ? pickAny(this.desk.runs(), d) : undefined;
    const redo = call === undefined ? {} : { redoFrom: call.id };
    const asked = { to, reason: 'it was wrong', ...claim, ...execution, ...redo };
    this.#ask(this.#session(d), { kind: run.kind, run: run.id, ...asked });
  }

  /** An operator overrides the rules; now and then without saying why. */
  force(a: number, b: number, c: number, d: number): void {
    const run = pickAny(this.desk.runs(), a);
    if (run === undefined) return;
    const to = simple(pick(STATE_TYPES, b), this.desk.nowMs + (d % 3) * 200);
    const reason = c % 5 === 0 ? {} : { reason: 'it must be' };
    this.#ask(this.#session(d), { kind: run.kind, run: run.id, to, force: true, ...reason });
  }

  anything(a: number, b: number, c: number, d: number): void {
    const run = pickAny(this.desk.runs(), a);
    if (run === undefined) return;
    const to = simple(pick(STATE_TYPES, b), this.desk.nowMs + (d % 3) * 200);
    const flags = pick([{}, { report: true as const }, { claim: true as const }, { basedOn: run.version }], c);
    this.#ask(this.#session(d), { kind: run.kind, run: run.id, to, ...flags, ...this.#asked(run.id, d) });
  }

  limit(a: number, b: number, c: number, d: number): void {
    this.#ask(this.#session(c), { kind: 'workspace', event: limitEventOf(pick(LIMITS, a), b, c, d) });
  }

  pass(a: number): void {
    this.desk.pass(pick(PASSING_MS, a));
  }

  /** A process dies: the engine says so of all that it executes. */
  crash(a: number): void {
    const place = a % this.#generation.length;
    const session = this.#session(place);
    for (const id of [...this.desk.workspace.executing.of(session)]) {
      const run = this.desk.run(id)!;
      this.desk.hear(this.desk.engineProposal(run, { type: 'CRASHED', name: 'Crashed', message: 'silent' }));
    }
    this.#generation[place]! += 1;
  }

  closeSession(a: number): void {
    const known = [...this.desk.workspace.sessions.entries()].filter(([name]) => {
      return this.desk.workspace.executing.of(name).size === 0;
    });
    if (known.length === 0) return;
    const [session, { lastMs }] = pick(known, a);
    this.desk.hear({
      id: `liveness/${session}/closed` as ProposalId,
      kind: 'workspace',
      by: ENGINE,
      epoch: this.desk.epoch,
      event: { type: 'SESSION_CLOSED', session, silentSinceMs: lastMs },
    });
    this.#generation[Number(session[1])]! += 1;
  }

  /** What was asked before is asked again: as the client publishes it, it has been ruled on. */
  again(a: number): void {
    const asked = this.desk.ruled
      .map(({ ruling }) => ruling.proposal)
      // The memory of sessions outlives PROPOSALS: what a closed one asked does not come again.
      .filter(({ by, id }) => {
        const [session = '', counter] = id.split(':');
        return by !== ENGINE && (counter !== '0' || this.desk.workspace.sessions.get(session) !== undefined);
      });
    if (asked.length > 0) this.desk.hear(pick(asked, a));
  }

  garbage(a: number, b: number, c: number): void {
    const run = pick(
      [runId('nobody'), `${runId('nobody')}.x` as RunId, runId('flow1'), `${runId('flow1')}.x` as RunId],
      a,
    );
    const kind = pick(['flow', 'task'] as const, b);
    const create = pick<{ create?: RunDefinition }>(
      [{}, { create: { kind: 'task', name: 'x' } }, { create: { kind: 'flow', name: 'x' } }],
      c,
    );
    this.#ask(this.#session(b), { kind, run, to: simple('RUNNING'), ...create });
  }

  takeOver(a: number): void {
    if (a % 2 === 0) this.desk.seal();
    this.desk.takeOver();
  }

  seal(a: number): void {
    if (a % 2 === 0) this.desk.seal();
    else this.desk.sealAfter = 1 + (a % 7);
  }

  #ask(session: string, draft: DraftOfWish): Ruling | undefined {
    const counter = this.desk.nextCounter(session);
    // Mostly it has the answers to all but what is held; now and then it says so of those too.
    const held = [...this.desk.workspace.held.entries()]
      .filter(([id]) => id.startsWith(`${session}:`))
      .map(([id]) => Number(id.split(':')[1]));
    return this.desk.ask(session, draft, counter % 9 === 8 ? counter : Math.min(counter, ...held));
  }
}

type Verb = Exclude<keyof Monkey, 'desk' | 'did' | 'do'>;

const WEIGHTS: Readonly<Record<Verb, number>> = {
  start: 8,
  background: 4,
  claim: 6,
  call: 15,
  receive: 5,
  send: 5,
  report: 13,
  cancel: 3,
  pause: 4,
  resume: 4,
  correct: 2,
  force: 1,
  anything: 4,
  limit: 6,
  pass: 9,
  crash: 3,
  closeSession: 2,
  again: 2,
  garbage: 1,
  takeOver: 2,
  seal: 6,
};
export const VERBS: readonly Verb[] = (Object.keys(WEIGHTS) as Verb[]).flatMap((verb) =>
  Array.from({ length: WEIGHTS[verb] }, () => verb),
);

/** As `steps`, but most are of these verbs: for laws that random work seldom comes to. */
export const stepsMostly = (verbs: readonly Verb[], maxLength: number): fc.Arbitrary<readonly Step[]> => {
  const wanted = fc.constantFrom(...verbs).map((verb) => VERBS.indexOf(verb));
  const step = fc.tuple(wanted, small, small, small, small);
  const any = fc.tuple(small, small, small, small, small);
  const most = fc.oneof({ arbitrary: step, weight: 2 }, { arbitrary: any, weight: 1 });
  return fc.array(most, { maxLength, size: 'max' });
};

/** mulberry32: 32 bits of state, enough to choose by, and the same on every machine. */
export function chanceOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
