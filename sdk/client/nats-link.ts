/**
 * The link over NATS: one connection, kept up, and replaced when the engine of a data folder comes back at another
 * address.
 *
 * K1 Callbacks never throw: an exception in one would end the connection's reading.
 * K2 While nobody holds the link, nothing of it keeps the process alive; if it then breaks, it closes.
 */
import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { connect, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { AssentError } from '../../protocol/errors.ts';
import type { Digest, RunId, SessionId } from '../../protocol/ids.ts';
import type { Ask, Heartbeat } from '../../protocol/messages.ts';
import { subjects } from '../../protocol/subjects.ts';
import { Blobs } from './blobs.ts';
import type { Link, LinkListener } from './link.ts';
import { Refs } from './refs.ts';
import type { Target } from './target.ts';

const RECONNECT_WAIT_MS = 100;
/** Half-open connections are found within three of these. */
const PING_MS = 3000;
const ASK_TIMEOUT_MS = 2000;
/** Asked anew after this, while the question before may still be answered: an arbiter that hangs is soon replaced. */
const ASK_AGAIN_MS = 300;
const ASK_LIMIT_MS = 30_000;
const ASK_PAUSE_MS = 50;

/** @throws what nats.js throws when there is no server at the address, or it does not know us. */
export function connectTo(target: Target, name: string): Promise<NatsConnection> {
  return connect({
    servers: target.servers.split(','),
    ...(target.password === undefined ? {} : { user: target.user, pass: target.password }),
    name,
    noAsyncTraces: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    reconnectJitter: RECONNECT_WAIT_MS,
    pingInterval: PING_MS,
    timeout: 5000,
    inboxPrefix: `_INBOX.${target.user}`,
  });
}

export const clientName = (): string => `assent sdk, pid ${String(process.pid)} on ${hostname()}`;

export type Connected = { readonly target: Target; readonly connection: NatsConnection };

/**
 * A client's link if it is over NATS, from which a worker takes its work. It stands here, and not beside the client, so that
 * the package's public types do not need those of nats.js.
 */
export const natsLinkOf = ({ link }: { readonly link: Link }): NatsLink | undefined =>
  link instanceof NatsLink ? link : undefined;

/** A connection to take the place of `old`, which is broken; undefined while that one may still come back. */
export type Reopen = (old: Connected, signal: AbortSignal) => Promise<Connected | undefined>;

export class NatsLink implements Link {
  #connected: Connected;
  readonly #reopen: Reopen;
  readonly #onClosed: () => void;
  readonly #listeners = new Map<SessionId, LinkListener>();
  readonly #refs = new Refs();
  readonly #blobs = new Blobs(() => this.#connected);
  readonly #ending = new AbortController();
  #up = true;

  constructor(connected: Connected, options: { readonly reopen: Reopen; readonly onClosed: () => void }) {
    this.#connected = connected;
    this.#reopen = options.reopen;
    this.#onClosed = options.onClosed;
    this.#watch(connected.connection);
  }

  get up(): boolean {
    return this.#up;
  }

  /** For what needs JetStream: a worker's queue. */
  get connection(): NatsConnection {
    return this.#connected.connection;
  }

  get workspace(): string {
    return this.#connected.target.workspace;
  }

  async listen(session: SessionId, listener: LinkListener): Promise<void> {
    this.#listeners.set(session, listener);
    this.#subscribe(session, listener);
    try {
      await this.connection.flush();
    } catch (error) {
      throw new AssentError('NATS_UNREACHABLE', `The connection broke: ${String(error)}.`, { cause: error });
    }
  }

  propose(session: SessionId, batch: Uint8Array): void {
    const { workspace, user } = this.#connected.target;
    this.#publish(subjects.propose(workspace, user, session), batch);
  }

  beat(session: SessionId, heartbeat: Heartbeat): void {
    this.#publish(subjects.heartbeat(this.workspace, session), Buffer.from(JSON.stringify(heartbeat)));
  }

  log(run: RunId, lines: Uint8Array): void {
    this.#publish(subjects.logs(this.workspace, run), lines);
  }

  async ask(ask: Ask): Promise<unknown> {
    const question = Buffer.from(JSON.stringify(ask));
    let problem = 'no answer';
    const heard = Promise.withResolvers<Msg>();
    for (const untilMs = performance.now() + ASK_LIMIT_MS; performance.now() < untilMs;) {
      const attempt = this.connection
        .request(subjects.ask(this.workspace), question, { timeout: ASK_TIMEOUT_MS })
        .then(heard.resolve, (error: unknown) => {
          problem = error instanceof Error ? error.message : String(error);
        });
      const again = pause(ASK_AGAIN_MS, undefined, { ref: false });
      const first = await Promise.race([heard.promise, attempt, again]);
      const reply = first ?? (await Promise.race([heard.promise, pause(ASK_PAUSE_MS, undefined)]));
      if (reply !== undefined) return reply.data.length === 0 ? undefined : reply.json();
      if (this.#ending.signal.aborted) break;
    }
    throw new AssentError('ENGINE_UNAVAILABLE', `No arbiter answered ${ask.type}: ${problem}.`);
  }

  putBlob(digest: Digest, text: string): Promise<void> {
    return this.#blobs.put(digest, text);
  }

  getBlob(digest: Digest): Promise<string> {
    return this.#blobs.get(digest);
  }

  hold(): void {
    this.#refs.hold(this.connection);
  }

  release(): void {
    const quiet = this.#refs.release(this.connection);
    if (this.#refs.free && (!this.#up || !quiet)) void this.close();
  }

  async flush(): Promise<void> {
    await this.connection.flush().catch(() => undefined);
  }

  async close(): Promise<void> {
    if (this.#ending.signal.aborted) return;
    this.#ending.abort();
    this.#up = false;
    this.#onClosed();
    await this.connection.close().catch(() => undefined);
  }

  #publish(subject: string, bytes: Uint8Array): void {
    try {
      this.connection.publish(subject, bytes);
    } catch {
      // It is closed or closing. Whoever needs it to arrive publishes it again.
      this.#up = false;
    }
  }

  #subscribe(session: SessionId, listener: LinkListener): void {
    this.connection.subscribe(subjects.answer(this.workspace, session), {
      callback: (error, message) => {
        if (error === null) listener.answers(message.data);
      },
    });
  }

  #watch(connection: NatsConnection): void {
    this.#refs.apply(connection);
    void this.#follow(connection).catch(() => undefined);
  }

  async #follow(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (connection !== this.connection) return;
      if (status.type === 'disconnect') this.#broken(connection);
      else if (status.type === 'reconnect') this.#restored(connection);
      else if (status.type === 'ping') this.#refs.apply(connection);
      else if (status.type === 'close') this.#broken(connection);
    }
  }

  #broken(connection: NatsConnection): void {
    if (this.#ending.signal.aborted) return;
    const was = this.#up;
    this.#up = false;
    if (this.#refs.free) void this.close();
    else if (was || connection.isClosed()) void this.#replace(connection);
  }

  async #replace(old: NatsConnection): Promise<void> {
    const waiting = (): boolean => !this.#up && old === this.connection && !this.#ending.signal.aborted;
    while (waiting()) {
      const connected = await this.#reopen(this.#connected, this.#ending.signal).catch(() => undefined);
      if (connected === undefined) {
        await pause(RECONNECT_WAIT_MS);
      } else if (waiting()) {
        this.#adopt(connected, old);
      } else {
        await connected.connection.close();
      }
    }
  }

  #adopt(connected: Connected, old: NatsConnection): void {
    this.#connected = connected;
    void old.close().catch(() => undefined);
    for (const [session, listener] of this.#listeners) this.#subscribe(session, listener);
    this.#watch(connected.connection);
    this.#restored(connected.connection);
  }

  #restored(connection: NatsConnection): void {
    this.#up = true;
    this.#refs.apply(connection);
    for (const listener of this.#listeners.values()) listener.restored();
  }
}
