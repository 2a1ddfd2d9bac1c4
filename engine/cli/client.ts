/**
 * The command line's connection to a workspace: questions to the read model, proposals to the arbiter, and a beat while
 * it is connected, so that an engine that lives only as long as it is needed stays.
 *
 * L1 An answer is true for everything that was on the ledger when it was asked for.
 * L2 A proposal is published again until it is answered for good; `held` is a receipt.
 * L3 A proposal says which person asks, as far as the system knows: the server vouches for a program, not for a person.
 */
import { randomBytes } from 'node:crypto';
import { hostname, userInfo } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import { AssentError } from '../../protocol/errors.ts';
import { idFrom } from '../../protocol/ids.ts';
import type { Answer, AnswerMessage, Ask, Heartbeat, ProposalDraft } from '../../protocol/messages.ts';
import type { AnswerTo, QueryOf, QueryType, Reply } from '../../protocol/query.ts';
import { streams, subjects } from '../../protocol/subjects.ts';
import { connectTo } from '../connect.ts';
import { startEngineChild } from './engine-child.ts';
import type { Output } from './output.ts';
import { engineOf, requireFolder, type Place, type Target } from './place.ts';

const BEAT_MS = 1000;
const ASK_TIMEOUT_MS = 8000;
const ASK_LIMIT_MS = 15_000;
const AGAIN_MS = 50;
const PROPOSE_AGAIN_MS = 1000;
const PROPOSE_LIMIT_MS = 30_000;

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
/** A proposal without what the client gives it. */
export type Wish = DistributiveOmit<ProposalDraft, 'counter' | 'done'>;
type Rest<T extends QueryType> = Omit<QueryOf<T>, 'v' | 'type' | 'atLeast'>;

/** L3. */
const PERSON = personHere();

export class Client {
  readonly connection: NatsConnection;
  readonly workspace: string;
  readonly #user: string;
  readonly #output: Output;
  readonly #session = idFrom(randomBytes(16));
  readonly #beat: NodeJS.Timeout;
  readonly #warned = new Set<string>();
  #counter = 0;
  #hears = false;
  #answered: (answer: Answer) => void = () => undefined;

  private constructor(connection: NatsConnection, { workspace, user }: Target, output: Output) {
    this.connection = connection;
    this.workspace = workspace;
    this.#user = user;
    this.#output = output;
    this.#sayAlive();
    this.#beat = setInterval(() => {
      this.#sayAlive();
    }, BEAT_MS);
    this.#beat.unref();
  }

  /**
   * Connects to the workspace of a data folder that exists; starts an engine if none runs.
   * @throws AssentError FOLDER_MISSING
   */
  static async open(output: Output, place: Place): Promise<Client> {
    if (place.type === 'FOLDER') requireFolder(place);
    return Client.begin(output, place);
  }

  /** As `open`, and makes the folder. */
  static async begin(output: Output, place: Place): Promise<Client> {
    if (place.type === 'SERVER') return Client.#at(place.target, output);
    const running = await engineOf(place.dataDir);
    const client = running === undefined ? undefined : await Client.#at(running, output).catch(() => undefined);
    if (client !== undefined) return client;
    const note = (line: string): void => {
      output.note(line);
    };
    return Client.#at(await startEngineChild(place.dataDir, note), output);
  }

  /** Connects to what runs; undefined if nothing does. */
  static async find(output: Output, place: Place): Promise<Client | undefined> {
    const target = place.type === 'SERVER' ? place.target : await engineOf(place.dataDir);
    return target === undefined ? undefined : Client.#at(target, output);
  }

  static async #at(target: Target, output: Output): Promise<Client> {
    const { connection } = await connectTo(target.address, `assent ${process.argv.slice(2, 4).join(' ')}`);
    return new Client(connection, target, output);
  }

  /** @throws AssentError ENGINE_UNAVAILABLE, and what the read model refuses with. */
  async query<T extends QueryType>(type: T, rest: Rest<T>): Promise<AnswerTo<T>> {
    const question = JSON.stringify({ v: 1, type, atLeast: await this.#lastSequence(), ...rest });
    const reply = (await this.#request(subjects.query(this.workspace), question)) as Reply<T>;
    this.#warnOf(reply);
    if ('refused' in reply) throw new AssentError(reply.refused.kind, reply.refused.detail);
    return reply;
  }

  /** Of the active arbiter. @throws AssentError ENGINE_UNAVAILABLE. */
  ask(ask: Ask): Promise<unknown> {
    return this.#request(subjects.ask(this.workspace), JSON.stringify(ask));
  }

  /** The final answer. @throws AssentError ENGINE_UNAVAILABLE when there is none in time. */
  async propose(wish: Wish): Promise<Answer> {
    if (!this.#hears) await this.#hear();
    const counter = this.#counter;
    this.#counter += 1;
    const batch = JSON.stringify({ v: 1, proposals: [{ ...PERSON, ...wish, counter, done: counter }] });
    const answer = Promise.withResolvers<Answer>();
    this.#answered = (given) => {
      if (given.counter === counter && given.outcome !== 'held') answer.resolve(given);
    };
    const publish = (): void => {
      if (!this.connection.isClosed()) {
        this.connection.publish(subjects.propose(this.workspace, this.#user, this.#session), batch);
      }
    };
    publish();
    const again = setInterval(publish, PROPOSE_AGAIN_MS);
    const limit = setTimeout(() => {
      const detail = `No arbiter ruled on the proposal within ${String(PROPOSE_LIMIT_MS / 1000)} s; it may still do so.`;
      answer.reject(new AssentError('ENGINE_UNAVAILABLE', detail));
    }, PROPOSE_LIMIT_MS);
    try {
      return await answer.promise;
    } finally {
      clearInterval(again);
      clearTimeout(limit);
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#beat);
    await this.connection.close();
  }

  async #hear(): Promise<void> {
    this.#hears = true;
    this.connection.subscribe(subjects.answer(this.workspace, this.#session), {
      callback: (error, message) => {
        if (error !== null) return;
        try {
          for (const answer of message.json<AnswerMessage>().answers) this.#answered(answer);
        } catch {
          // No answer of ours; an exception here would end the connection's reading.
        }
      },
    });
    await this.connection.flush();
  }

  #sayAlive(): void {
    const beat: Heartbeat = { v: 1, pid: process.pid, host: hostname() };
    if (this.connection.isClosed()) return;
    this.connection.publish(subjects.heartbeat(this.workspace, this.#session), JSON.stringify(beat));
  }

  /** L1. */
  async #lastSequence(): Promise<number> {
    const info = await this.#request(`$JS.API.STREAM.INFO.${streams.ledger(this.workspace)}`, '');
    return (info as { state?: { last_seq?: number } }).state?.last_seq ?? 0;
  }

  async #request(subject: string, body: string): Promise<unknown> {
    let problem = 'nobody answers';
    for (const untilMs = performance.now() + ASK_LIMIT_MS; performance.now() < untilMs;) {
      try {
        return (await this.connection.request(subject, body, { timeout: ASK_TIMEOUT_MS })).json();
      } catch (error) {
        // An engine that has just started, or just lost its server, answers soon.
        problem = error instanceof Error ? error.message : String(error);
        await pause(AGAIN_MS);
      }
    }
    throw new AssentError('ENGINE_UNAVAILABLE', `No engine of workspace ${this.workspace} answers: ${problem}.`);
  }

  #warnOf({ seq, active, behind, rebuilding, broken }: Reply<QueryType>): void {
    const upTo = `this is what is known up to sequence ${String(seq)}`;
    if (broken !== undefined) this.#warnOnce(`${broken}; ${upTo}`);
    else if (rebuilding === true) this.#warnOnce(`the view is being made anew; ${upTo}`);
    else if (behind === true) this.#warnOnce(`the view is behind the ledger; ${upTo}`);
    if (!active) this.#warnOnce('no arbiter is active: nothing is ruled at present');
  }

  #warnOnce(text: string): void {
    if (this.#warned.has(text)) return;
    this.#warned.add(text);
    this.#output.warn(text);
  }
}

/** A user without a name (a container's bare number) says nothing of itself. */
function personHere(): Pick<Wish, 'onBehalfOf'> {
  try {
    const { username } = userInfo();
    return username === '' ? {} : { onBehalfOf: username };
  } catch {
    return {};
  }
}
