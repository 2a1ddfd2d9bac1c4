/**
 * What the arbiter hears by core NATS: the beats of processes, the leases of other arbiters, and questions.
 *
 * Every call back is guarded: an exception in one would end the connection's read loop.
 */
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { subjects } from '../../protocol/subjects.ts';
import { parseAsk, parseHeartbeat } from '../../protocol/wire.ts';
import type { Arbiter } from './arbiter.ts';
import { isInbox } from '../server/permissions.ts';
import { answerAsk } from './asks.ts';
import type { LeaseWatch, Lease } from './ports.ts';

const WRITERS_REMEMBERED = 8;

export function watchLeases(connection: NatsConnection, workspace: string): LeaseWatch {
  const heard = new Map<string, { readonly lease: Lease; readonly atMs: number }>();
  connection.subscribe(subjects.lease(workspace), {
    callback: (error, message) => {
      if (error !== null) return;
      const lease = leaseOf(message);
      if (lease === undefined) return;
      // The newest last; of old writers only a few are worth remembering.
      heard.delete(lease.writer);
      heard.set(lease.writer, { lease, atMs: performance.now() });
      for (const [writer] of heard) if (heard.size > WRITERS_REMEMBERED) heard.delete(writer);
    },
  });
  return {
    last: (own) => {
      const last = [...heard.values()].filter(({ lease }) => lease.writer !== own).at(-1);
      return last === undefined ? undefined : { ...last.lease, agoMs: performance.now() - last.atMs };
    },
    echoMs: (own) => {
      const last = heard.get(own);
      return last === undefined ? undefined : performance.now() - last.atMs;
    },
  };
}

function leaseOf(message: Msg): Lease | undefined {
  try {
    const { epoch, writer } = JSON.parse(message.string()) as Partial<Lease>;
    return typeof epoch === 'number' && typeof writer === 'string' ? { epoch, writer } : undefined;
  } catch {
    return undefined;
  }
}

export function hearBeats(connection: NatsConnection, workspace: string, arbiter: Arbiter): void {
  connection.subscribe(subjects.heartbeat(workspace, '*'), {
    callback: (error, message) => {
      const beat = error === null ? parseHeartbeat(message.data) : undefined;
      const session = message.subject.split('.')[3];
      if (beat?.ok === true && session !== undefined) arbiter.beat(session, beat.value);
    },
  });
}

/** Subscribed only while active, so that nobody is there to answer while nobody is. Returns how to end it. */
export function hearAsks(
  connection: NatsConnection,
  workspace: string,
  arbiter: Arbiter,
  about: Parameters<typeof answerAsk>[2],
): () => void {
  const subscription = connection.subscribe(subjects.ask(workspace), {
    callback: (error, message) => {
      // The answer goes out with the engine's rights: only to an inbox, never to a subject that the asker has none for.
      if (error !== null || message.reply === undefined || !isInbox(message.reply)) return;
      const ask = parseAsk(message.data);
      const answer = ask.ok ? answerAsk(arbiter, ask.value, about) : Promise.resolve({ v: 1, problem: ask.problem });
      void answer.then(
        (body) => body !== undefined && message.respond(JSON.stringify(body)),
        () => undefined, // Whoever asked asks again.
      );
    },
  });
  return () => {
    subscription.unsubscribe();
  };
}
