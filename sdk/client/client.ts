/**
 * All that this process has of one workspace: a link, a session, the heartbeat, the logs. Made by `connect.ts`; everything
 * above it takes the client it uses as an argument.
 */
import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { AssentError } from '../../protocol/errors.ts';
import type { RunId } from '../../protocol/ids.ts';
import type { Answer, Ask, Hello, Order, Outcomes, RunView } from '../../protocol/messages.ts';
import type { Value } from '../../protocol/values.ts';
import { resultStorage, textInStorage, type ResultStorage } from '../result-storage.ts';
import { decodeText, type Recorded } from '../values.ts';
import { Absence } from './absence.ts';
import { housekeep } from './housekeeping.ts';
import type { Link } from './link.ts';
import { LogShipper } from './log-shipper.ts';
import type { ProcessFiles } from './process-files.ts';
import { Session, type Ordered, type Wish } from './session.ts';

/** At least so often; more often where the engine's patience is short. */
const BEAT_MS = 1000;
/** How often a run is asked after of which nothing was heard: an order may have been lost on its way. */
const ASK_AFTER_MS = 5000;
/** How long a process that disconnects waits for the answers to what it has said. */
const LAST_WORDS_MS = 2000;
const SESSION_QUIET_MS = 6 * 3_600_000;

/** A run whose orders must not be missed. `heardMs` is infinite if it is asked after only when something was lost. */
type Watched = { readonly run: RunId; readonly order: Ordered; heardMs: number };

export class Client {
  readonly link: Link;
  /** Of an engine's folder; a server elsewhere has none. */
  readonly processes: ProcessFiles | undefined;
  readonly logs: LogShipper;
  #session: Session;
  #hello: Hello;
  #atWork = 0;
  #beat: NodeJS.Timeout | undefined;
  #expired = false;
  #closed = false;
  readonly #absence: Absence;
  /** Runs that this process executes, and runs for whose end it waits. */
  readonly #watched = new Map<Ordered, Watched>();
  readonly #awaited = new Map<RunId, Watched>();
  #asking: NodeJS.Timeout | undefined;
  readonly #leaving = new Set<() => void>();

  private constructor(link: Link, hello: Hello, processes: ProcessFiles | undefined) {
    this.link = link;
    this.processes = processes;
    if (processes !== undefined) processes.isBusy = () => this.#atWork > 0;
    this.#hello = hello;
    this.logs = new LogShipper(link);
    this.#session = this.#newSession();
    // Nobody is declared dead before twice this time.
    this.#absence = new Absence(hello.heartbeatLimitMs / 2, () => this.#askAfterExecuted());
  }

  /** Resolves when an arbiter is active. */
  static async open(link: Link, processes?: ProcessFiles): Promise<Client> {
    link.hold();
    try {
      const hello = (await link.ask({ v: 1, type: 'HELLO' })) as Hello;
      const client = new Client(link, hello, processes);
      await client.#listen();
      return client;
    } finally {
      link.release();
    }
  }

  get session(): Session {
    return this.#session;
  }

  /**
   * Before something new begins: the arbiter closes sessions that were silent for a day and execute nothing, so one that
   * was silent for long is replaced.
   */
  async refresh(): Promise<void> {
    if (!this.#expired && (this.#session.quietMs < SESSION_QUIET_MS || this.#watched.size > 0)) return;
    this.#expired = false;
    this.#session.close();
    this.#session = this.#newSession();
    this.processes?.withdraw();
    if (this.#atWork > 0) this.processes?.announce(this.#session.id);
    await this.#listen();
  }

  get hello(): Hello {
    return this.#hello;
  }

  /** As {@link Session.ask}, for a wish that does not hang on what this session did before. */
  async ask(wish: Wish): Promise<Answer> {
    const answer = await this.#session.ask(wish);
    if (answer.code !== 'SESSION_EXPIRED') return answer;
    await this.refresh();
    return this.#session.ask(wish);
  }

  async runView(run: RunId): Promise<RunView | undefined> {
    const reply = (await this.link.ask({ v: 1, type: 'RUN', run })) as RunReply | undefined;
    if (reply !== undefined) this.session.heardEpoch(reply.epoch);
    return reply?.run;
  }

  /** The newest unfinished run of this identity, or the one that was begun beside it and before it. */
  async unfinished(
    identity: Extract<Ask, { type: 'UNFINISHED' }>['identity'],
    before?: RunId,
  ): Promise<RunView | undefined> {
    const question: Ask = { v: 1, type: 'UNFINISHED', identity, ...(before === undefined ? {} : { before }) };
    const reply = (await this.link.ask(question)) as RunReply | undefined;
    return reply?.run;
  }

  /**
   * All calls of a flow run that have ended, and those of its subflows.
   * @throws AssentError ENGINE_UNAVAILABLE
   */
  async outcomes(run: RunId): Promise<RunView[]> {
    const ended: RunView[] = [];
    for (let after: RunId | undefined; ;) {
      const question: Ask = { v: 1, type: 'OUTCOMES', run, ...(after === undefined ? {} : { after }) };
      const page = (await this.link.ask(question)) as Outcomes | undefined;
      if (page === undefined) throw new AssentError('ENGINE_UNAVAILABLE', `No arbiter knows the calls of ${run}.`);
      ended.push(...page.ended);
      after = page.next;
      if (after === undefined) return ended;
    }
  }

  /** What was recorded, from where it stands. */
  read(value: Value | undefined): unknown {
    if (value === undefined) return undefined;
    const text = this.text(value);
    return typeof text === 'string' ? decodeText(text) : text.then(decodeText);
  }

  /** Its text, from where it stands. @throws AssentError VALUE_MISSING if it is nowhere. */
  text({ inline, digest }: Value): string | Promise<string> {
    if (inline !== undefined) return inline;
    // What was recorded before a storage was set is in the object store.
    return textInStorage(digest).then((text) => text ?? this.link.getBlob(digest));
  }

  /** Sees to it that what a proposal will name can be read; undefined says that there is nothing to wait for. */
  store({ value, text, inline }: Recorded): Promise<void> | undefined {
    if (inline) return undefined;
    const storage = resultStorage();
    return storage === undefined ? this.link.putBlob(value.digest, text) : putInto(storage, value.digest, text);
  }

  /** This process executes one flow run more, or waits for one: it says that it lives, and does not exit. */
  beginWork(): void {
    this.link.hold();
    this.#atWork += 1;
    if (this.#atWork > 1) return;
    this.processes?.announce(this.session.id);
    this.#absence.begin();
    this.#sayAlive();
    this.#beat = housekeep(
      () => {
        this.#absence.present();
        this.#sayAlive();
      },
      Math.min(BEAT_MS, this.#hello.heartbeatLimitMs / 4),
    );
  }

  endWork(): void {
    this.link.release();
    this.#atWork -= 1;
    if (this.#atWork > 0) return;
    clearInterval(this.#beat);
    this.#beat = undefined;
  }

  /**
   * As {@link Session.follow}, and what was lost is asked for: when the link was down or another arbiter took over, and
   * `regularly` whenever nothing was heard for a while.
   */
  watch(run: RunId, regularly: boolean, order: Ordered): void {
    this.#watched.set(order, { run, order, heardMs: regularly ? performance.now() : Number.POSITIVE_INFINITY });
    this.session.follow(run, order);
    if (regularly) this.#askRegularly();
  }

  /** As {@link watch}, for a run that somebody else executes, or this process too. */
  await(run: RunId, order: Ordered): void {
    this.#awaited.set(run, { run, order, heardMs: performance.now() });
    this.#askRegularly();
  }

  unawait(run: RunId): void {
    this.#awaited.delete(run);
    this.#stopAsking();
  }

  /** A run that this process executes has ended, by its own word; for whoever awaits it here. */
  announce(order: Order): void {
    this.#awaited.get(order.run)?.order(order);
  }

  /** Something was heard of the run that `order` watches. */
  heard(order: Ordered): void {
    const watched = this.#watched.get(order);
    if (watched !== undefined) watched.heardMs = performance.now();
  }

  unwatch(run: RunId, order: Ordered): void {
    this.#watched.delete(order);
    this.session.unfollow(run, order);
    this.#stopAsking();
  }

  #newSession(): Session {
    return new Session(this.link, {
      ordered: (order) => {
        this.announce(order);
      },
      epochChanged: () => {
        this.#askAgain();
      },
      expired: () => {
        this.#expired = true;
      },
      silent: (forMs) => {
        const seconds = String(Math.round(forMs / 1000));
        process.emitWarning(
          `the engine has not answered for ${seconds} s, and is asked again until it does; see its log, or \`assent doctor\``,
          'AssentWarning',
        );
      },
    });
  }

  /** Tells `told` when this process disconnects; returns how to be told nothing. */
  whenLeft(told: () => void): () => void {
    this.#leaving.add(told);
    return () => this.#leaving.delete(told);
  }

  /** What was told to an earlier session is still heard: runs that it started may end. */
  async #listen(): Promise<void> {
    const session = this.#session;
    await this.link.listen(session.id, {
      answers: (bytes) => {
        if (this.#atWork === 0) this.#receive(session, bytes);
        else
          this.#absence.read(() => {
            this.#receive(session, bytes);
          });
      },
      restored: () => {
        session.restored();
        if (session === this.#session) this.#askAgain();
      },
    });
  }

  async close(): Promise<void> {
    // Whoever awaits this waits for the network.
    this.link.hold();
    this.#closed = true;
    for (const told of [...this.#leaving]) told();
    // What was done is still reported: else it would be done again.
    await Promise.race([this.session.drained(), pause(LAST_WORDS_MS, undefined, { ref: false })]);
    this.session.leave();
    this.logs.flush();
    await this.link.flush();
    clearInterval(this.#beat);
    clearInterval(this.#asking);
    this.processes?.withdraw();
    await this.link.close();
  }

  #receive(session: Session, bytes: Uint8Array): void {
    try {
      session.receive(bytes);
    } catch (error) {
      // An exception here would end the connection's reading; a broken invariant must not go unnoticed either.
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  #sayAlive(): void {
    this.link.beat(this.session.id, { v: 1, pid: process.pid, host: hostname() });
  }

  #askRegularly(): void {
    this.#asking ??= housekeep(() => {
      this.#askAgain(performance.now() - ASK_AFTER_MS);
    }, ASK_AFTER_MS / 2);
  }

  #stopAsking(): void {
    if (this.#watched.size + this.#awaited.size > 0) return;
    clearInterval(this.#asking);
    this.#asking = undefined;
  }

  /** Asks after the watched runs that were last heard of before `heardBeforeMs`. */
  #askAgain(heardBeforeMs = Number.POSITIVE_INFINITY): void {
    if (!this.link.up) return;
    if (heardBeforeMs === Number.POSITIVE_INFINITY) void this.#greetAgain();
    for (const watched of [...this.#watched.values(), ...this.#awaited.values()]) {
      if (watched.heardMs > heardBeforeMs) continue;
      if (watched.heardMs !== Number.POSITIVE_INFINITY) watched.heardMs = performance.now();
      void this.#askAfter(watched);
    }
  }

  /** Resolves when each run that this process executes was heard of. */
  async #askAfterExecuted(): Promise<void> {
    const executed = [...this.#watched.values()].filter(({ heardMs }) => heardMs !== Number.POSITIVE_INFINITY);
    await Promise.all(
      executed.map(async (watched) => {
        while (!this.#closed && !(await this.#askAfter(watched)));
      }),
    );
  }

  /** False if nobody answered. */
  async #askAfter(watched: Watched): Promise<boolean> {
    const { run } = watched;
    const view = await this.runView(run).catch(() => 'UNANSWERED' as const);
    if (view === 'UNANSWERED') return false;
    if (view === undefined || (this.#watched.get(watched.order) !== watched && this.#awaited.get(run) !== watched))
      return true;
    const { state, version, execution } = view;
    watched.order({ run, state, version, execution, by: 'engine', seq: 0, index: 0 });
    return true;
  }

  async #greetAgain(): Promise<void> {
    const hello = await this.link.ask({ v: 1, type: 'HELLO' }).catch(() => undefined);
    if (hello !== undefined) this.#hello = hello as Hello;
  }
}

/** Whatever it throws, and whether or not it gives a promise. */
async function putInto(storage: ResultStorage, digest: string, text: string): Promise<void> {
  await storage.put(digest, text);
}

/** An arbiter that knows no such run answers without one. */
type RunReply = { readonly epoch: number; readonly run?: RunView };
