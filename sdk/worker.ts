/**
 * A worker: a process that executes flow runs which were started elsewhere.
 *
 * W1 A message of the queue is a hint; what makes a run this worker's is the ruling on its claim. A hint whose claim is
 *    refused is out of date, and forgotten.
 * W2 A hint is acknowledged when its claim is ruled on: a worker that dies before leaves it to another.
 */
import {
  AckPolicy,
  jetstream,
  jetstreamManager,
  type Consumer,
  type ConsumerMessages,
  type JsMsg,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { AssentError } from '../protocol/errors.ts';
import type { WorkHint } from '../protocol/messages.ts';
import { streams, subjects } from '../protocol/subjects.ts';
import type { Client } from './client/client.ts';
import { currentClient, natsLinkOf } from './client/connect.ts';
import type { NatsLink } from './client/nats-link.ts';
import { claimOf, executed, type CallableFlow } from './flow-call.ts';
import { flowDefinition } from './flow.ts';
import { StartRefused } from './flow-run.ts';
import { logOfRun } from './run-logger.ts';

/** What a worker takes. */
export interface ServeOptions {
  /** The pool that it belongs to. Default: `'default'`. */
  readonly pool?: string;
  /** The queue from which it takes runs. Default: `'default'`. */
  readonly queue?: string;
  /** Runs at once. Default: 100. */
  readonly slots?: number;
}

/** A worker that serves. */
export interface Worker {
  /** Takes no more runs; resolves when those that it has are done. */
  stop(): Promise<void>;
}

/** A hint whose claim is not ruled on for so long goes to another worker too; the claims decide. */
const CLAIM_WAIT_MS = 5000;
const UNKNOWN_FLOW_WAIT_MS = 5000;
/** Short, so that a pull that was lost with its connection is noticed soon. */
const PULL = { expires: 5000, idle_heartbeat: 1000 } as const;
const TRY_AGAIN_MS = 500;
const PULL_MAX = 500;

/**
 * Executes runs of these flows that were started with {@link startRun}, here and now, until `stop` is called.
 *
 * @throws AssentError BAD_OPTION if one of them is no flow or two have one name; NATS_UNREACHABLE, ENGINE_UNAVAILABLE.
 * @example
 * import { flow, serve } from 'assent';
 *
 * const square = flow({ name: 'square' }, ({ n }: { n: number }) => n * n);
 * const worker = await serve([square], { slots: 10 });
 * await worker.stop();
 */
export async function serve(flows: readonly unknown[], options: ServeOptions = {}): Promise<Worker> {
  const known = byName(flows);
  const client = await currentClient();
  const link = natsLinkOf(client);
  if (link === undefined) throw new AssentError('NATS_UNREACHABLE', 'A worker needs a connection to NATS.');
  const { pool = 'default', queue = 'default', slots = 100 } = options;
  const serving = new Serving({ client, link, known, pool, queue, slots });
  await serving.begin();
  return { stop: () => serving.stop() };
}

function byName(flows: readonly unknown[]): ReadonlyMap<string, CallableFlow> {
  const known = new Map<string, CallableFlow>();
  for (const one of flows) {
    const definition = flowDefinition(one);
    if (definition === undefined) throw new AssentError('BAD_OPTION', 'serve needs a list of flows.');
    const { name } = definition.settings;
    if (known.has(name)) throw new AssentError('BAD_OPTION', `Two flows are called '${name}'.`);
    known.set(name, definition);
  }
  return known;
}

type Parts = Required<ServeOptions> & {
  readonly client: Client;
  readonly link: NatsLink;
  readonly known: ReadonlyMap<string, CallableFlow>;
};

class Serving {
  readonly #parts: Parts;
  #messages: ConsumerMessages | undefined;
  #stopping = false;
  #ended: Promise<void> = Promise.resolve();
  #running = 0;
  /** Called when a run is done. */
  #roomAgain: () => void = () => undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async begin(): Promise<void> {
    this.#parts.client.beginWork();
    const consumer = await this.#consumer();
    this.#ended = this.#serve(consumer);
  }

  async stop(): Promise<void> {
    if (this.#stopping) return this.#ended;
    this.#stopping = true;
    void this.#messages?.close();
    this.#roomAgain();
    await this.#ended;
    while (this.#running > 0) await this.#room();
    this.#parts.client.endWork();
  }

  async #serve(first: Consumer): Promise<void> {
    for (let consumer: Consumer | undefined = first; !this.#stopping;) {
      try {
        consumer ??= await this.#consumer();
        await this.#pull(consumer);
      } catch {
        // The consumer or its connection is gone; the queue is not.
        consumer = undefined;
        await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS));
      }
    }
  }

  /** Never more than can be executed at once: what waits here could be at work elsewhere. */
  async #pull(consumer: Consumer): Promise<void> {
    const free = this.#parts.slots - this.#running;
    if (free <= 0) {
      await this.#room();
      return;
    }
    this.#messages = await consumer.fetch({ ...PULL, max_messages: Math.min(free, PULL_MAX) });
    // Its promise resolves only when the messages are read to their end, below.
    if (this.#stopping) void this.#messages.close();
    for await (const message of this.#messages) this.#take(message);
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#roomAgain = resolve;
    });
  }

  /** The durable consumer of the queue, as it is; made by the first worker. */
  async #consumer(): Promise<Consumer> {
    const { link, pool, queue } = this.#parts;
    const stream = streams.work(link.workspace);
    const name = `worker-${pool}-${queue}`;
    const { consumers } = jetstream(link.connection, { checkAPI: false });
    const existing = await consumers.get(stream, name).catch(() => undefined);
    if (existing !== undefined) return existing;
    const manager = await jetstreamManager(link.connection, { checkAPI: false });
    await manager.consumers.add(stream, {
      durable_name: name,
      filter_subject: subjects.work(link.workspace, pool, queue),
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(CLAIM_WAIT_MS),
      max_ack_pending: -1,
    });
    return consumers.get(stream, name);
  }

  #take(message: JsMsg): void {
    const hint = hintIn(message);
    if (hint === undefined) {
      message.term('no hint of work');
      return;
    }
    const flow = this.#parts.known.get(hint.name);
    if (flow === undefined) {
      message.nak(UNKNOWN_FLOW_WAIT_MS);
      return;
    }
    this.#running += 1;
    void this.#execute(flow, hint, message).finally(() => {
      this.#running -= 1;
      this.#roomAgain();
    });
  }

  async #execute(flow: CallableFlow, { run, version, parameters }: WorkHint, message: JsMsg): Promise<void> {
    const { client } = this.#parts;
    client.beginWork();
    try {
      await client.refresh();
      await executed({
        client,
        flow,
        run,
        version,
        parameters: () => client.read(parameters),
        start: (basedOn) => claimOf(run, basedOn ?? version),
        onAttempt: (scope) => {
          message.ack();
          if (scope.attempt > 1) logOfRun(scope).info(`resuming run ${run} (attempt ${String(scope.attempt)})`);
        },
      });
    } catch (error) {
      // The flow's own failure stands on the ledger; whoever waits for the run hears of it there.
      if (error instanceof StartRefused) message.ack();
    } finally {
      client.endWork();
    }
  }
}

/** The queue may hold what a stranger or a later version has put there. */
function hintIn(message: JsMsg): WorkHint | undefined {
  try {
    const hint = message.json<WorkHint | null>();
    return hint?.v === 1 ? hint : undefined;
  } catch {
    return undefined;
  }
}
