/**
 * Random histories of a workspace: proposals as clients, the clock and operators make them, ruled on by the real rules
 * and written as segments into a log in memory, with the workspace that the arbiter's fold makes of them.
 */
import { decide } from '../../engine/arbiter/decide.ts';
import { clockProposal } from '../../engine/arbiter/timers.ts';
import { wakeable } from '../../engine/arbiter/wake.ts';
import { evolve, sealSegment } from '../../engine/fold/evolve.ts';
import { Workspace } from '../../engine/fold/workspace.ts';
import { memoryLog, type MemoryLog } from '../../engine/log/memory.ts';
import { idFrom, type Digest, type EpochMs, type ProposalId, type RunId } from '../../protocol/ids.ts';
import {
  ON_FULL,
  TRANSACTION_LIMIT,
  type CarriedEvent,
  type Proposal,
  type RunDefinition,
  type SlotWish,
  type WorkspaceEvent,
  mailboxOf,
  type Receives,
} from '../../protocol/proposals.ts';
import type { Entry, Ruling } from '../../protocol/rulings.ts';
import { encodeEntry, encodeSegment, sha256 } from '../../protocol/segment.ts';
import { DEFAULT_NAMES, STATE_TYPES, type State, type StateType } from '../../protocol/states.ts';
import { court, type Court } from '../../rules/judge.ts';
import { corePolicies } from '../../rules/policy.ts';

const core = court(corePolicies);
const NONE: { readonly seq: number; readonly hash: Digest | '' } = { seq: 0, hash: '' };

/** Numbers in [0, 1) from a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export class History {
  readonly workspace = new Workspace();
  readonly log: MemoryLog = memoryLog();
  readonly rulings: Ruling[] = [];
  readonly #random: () => number;
  readonly #rules: Court;
  readonly #sessions: { id: string; counter: number }[] = [];
  #lines: string[] = [];
  #seq = 0;
  #number = 0;
  #timeMs = 1_763_800_000_000;

  constructor(seed: number, rules: Court = core) {
    this.#random = seeded(seed);
    this.#rules = rules;
    this.epoch();
  }

  get seq(): number {
    return this.#seq;
  }

  epoch(): void {
    const epoch = this.workspace.meta.epoch + 1;
    this.seal();
    this.#write({ type: 'EPOCH', epoch, atMs: this.#now(), policy: sha256('policy') });
    this.seal();
  }

  /** So many random proposals, in segments of random length. */
  grow(steps: number): this {
    for (let step = 0; step < steps; step += 1) {
      this.#timeMs += Math.floor(this.#random() * 40);
      if (this.#chance(0.07)) this.#ring();
      else this.#ruleOn(this.#proposal());
      if (this.#random() < 0.3) this.seal();
    }
    this.seal();
    return this;
  }

  /** A segment of a writer that was overtaken. */
  addVoid(): void {
    const header = this.#header(NONE, 1);
    this.log.storeForeign(encodeSegment({ ...header, writer: 'stale' }, ['{"type":"CLOCK_STEPPED"}']).bytes);
    this.#seq += 1;
  }

  seal(): void {
    if (this.#lines.length === 0) return;
    const { epoch, head } = this.workspace.meta;
    const header = this.#header(head, Math.max(epoch, 1));
    const { bytes, hash } = encodeSegment(header, this.#lines);
    this.log.storeForeign(bytes);
    this.#seq += 1;
    this.#number += 1;
    sealSegment(this.workspace, header, { seq: this.#seq, hash });
    this.#lines = [];
  }

  #header(parent: typeof NONE, epoch: number): Parameters<typeof encodeSegment>[0] {
    return { epoch, writer: 'history', number: this.#number, parent, position: { seq: 0, id: '' }, effects: 0 };
  }

  #now(): EpochMs {
    return this.#timeMs as EpochMs;
  }

  #write(entry: Entry): void {
    const line = encodeEntry(entry);
    evolve(this.workspace, entry, line, { seq: this.#seq + 1, index: this.#lines.length });
    this.#lines.push(line);
    if (entry.type === 'RULING') this.rulings.push(entry);
    if (this.#lines.length === 256) this.seal();
  }

  #ruleOn(proposal: Proposal, heldAt?: Ruling['heldAt']): void {
    const context = {
      nowMs: this.#now(),
      chance: this.#random,
      graceMs: 1000,
      court: this.#rules,
      policy: 'policy',
      epoch: this.workspace.meta.epoch,
    };
    this.#write(decide(this.workspace, proposal, context, heldAt === undefined ? {} : { heldAt }));
    for (const id of wakeable(this.workspace)) this.#ruleOnHeld(id);
    for (const [id] of this.workspace.evictions.entries()) this.#evict(id);
  }

  /** Somebody needs its slots. */
  #evict(id: string): void {
    const run = this.workspace.runs.get(id);
    if (run === undefined) return;
    this.#ruleOn({
      ...this.#engines(`evict/${id}/${String(run.version)}`, 'limit'),
      kind: run.kind,
      run: run.id,
      basedOn: run.version,
      to: { type: 'CANCELLING', name: 'Cancelling', message: 'others need its slots' },
    });
  }

  #ruleOnHeld(id: string): void {
    const held = this.workspace.held.get(id);
    if (held !== undefined) this.#ruleOn(held.proposal, held.at);
  }

  #pick<T>(things: readonly T[]): T {
    return things[Math.floor(this.#random() * things.length)]!;
  }

  #chance(of: number): boolean {
    return this.#random() < of;
  }

  #asked(): { id: ProposalId; by: string; done?: number } {
    if (this.#sessions.length < 2 || this.#chance(0.03)) {
      const bytes = Uint8Array.from({ length: 16 }, () => this.#random() * 256);
      this.#sessions.push({ id: idFrom(bytes), counter: 0 });
    }
    const session = this.#pick(this.#sessions);
    const id = `${session.id}:${String(session.counter)}` as ProposalId;
    session.counter += 1;
    return { id, by: this.#pick(['sdk', 'sdk', 'cli']) };
  }

  #proposal(): Proposal {
    const kind = this.#random();
    if (kind < 0.04) return this.#limitEvent();
    if (kind < 0.05) return this.#sessionEnd();
    if (kind < 0.08) return this.#death();
    if (kind < 0.12) return { ...this.#asked(), kind: 'workspace', event: this.#sent() };
    if (kind < 0.12) return { ...this.#asked(), kind: 'workspace', event: this.#leftEvent() };
    return this.#transition();
  }

  #limitEvent(): Proposal {
    const limit = this.#pick(['a', 'b', 'c', 'tag:hot', 'deployment:nightly']);
    const event: WorkspaceEvent = this.#chance(0.8)
      ? {
          type: 'LIMIT_SET',
          limit,
          slotsMax: Math.floor(this.#random() * 4),
          ...(this.#chance(0.3) ? { slotsPerSecond: this.#pick([3, 20]) } : {}),
          ...(this.#chance(0.4) ? { onFull: this.#pick(ON_FULL) } : {}),
        }
      : { type: 'LIMIT_REMOVED', limit };
    return { ...this.#asked(), kind: 'workspace', event };
  }

  /** What the code of runs leaves behind. */
  #leftEvent(): WorkspaceEvent {
    const known = [...this.workspace.runs.entries()].map(([, { id }]) => id);
    const run = known.length === 0 ? (idFrom(new Uint8Array(16)) as RunId) : this.#pick(known);
    if (this.#chance(0.2)) return { type: 'VARIABLE_REMOVED', name: this.#pick(['rate', 'region']) };
    if (this.#chance(0.3)) return { type: 'HOOK_RAN', run, hook: 'onFailure', function: 'notify' };
    return this.#carried(run);
  }

  #carried(run: RunId): CarriedEvent {
    const inline = String(Math.floor(this.#random() * 100));
    const value = { digest: sha256(inline), size: inline.length, inline };
    const tags = this.#chance(0.3) ? { tags: ['ops'] } : {};
    if (this.#chance(0.5))
      return { type: 'VARIABLE_SET', name: this.#pick(['rate', 'region', 'host']), value, ...tags };
    const key = this.#pick(['report', 'progress']);
    return { type: 'ARTIFACT_MADE', run, key, kind: 'markdown', data: value };
  }

  /** A message to some flow run, or an event for whoever listens. */
  #sent(): CarriedEvent {
    const flows = [...this.workspace.runs.entries()].map(([, run]) => run).filter((run) => run.kind === 'flow');
    if (flows.length === 0 || this.#chance(0.4)) return { type: 'EVENT_EMITTED', name: 'paid' };
    return { type: 'MESSAGE_SENT', to: this.#pick(flows).id, name: 'go' };
  }

  #receives(flow: RunId): Receives {
    const until = this.#chance(0.5) ? { untilMs: (this.#timeMs + 200) as EpochMs } : {};
    return this.#chance(0.5)
      ? { type: 'MESSAGE', mailbox: mailboxOf(flow, 'go'), ...until }
      : { type: 'EVENT', topic: 'paid', ...until };
  }

  #sessionEnd(): Proposal {
    const [known] = this.#sessions;
    const session = known?.id ?? 'nobody';
    if (this.#sessions.length > 1) this.#sessions.shift();
    return {
      ...this.#engines(`liveness/${session}/closed`, 'liveness'),
      kind: 'workspace',
      event: { type: 'SESSION_CLOSED', session, silentSinceMs: this.#now() },
    };
  }

  #engines(id: string, onBehalfOf: string): { id: ProposalId; by: string; onBehalfOf: string; epoch: number } {
    return { id: id as ProposalId, by: 'engine', onBehalfOf, epoch: this.workspace.meta.epoch };
  }

  /** The clock comes to some timer. */
  #ring(): void {
    const timers = [...this.workspace.timers.entries()].map(([, timer]) => timer);
    if (timers.length === 0) return;
    const timer = this.#pick(timers);
    this.#timeMs = Math.max(this.#timeMs, timer.dueAtMs);
    if (timer.proposal !== undefined) {
      this.#ruleOnHeld(timer.proposal);
      return;
    }
    const proposal = clockProposal(timer, this.workspace.meta.epoch, this.workspace);
    if (proposal !== undefined) this.#ruleOn(proposal);
  }

  /** A flow run's process dies. */
  #death(): Proposal {
    const flows = [...this.workspace.runs.entries()].map(([, run]) => run).filter((run) => run.parent === undefined);
    if (flows.length === 0) return this.#transition();
    const { id, version } = this.#pick(flows);
    return {
      ...this.#engines(`liveness/${id}/${String(version)}`, 'liveness'),
      kind: 'flow',
      run: id,
      basedOn: version,
      to: { type: 'CRASHED', name: 'Crashed', message: 'its process is silent' },
    };
  }

  #transition(): Proposal {
    const runs = [...this.workspace.runs.entries()].map(([, run]) => run);
    const flows = runs.filter((run) => run.kind === 'flow' && run.id.split('.').length < 3);
    if (flows.length < 2 || this.#chance(0.06)) return this.#newRun(undefined);
    if (this.#chance(0.3)) return this.#newRun(this.#pick(flows).id);
    const run = this.#pick(runs);
    const root = this.workspace.runs.get(run.id.split('.')[0] ?? '');
    const execution = this.#chance(0.9) ? root?.execution : 77;
    const type = this.#nextOf(run.state.type);
    const isReport = ['COMPLETED', 'FAILED', 'CRASHED'].includes(type);
    const claims = run.parent === undefined && type === 'RUNNING';
    const forced = this.#chance(0.05);
    return {
      ...this.#asked(),
      kind: run.kind,
      run: run.id,
      to: this.#state(type),
      ...(execution === undefined || claims ? {} : { execution }),
      ...(isReport ? { report: true } : {}),
      ...(isReport && this.#chance(0.3) ? { carries: this.#carried(run.id) } : {}),
      ...(claims ? { claim: true } : {}),
      ...(this.#chance(0.2) ? { basedOn: run.version } : {}),
      ...(forced ? { force: true, ...(this.#chance(0.8) ? { reason: 'it must be' } : {}) } : {}),
    };
  }

  #nextOf(from: StateType): StateType {
    if (this.#chance(0.15)) return this.#pick(STATE_TYPES);
    if (from === 'SCHEDULED' || from === 'PENDING' || from === 'PAUSED') return 'RUNNING';
    return this.#pick(['COMPLETED', 'FAILED', 'FAILED', 'CANCELLING', 'PAUSED', 'RUNNING'] as const);
  }

  #state(type: StateType): State {
    const named = { name: DEFAULT_NAMES[type], ...(this.#chance(0.3) ? { message: 'a message' } : {}) };
    if (type === 'SCHEDULED') return { type, ...named, dueAtMs: (this.#timeMs + 500) as EpochMs };
    if (type !== 'PAUSED') return { type, ...named };
    return {
      type,
      ...named,
      ...(this.#chance(0.5) ? { key: this.#pick(['approval', 'review']) } : {}),
      ...(this.#chance(0.3) ? { timeoutAtMs: (this.#timeMs + 300) as EpochMs } : {}),
      ...(this.#chance(0.4) ? { suspended: true } : {}),
      ...(this.#chance(0.3) ? { wakeAtMs: (this.#timeMs + 100) as EpochMs } : {}),
    };
  }

  /** Sometimes for a tenant alone, sometimes the lock of a transaction. */
  #wish(): SlotWish {
    if (this.#chance(0.2)) return { limit: TRANSACTION_LIMIT, slots: 1, by: this.#pick(['red', 'blue']) };
    const limit = this.#pick(['a', 'b', 'c']);
    return { limit, slots: 1, ...(this.#chance(0.3) ? { by: this.#pick(['red', 'blue']) } : {}) };
  }

  #cache(): NonNullable<RunDefinition['cache']> {
    const once = this.#chance(0.5) ? ({ once: true } as const) : {};
    return { key: this.#pick(['x', 'y', 'z']), ttlMs: 5000, ...once };
  }

  #newRun(parent: RunId | undefined): Proposal {
    const bytes = Uint8Array.from({ length: 16 }, () => this.#random() * 256);
    const kind = this.#chance(parent === undefined ? 0.8 : 0.25) ? 'flow' : 'task';
    const run = (parent === undefined ? idFrom(bytes) : `${parent}.call-${idFrom(bytes)}`) as RunId;
    const root = this.workspace.runs.get(run.split('.')[0] ?? '');
    const create: RunDefinition = {
      kind,
      name: this.#pick(['load', 'crunch', 'report']),
      ...(parent === undefined ? {} : { parent }),
      ...(this.#chance(0.6) ? { retry: { retriesMax: 2, delaysMs: [100], jitter: 0 } } : {}),
      ...(this.#chance(0.7) ? { limits: [this.#wish()] } : {}),
      ...(this.#chance(0.2) ? { tags: ['hot', 'any'] } : {}),
      ...(parent === undefined && this.#chance(0.3) ? { deployment: 'nightly' } : {}),
      ...(kind === 'task' && this.#chance(0.3) ? { cache: this.#cache() } : {}),
      ...(parent !== undefined && kind === 'task' && this.#chance(0.3) ? { receives: this.#receives(parent) } : {}),
      ...(this.#chance(0.2) ? { timeoutMs: 1000 } : {}),
      ...(this.#chance(0.2) ? { priority: 3 } : {}),
      ...(this.#chance(0.2) ? { title: 'etl of today' } : {}),
      ...(parent === undefined && this.#chance(0.1) ? { startedBy: idFrom(new Uint8Array(16)) as RunId } : {}),
      ...(parent === undefined && (kind === 'task' || this.#chance(0.3))
        ? { work: { pool: 'default', queue: 'default' } }
        : {}),
    };
    const byWorker = create.work !== undefined && this.#chance(0.7);
    return {
      ...this.#asked(),
      kind,
      run,
      to: byWorker ? this.#state('SCHEDULED') : { type: 'RUNNING', name: 'Running' },
      create,
      ...(byWorker || parent !== undefined ? {} : { claim: true, basedOn: 0 }),
      ...(parent === undefined || root === undefined ? {} : { execution: root.execution }),
    };
  }
}
