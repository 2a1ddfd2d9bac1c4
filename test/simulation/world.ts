/**
 * A seeded world: one or two arbiters, some processes that execute flows, an operator, and whatever can go wrong between
 * them. It lives in chaos for a while, then in peace until every run has ended; then the checkers judge what is left.
 * What goes wrong is in misfortune.ts.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stateDigest, type Run } from '../../engine/fold/workspace.ts';
import { memoryLog, type MemoryLog } from '../../engine/log/memory.ts';
import type { Digest, RunId } from '../../protocol/ids.ts';
import type { Answer } from '../../protocol/messages.ts';
import type { Position } from '../../protocol/rulings.ts';
import { isTerminal } from '../../protocol/states.ts';
import { parseBatch } from '../../protocol/wire.ts';
import { subjects } from '../../protocol/subjects.ts';
import { court } from '../../rules/judge.ts';
import { corePolicies } from '../../rules/policy.ts';
import { defineRule, pass } from '../../rules/rule.ts';
import { ArbiterProcess, Kernel, Killed, type Surroundings } from '../support/memory-arbiter.ts';
import { chanceOf } from '../support/worlds-random.ts';
import { ClientProcess, type Network } from './client-process.ts';
import { FlowExecution, type Begin, type FlowPlan } from './flow-program.ts';
import { beginMisfortunes, fateOf, operate } from './misfortune.ts';
import { ALL_LIMITS, drawFlow } from './plans.ts';
import { LedgerView } from './ledger-view.ts';

/** An answer that arrived, and when it was sent. */
export type Heard = { readonly session: string; readonly answer: Answer; readonly sentMs: number };
/** The digest of an arbiter's state at a head. */
export type DigestSeen = { readonly seq: number; readonly hash: string; readonly digest: Digest; readonly by: string };
/** A function that began to run, as its process believed by right. */
export type Began = { readonly run: RunId; readonly execution: number; readonly session: string };

const CHAOS_MS = 40_000;
const PEACE_MS = 600_000;
const CLIENTS = 4;
/** Attempts after which nobody resumes a run that crashed any more. */
const RESUMED_MAX = 6;

/** A rule that fails on a word: what users may do to the engine. */
const failing = defineRule({
  name: 'fails-on-a-word',
  summary: 'Throws when the message says so.',
  on: ['flow'],
  from: ['NONE'],
  to: ['RUNNING'],
  needs: [],
  may: [],
  judge: ({ to }) => {
    if (to.message === 'boom') throw new Error('boom');
    return pass();
  },
});
const { flow } = corePolicies;
export const theCourt = court({ ...corePolicies, flow: { name: 'flow', rules: [...flow.rules, failing] } });

export class World {
  readonly seed: number;
  readonly kernel: Kernel;
  readonly ledger: MemoryLog;
  readonly proposals: MemoryLog;
  readonly plans: readonly FlowPlan[];
  readonly alone: boolean;
  readonly heard: Heard[] = [];
  readonly digests: DigestSeen[] = [];
  readonly began: Began[] = [];
  /** The rewinds of the ledger: the last sequence that survived, and when it happened. */
  readonly rewinds: { readonly survives: number; readonly atMs: number }[] = [];
  readonly faults = new Map<string, number>();
  readonly lines: string[] = [];
  readonly view: LedgerView;
  /** All that ever were; some are dead. */
  readonly arbiters: ArbiterProcess[] = [];
  clients: ClientProcess[] = [];
  chaos = true;
  wallOffsetMs = 0;
  leaseSilentUntilMs = 0;
  answersLostUntilMs = 0;
  #operator: ClientProcess;
  readonly #folder: string;
  #sessions = 0;
  #settled = false;
  /** Places of PROPOSALS that end whoever judges what stands there. */
  readonly #poisonous = new Set<string>();

  constructor(seed: number) {
    this.seed = seed;
    this.kernel = new Kernel(chanceOf(seed));
    this.#folder = mkdtempSync(join(tmpdir(), 'assent-world-'));
    this.ledger = memoryLog('ledger', { fate: () => fateOf(this) });
    this.proposals = memoryLog('proposals');
    this.view = new LedgerView(this.ledger);
    this.alone = this.kernel.happens(0.4);
    this.plans = Array.from({ length: 6 + Math.floor(this.kernel.between(0, 10)) }, (_, i) => drawFlow(this.kernel, i));
    this.#operator = this.newClient();
  }

  /** Whoever operates the world; after a long silence, in a new session. */
  get operator(): ClientProcess {
    if (this.#operator.expired) this.#operator = this.newClient();
    return this.#operator;
  }

  /** Lives the world to its end. */
  async live(): Promise<void> {
    try {
      this.startArbiter('A', {});
      if (!this.alone) this.startArbiter('B', {});
      for (let i = 0; i < CLIENTS; i += 1) this.clients.push(this.newClient());
      operate(this, ALL_LIMITS);
      for (const plan of this.plans) this.#launch(plan);
      this.#keepResuming();
      beginMisfortunes(this, CHAOS_MS);
      await this.kernel.live(CHAOS_MS);
      this.chaos = false;
      await this.kernel.live(CHAOS_MS + PEACE_MS, () => this.#settled);
      // What was settled last is still on its way to the stand-bys.
      await this.kernel.live(this.kernel.nowMs + 5000);
    } finally {
      for (const { process } of this.arbiters) process.kill();
      rmSync(this.#folder, { recursive: true, force: true });
    }
  }

  fault(name: string): void {
    this.faults.set(name, (this.faults.get(name) ?? 0) + 1);
  }

  /** Now and then the network is slow, so that several segments are in flight. */
  latencyMs = (): number => {
    const slow = Math.floor(this.kernel.nowMs / 1000) % 4 === 3;
    return this.kernel.happens(slow ? 0.3 : 0.02) ? this.kernel.between(20, 300) : this.kernel.between(0.1, 4);
  };

  // --- Arbiters ---------------------------------------------------------------------------------------------------

  get livingArbiters(): ArbiterProcess[] {
    return this.arbiters.filter(({ process }) => process.alive);
  }

  /** Starts an arbiter in a place: after a death, it finds its predecessor's state there, unless that was lost too. */
  startArbiter(place: string, { endedAt, forgets = false }: { endedAt?: Position; forgets?: boolean }): void {
    const statePath = join(this.#folder, `${place}.sqlite`);
    if (forgets) for (const suffix of ['', '-wal', '-shm']) rmSync(statePath + suffix, { force: true });
    const arbiter = new ArbiterProcess({
      name: place,
      kernel: this.kernel,
      around: this.#around,
      settings: {
        heartbeatLimitMs: 4000,
        graceMs: 3000,
        sessionLimitMs: 90_000,
        alone: this.alone,
        ...(this.kernel.happens(0.3) ? { inFlightMax: 1 } : {}),
      },
      ...(place === 'B' || this.kernel.happens(0.7) ? { statePath } : {}),
      ...(endedAt === undefined ? {} : { endedAt }),
      wallOffsetMs: () => this.wallOffsetMs,
      court: theCourt,
      onKilled: (judged) => {
        const kept = this.kernel.happens(0.6);
        this.kernel.after(this.kernel.between(100, 3000), () => {
          this.startArbiter(place, { forgets: !kept, ...(judged === undefined ? {} : { endedAt: judged }) });
        });
      },
    });
    this.arbiters.push(arbiter);
    arbiter.arbiter.start();
  }

  get #around(): Surroundings {
    return {
      ledger: this.ledger,
      proposals: this.proposals,
      answer: (session, message) => {
        if (this.kernel.nowMs < this.answersLostUntilMs) {
          this.fault('ANSWERS_LOST');
          return;
        }
        const sentMs = this.kernel.nowMs;
        this.kernel.after(this.latencyMs(), () => {
          const client = [this.#operator, ...this.clients].find((one) => one.session === session);
          client?.process.after(0, () => {
            client.receive(message, sentMs);
          });
        });
      },
      dispatch: ({ run, version }) => {
        this.kernel.after(this.latencyMs(), () => {
          const plan = this.plans.find((one) => one.run === run);
          if (plan !== undefined) this.execute(plan, { basedOn: version });
        });
        return Promise.resolve();
      },
      beat: (from, lease) => {
        if (this.kernel.nowMs < this.leaseSilentUntilMs) return;
        this.kernel.after(this.latencyMs(), () => {
          for (const other of this.livingArbiters) if (other !== from) other.hearLease(lease);
        });
      },
      latencyMs: this.latencyMs,
      unreachable: () => {
        if (!this.chaos || !this.kernel.happens(0.005)) return false;
        this.fault('LOG_UNREACHABLE');
        return true;
      },
      judging: (at) => {
        if (!this.#poisonous.has(`${String(at.seq)}/${String(at.index)}`)) return;
        this.fault('KILLED_WHILE_JUDGING');
        throw new Killed();
      },
      folded: (by, workspace, asleep) => {
        const { seq, hash } = workspace.meta.head;
        this.digests.push({ seq, hash, digest: stateDigest(workspace, asleep), by: by.name });
      },
      say: (line) => {
        this.lines.push(`${this.kernel.nowMs.toFixed(0)} ${line}`);
      },
    };
  }

  // --- Clients ----------------------------------------------------------------------------------------------------

  newClient(): ClientProcess {
    this.#sessions += 1;
    return new ClientProcess(this.kernel, `session${String(this.#sessions).padStart(9, '0')}`, this.#network);
  }

  get #network(): Network {
    return {
      publish: (from, bytes) => {
        this.publish(from.session, bytes);
      },
      beat: (session) => {
        this.kernel.after(this.latencyMs(), () => {
          for (const { arbiter, process } of this.livingArbiters) {
            process.after(0, () => {
              arbiter.beat(session, { v: 1, pid: 1, host: 'h' });
            });
          }
        });
      },
      look: (run) => this.view.look(run),
      heard: (from, answer, sentMs) => {
        this.heard.push({ session: from.session, answer, sentMs });
      },
    };
  }

  publish(session: string, bytes: Uint8Array): void {
    if (this.chaos && this.kernel.happens(0.02)) {
      this.fault('PROPOSALS_LOST');
      return;
    }
    const subject = subjects.propose('w', 'sdk', session);
    this.kernel.after(this.latencyMs(), () => {
      this.#store(subject, bytes);
      if (!this.chaos || !this.kernel.happens(0.02)) return;
      this.fault('PROPOSALS_DOUBLED');
      this.#store(subject, bytes);
    });
  }

  #store(subject: string, bytes: Uint8Array): void {
    const seq = this.proposals.storeForeign(bytes, subject);
    const parsed = parseBatch(bytes);
    const proposals = parsed.ok ? parsed.value.proposals : [];
    proposals.forEach((one, index) => {
      const place = `${String(seq)}/${String(index)}`;
      if (JSON.stringify(one).includes('poison')) this.#poisonous.add(place);
      else this.#poisonous.delete(place);
    });
  }

  /** Some process that is up executes the run, or tries to. */
  execute(plan: FlowPlan, begin: Begin): void {
    const up = this.clients.filter((client) => client.isUp && !client.process.isStopped);
    if (up.length === 0) return;
    const client = this.kernel.pick(up);
    const witness = {
      began: (run: RunId, execution: number): void => {
        this.began.push({ run, execution, session: client.session });
      },
    };
    void new FlowExecution(client, plan, witness).run(begin);
  }

  /** Whoever is heard when the run was begun by another, and may have ended, does not begin it anew. */
  #launch(plan: FlowPlan): void {
    this.kernel.after(this.kernel.between(0, CHAOS_MS * 0.7), () => {
      if (plan.startsInMs === undefined) {
        this.execute(plan, { create: true, basedOn: 0 });
        return;
      }
      const dueAtMs = Math.round(this.kernel.nowMs + plan.startsInMs) as never;
      const to = { type: 'SCHEDULED', name: 'Scheduled', dueAtMs } as const;
      void this.operator.ask({ kind: 'flow', run: plan.run, to, create: plan.definition });
      if (plan.definition.work === undefined)
        this.kernel.after(this.kernel.between(0, 3000), () => {
          this.execute(plan, {});
        });
      // Somebody has second thoughts.
      if (!this.kernel.happens(0.2)) return;
      const cancelling = { type: 'CANCELLING', name: 'Cancelling' } as const;
      void this.operator.ask({ kind: 'flow', run: plan.run, to: cancelling, basedOn: 1 });
    });
  }

  /** Scripts are run again by somebody: what crashed, and what nobody ever began, is executed again. */
  #keepResuming(): void {
    this.kernel.after(3000, () => {
      this.#keepResuming();
    });
    void this.view.update().then(() => {
      const { runs, held } = this.view.workspace;
      const resumable = (run: Run | undefined): boolean => run?.state.type === 'CRASHED' && run.attempt < RESUMED_MAX;
      for (const plan of this.plans) {
        const run = runs.get(plan.run);
        if (run !== undefined && resumable(run)) this.execute(plan, { basedOn: run.version });
        if (!this.chaos && run === undefined && this.kernel.nowMs > CHAOS_MS + 5000)
          this.execute(plan, { create: true, basedOn: 0 });
        if (this.kernel.nowMs > CHAOS_MS + 120_000 && run !== undefined && !isTerminal(run.state)) {
          void this.operator.ask({ kind: 'flow', run: plan.run, to: { type: 'CANCELLING', name: 'Cancelling' } });
        }
      }
      const all = this.plans.every(({ run }) => isTerminal(runs.get(run)?.state) && !resumable(runs.get(run)));
      const none = [...runs.entries()].every(([, { state }]) => isTerminal(state)) && held.size === 0;
      this.#settled = !this.chaos && this.kernel.nowMs > CHAOS_MS + 10_000 && all && none;
    });
  }
}
