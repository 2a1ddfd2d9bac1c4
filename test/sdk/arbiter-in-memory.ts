/**
 * A workspace in memory for tests of the SDK: the real arbiter and the real rules over logs in memory, and a link to
 * them whose messages a test can drop.
 */
import { Arbiter } from '../../engine/arbiter/arbiter.ts';
import { answerAsk } from '../../engine/arbiter/asks.ts';
import { systemClock } from '../../engine/arbiter/ledger-clock.ts';
import { ARBITER_DEFAULTS, type ArbiterSettings } from '../../engine/arbiter/parts.ts';
import { policyDigest } from '../support/policy-digest.ts';
import { systemScheduler } from '../../engine/arbiter/scheduler.ts';
import type { Dispatch } from '../../engine/arbiter/effects.ts';
import { memoryLog } from '../../engine/log/memory.ts';
import type { Digest, RunId, SessionId } from '../../protocol/ids.ts';
import type { AnswerMessage, Ask, Heartbeat } from '../../protocol/messages.ts';
import type { Ruling } from '../../protocol/rulings.ts';
import { decodeEntry, decodeSegment } from '../../protocol/segment.ts';
import { subjects } from '../../protocol/subjects.ts';
import { court } from '../../rules/judge.ts';
import { completesEarly, corePolicies } from '../../rules/policy.ts';
import { Client } from '../../sdk/client/client.ts';
import { replayProblems } from '../support/replayed.ts';
import type { Link, LinkListener } from '../../sdk/client/link.ts';

export type MemoryWorkspace = {
  readonly arbiter: Arbiter;
  readonly hints: Dispatch[];
  /** A client process of its own. */
  connect(): Promise<{ client: Client; link: MemoryLink }>;
  /** All rulings so far, in order. */
  rulings(): Promise<Ruling[]>;
  stop(): Promise<void>;
};

export async function memoryWorkspace(
  settings: Partial<ArbiterSettings> & { readonly completesEarly?: boolean } = {},
): Promise<MemoryWorkspace> {
  const ledger = memoryLog();
  const proposals = memoryLog();
  const links: MemoryLink[] = [];
  const hints: Dispatch[] = [];
  const theCourt = court(corePolicies);
  const { completesEarly: early = completesEarly(theCourt), ...rest } = settings;
  const parts = { ...ARBITER_DEFAULTS, alone: true, ...rest };
  const arbiter = new Arbiter({
    ledger,
    proposals,
    outbox: {
      answer: (session, message) => {
        for (const link of links) link.deliver(session as SessionId, message);
      },
      dispatch: (hint) => {
        hints.push(hint);
        return Promise.resolve();
      },
      ruled: () => undefined,
      beat: () => undefined,
    },
    leases: { last: () => undefined },
    court: theCourt,
    policy: policyDigest(corePolicies),
    clock: systemClock,
    chance: { unit: () => 0.5 },
    scheduler: systemScheduler,
    settings: parts,
    say: () => undefined,
  });
  const active = new Promise<void>((resolve) => {
    arbiter.start((role) => {
      if (role === 'ACTIVE') resolve();
    });
  });
  await active;
  const about = {
    policy: policyDigest(corePolicies),
    completesEarly: early,
    heartbeatLimitMs: parts.heartbeatLimitMs,
    monotonicMs: () => performance.now(),
  };
  const blobs = new Map<Digest, string>();
  return {
    arbiter,
    hints,
    async connect() {
      const link = new MemoryLink({
        store: (subject, bytes) => proposals.storeForeign(bytes, subject),
        ask: (ask) => answerAsk(arbiter, ask, about),
        beat: (session, heartbeat) => {
          arbiter.beat(session, heartbeat);
        },
        blobs,
      });
      links.push(link);
      return { client: await Client.open(link), link };
    },
    async rulings() {
      const rulings: Ruling[] = [];
      for await (const { bytes } of ledger.read(1)) {
        const decoded = decodeSegment(bytes);
        if (!decoded.ok) throw new Error(decoded.problem);
        for (const entry of decoded.segment.lines.map(decodeEntry)) if (entry.type === 'RULING') rulings.push(entry);
      }
      return rulings;
    },
    async stop() {
      await arbiter.stop();
      const problems = await replayProblems(ledger, theCourt);
      if (problems.length > 0) throw new Error(problems.join('\n'));
    },
  };
}

type MemoryLinkParts = {
  readonly store: (subject: string, bytes: Uint8Array) => void;
  readonly ask: (ask: Ask) => Promise<unknown>;
  readonly beat: (session: SessionId, heartbeat: Heartbeat) => void;
  readonly blobs: Map<Digest, string>;
};

export class MemoryLink implements Link {
  up = true;
  held = 0;
  readonly logged: { run: RunId; lines: string }[] = [];
  readonly beats: Heartbeat[] = [];
  /** Messages to this link's sessions are lost while it is true. */
  deaf = false;
  /** Batches are lost while it is true. */
  mute = false;
  readonly #parts: MemoryLinkParts;
  readonly #listeners = new Map<SessionId, LinkListener>();
  readonly #onAnswered: { readonly type: Ask['type']; readonly resolve: () => void }[] = [];
  #delay: Promise<unknown> = Promise.resolve();

  constructor(parts: MemoryLinkParts) {
    this.#parts = parts;
  }

  get blobs(): Map<Digest, string> {
    return this.#parts.blobs;
  }

  listen(session: SessionId, listener: LinkListener): Promise<void> {
    this.#listeners.set(session, listener);
    return Promise.resolve();
  }

  deliver(session: SessionId, message: AnswerMessage): void {
    const listener = this.#listeners.get(session);
    if (listener === undefined || this.deaf || !this.up) return;
    const bytes = Buffer.from(JSON.stringify(message));
    setImmediate(() => {
      listener.answers(bytes);
    });
  }

  /** As after a broken connection. */
  restore(): void {
    this.up = true;
    for (const listener of this.#listeners.values()) listener.restored();
  }

  propose(session: SessionId, batch: Uint8Array): void {
    if (this.mute || !this.up) return;
    void this.#delay.then(() => {
      this.#parts.store(subjects.propose('default', 'sdk', session), batch);
    });
  }

  /** Batches are on their way until then. */
  delayProposals(until: Promise<unknown>): void {
    this.#delay = until;
  }

  /** Resolves after the next answer to a question of this type was received. */
  answered(type: Ask['type']): Promise<void> {
    return new Promise((resolve) => {
      this.#onAnswered.push({ type, resolve });
    });
  }

  beat(session: SessionId, heartbeat: Heartbeat): void {
    this.beats.push(heartbeat);
    if (!this.mute) this.#parts.beat(session, heartbeat);
  }

  log(run: RunId, lines: Uint8Array): void {
    this.logged.push({ run, lines: Buffer.from(lines).toString() });
  }

  async ask(ask: Ask): Promise<unknown> {
    const answer = JSON.parse(JSON.stringify(await this.#parts.ask(ask))) as unknown;
    setImmediate(() => {
      for (const { type, resolve } of this.#onAnswered) if (type === ask.type) resolve();
    });
    return answer;
  }

  putBlob(digest: Digest, text: string): Promise<void> {
    this.#parts.blobs.set(digest, text);
    return Promise.resolve();
  }

  getBlob(digest: Digest): Promise<string> {
    return Promise.resolve(this.#parts.blobs.get(digest) ?? '');
  }

  hold(): void {
    this.held += 1;
  }

  release(): void {
    this.held -= 1;
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.up = false;
    return Promise.resolve();
  }
}
