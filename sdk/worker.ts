/**
 * A worker: a process that executes runs of flows and tasks which were started elsewhere.
 *
 * W1 A message of the queue is a hint; what makes a run this worker's is the ruling on its claim. A hint whose claim is
 *    refused is out of date, and forgotten.
 * W2 A hint is acknowledged when its claim is ruled on: a worker that dies before leaves it to another. A hint of a hook
 *    is acknowledged when the hook has been called.
 */
import { setMaxListeners } from 'node:events';
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
import { streams, subjects, workOf } from '../protocol/subjects.ts';
import type { Client } from './client/client.ts';
import { currentClient } from './client/connect.ts';
import { natsLinkOf, type NatsLink } from './client/nats-link.ts';
import { parseDuration, TIMER_MAX_MS, type Duration } from './durations.ts';
import { called, checkOptions, duration, place, wholeAboveZero } from './checked-options.ts';
import { executed } from './flow-call.ts';
import { StartRefused, Suspended, type FlowRunPlan } from './flow-plan.ts';
import { isHookHint, runHooksOf, type HookHint } from './owed-hooks.ts';
import { headline } from './errors-across.ts';
import { logOfRun } from './run-logger.ts';
import { isLoadedByThread, NEVER } from './task-thread.ts';
import { guardRuns } from './stray-rejections.ts';
import type { Settings } from './settings.ts';
import { planFor, servedBy, settingsFor, type Served } from './served.ts';

/** What a worker takes. */
export interface ServeOptions {
  /** The pool that it belongs to. Default: `'default'`. */
  readonly pool?: string;
  /** The queue from which it takes runs. Default: `'default'`. */
  readonly queue?: string;
  /** Runs at once. Default: 100. */
  readonly slots?: number;
  /**
   * How long `stop` lets flow runs go on as they are; then they begin no more tasks, and when none is at work, the run goes on
   * in another worker. Default: 5 s, less than what `docker stop` waits.
   */
  readonly grace?: Duration;
  /** Hears of each run that it begins and ends; for whoever shows what it does. */
  readonly onRun?: (run: ServedRun) => void;
}

/** What a worker says of a run. */
export interface ServedRun {
  /** `SUSPENDED`: it only waits, and whichever worker is free goes on with it. */
  readonly type: 'BEGUN' | 'DONE' | 'SUSPENDED' | 'FAILED' | 'HOOK';
  readonly kind: 'flow' | 'task';
  readonly name: string;
  readonly runId: string;
  /** What its `runName` made. */
  readonly title?: string;
  /** From 1. */
  readonly attempt: number;
  /** What it threw, of one that failed; the name of its state, of one that it has let go of; the name of the hook. */
  readonly detail?: string;
}

/** A worker that serves. */
export interface Worker {
  /** Takes no more runs; resolves when those that it has are done, or go on in another worker ({@link ServeOptions.grace}). */
  stop(): Promise<void>;
}

/** A hint that nobody says anything of for so long goes to another worker; the claims decide. */
const CLAIM_WAIT_MS = 5000;
const UNKNOWN_WAIT_MS = 5000;
/** Short, so that a pull that was lost with its connection is noticed soon. */
const PULL = { expires: 5000, idle_heartbeat: 1000 } as const;
const TRY_AGAIN_MS = 500;
const START_LIMIT_MS = 30_000;
const PULL_MAX = 500;
const GRACE_MS = 5000;

/**
 * Executes runs of these flows and tasks, here and now, until `stop` is called: flow runs that were started with
 * {@link startRun}, task runs that were started with `delay`, and calls of flows whose tasks run in {@link workers}.
 *
 * @throws AssentError BAD_OPTION if one of them is neither flow nor task, or two flows or tasks have one name, or pool, queue, slots or grace are wrong;
 *   NATS_UNREACHABLE, ENGINE_UNAVAILABLE.
 * @example
 * import { serve, task } from 'assent';
 *
 * const square = task({ name: 'square' }, (n: number) => n * n);
 * const worker = await serve([square], { slots: 10 });
 * const run = await square.delay(7);
 * console.log(await run.result()); // 49
 * await worker.stop();
 */
export async function serve(
  flowsAndTasks: readonly ((...inputs: never[]) => unknown)[],
  options: ServeOptions = {},
): Promise<Worker> {
  if (isLoadedByThread()) return NEVER;
  const served = servedBy('serve', flowsAndTasks);
  checkOptions('serve', options, {
    pool: place.optional(),
    queue: place.optional(),
    slots: wholeAboveZero.optional(),
    grace: duration.optional(),
    onRun: called.optional(),
  });
  const { pool = 'default', queue = 'default', slots = 100, onRun = () => undefined } = options;
  const graceMs = parseDuration(options.grace) ?? GRACE_MS;
  const client = await currentClient();
  const link = natsLinkOf(client);
  if (link === undefined) throw new AssentError('NATS_UNREACHABLE', 'A worker needs a connection to NATS.');
  const serving = new Serving({ client, link, served, pool, queue, slots, graceMs, onRun });
  await serving.begin();
  return { stop: () => serving.stop() };
}

type Parts = Required<Omit<ServeOptions, 'grace'>> & {
  readonly graceMs: number;
  readonly client: Client;
  readonly link: NatsLink;
  readonly served: Served;
};

class Serving {
  readonly #parts: Parts;
  readonly #messages = new Set<ConsumerMessages>();
  #stopping = false;
  readonly #release = new AbortController();
  #ended: Promise<unknown> = Promise.resolve();
  #running = 0;
  #unguard: () => void = () => undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    // One listener for each run.
    setMaxListeners(0, this.#release.signal);
  }

  async begin(): Promise<void> {
    const { client, served } = this.#parts;
    client.beginWork();
    const all = [
      ...[...served.flows.keys()].map((name) => workOf('flow', name)),
      ...[...served.tasks.keys()].map((name) => workOf('task', name)),
    ];
    const first = await Promise.all(all.map((what) => this.#firstConsumer(what))).catch((error: unknown) => {
      client.endWork();
      throw error;
    });
    this.#unguard = guardRuns();
    this.#ended = Promise.all(first.map((consumer, index) => this.#serve(all[index] ?? '', consumer, all.length)));
  }

  async stop(): Promise<void> {
    if (this.#stopping) {
      await this.#ended;
      return;
    }
    this.#stopping = true;
    for (const messages of this.#messages) void messages.close();
    this.#roomAgain();
    const grace = setTimeout(
      () => {
        this.#release.abort();
      },
      Math.min(this.#parts.graceMs, TIMER_MAX_MS),
    );
    await this.#ended;
    while (this.#running > 0) await this.#room();
    clearTimeout(grace);
    this.#unguard();
    this.#parts.client.endWork();
  }

  /** Takes one kind of work; `shares`: of so many that share the slots. */
  async #serve(what: string, first: Consumer, shares: number): Promise<void> {
    for (let consumer: Consumer | undefined = first; !this.#stopping;) {
      try {
        consumer ??= await this.#consumer(what);
        await this.#pull(consumer, shares);
      } catch {
        // The consumer or its connection is gone; the queue is not.
        consumer = undefined;
        await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS));
      }
    }
  }

  /** About as many as can be executed at once: what waits here could be at work elsewhere. */
  async #pull(consumer: Consumer, shares: number): Promise<void> {
    const free = this.#parts.slots - this.#running;
    if (free <= 0) {
      await this.#room();
      return;
    }
    const messages = await consumer.fetch({ ...PULL, max_messages: Math.min(Math.ceil(free / shares), PULL_MAX) });
    this.#messages.add(messages);
    try {
      // Its promise resolves only when the messages are read to their end, below.
      if (this.#stopping) void messages.close();
      for await (const message of messages) {
        // Another kind of work has taken the slot meanwhile.
        if (this.#running >= this.#parts.slots) message.nak(TRY_AGAIN_MS);
        else this.#take(message);
      }
    } finally {
      this.#messages.delete(messages);
    }
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  readonly #waiting: (() => void)[] = [];
  /** A run is done. */
  #roomAgain(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** A server that is being started again is waited for. @throws AssentError NATS_UNREACHABLE */
  async #firstConsumer(what: string): Promise<Consumer> {
    for (const untilMs = performance.now() + START_LIMIT_MS; ;) {
      try {
        return await this.#consumer(what);
      } catch (error) {
        if (performance.now() > untilMs) {
          throw new AssentError('NATS_UNREACHABLE', `The work queue cannot be read: ${headline(error)}.`, {
            cause: error,
          });
        }
      }
      await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS));
    }
  }

  /** The durable consumer of the queue for one kind of work, as it is; made by the first worker that knows it. */
  async #consumer(what: string): Promise<Consumer> {
    const { link, pool, queue } = this.#parts;
    const stream = streams.work(link.workspace);
    const name = `worker-${pool}-${queue}=${what}`;
    const { consumers } = jetstream(link.connection, { checkAPI: false });
    const existing = await consumers.get(stream, name).catch(() => undefined);
    if (existing !== undefined) return existing;
    const manager = await jetstreamManager(link.connection, { checkAPI: false });
    await manager.consumers.add(stream, {
      durable_name: name,
      filter_subject: subjects.work(link.workspace, pool, queue, what),
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
    const work = this.#workOf(hint, message);
    if (work === undefined) {
      message.nak(UNKNOWN_WAIT_MS);
      return;
    }
    this.#running += 1;
    const { client } = this.#parts;
    client.beginWork();
    void work().finally(() => {
      client.endWork();
      this.#running -= 1;
      this.#roomAgain();
    });
  }

  /** What is to be done about a hint; undefined if another worker has to. */
  #workOf(hint: WorkHint, message: JsMsg): (() => Promise<void>) | undefined {
    const { client, served } = this.#parts;
    const settings = settingsFor(served, hint);
    if (settings === undefined) return undefined;
    if (isHookHint(hint)) return () => this.#callHooks(settings, hint, message);
    const plan = planFor(client, served, hint);
    return plan === undefined ? undefined : () => this.#execute(plan, hint, message);
  }

  async #execute(plan: FlowRunPlan, hint: WorkHint, message: JsMsg): Promise<void> {
    const { client, onRun } = this.#parts;
    const { run } = hint;
    const about = aboutRun(hint);
    let attempt = 0;
    // A claim may wait for a slot for long; while it does, no other worker need ask too.
    const claiming = keepingHint(message);
    try {
      await client.refresh();
      await executed({
        ...plan,
        released: this.#release.signal,
        onAttempt: (scope) => {
          clearInterval(claiming);
          message.ack();
          attempt = scope.attempt;
          onRun({ ...about, type: 'BEGUN', attempt });
          if (attempt > 1) logOfRun(scope).info(`resuming run ${run} (attempt ${String(attempt)})`);
        },
      });
      if (attempt === 0) message.ack();
      else onRun({ ...about, type: 'DONE', attempt });
    } catch (error) {
      // The run's own failure stands on the ledger; whoever waits for the run hears of it there.
      if (error instanceof StartRefused) message.ack();
      else if (error instanceof Suspended) onRun({ ...about, type: 'SUSPENDED', attempt, detail: error.state.name });
      else if (attempt > 0) onRun({ ...about, type: 'FAILED', attempt, detail: headline(error) });
    } finally {
      clearInterval(claiming);
    }
  }

  async #callHooks(settings: Settings, hint: HookHint, message: JsMsg): Promise<void> {
    const { client, onRun } = this.#parts;
    const working = keepingHint(message);
    try {
      await client.refresh();
      await runHooksOf(client, settings, hint);
      message.ack();
      onRun({ ...aboutRun(hint), type: 'HOOK', attempt: 0, detail: hint.hook.hook });
    } catch {
      // What it needs to know cannot be had now: the hint comes again.
      message.nak(UNKNOWN_WAIT_MS);
    } finally {
      clearInterval(working);
    }
  }
}

const aboutRun = ({ kind, name, run, title }: WorkHint): Pick<ServedRun, 'kind' | 'name' | 'runId' | 'title'> => ({
  kind: kind ?? 'flow',
  name,
  runId: run,
  ...(title === undefined ? {} : { title }),
});

/** The server gives a hint to another worker when it hears nothing of it: it is told that somebody is at it. */
const keepingHint = (message: JsMsg): NodeJS.Timeout =>
  setInterval(() => {
    message.working();
  }, CLAIM_WAIT_MS / 2);

/** The queue may hold what a stranger or a later version has put there. */
function hintIn(message: JsMsg): WorkHint | undefined {
  try {
    const hint = message.json<WorkHint | null>();
    return hint?.v === 1 ? hint : undefined;
  } catch {
    return undefined;
  }
}
