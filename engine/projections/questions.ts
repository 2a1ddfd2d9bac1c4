/**
 * The door of the read model: questions by core NATS, request and reply, in a queue group, so that each is answered by
 * one engine of those that run.
 *
 * Q1 Every reply says for which sequence it is true, and what is wrong with the view if anything is.
 * Q2 A call back never throws (it would end the connection's read loop), and a reply goes to an inbox only: with the
 *    engine's rights, it could otherwise be made to write into a stream.
 */
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { AssentError, type ErrorKind } from '../../protocol/errors.ts';
import type { Answers, Query, QueryType, Refusal, Viewed } from '../../protocol/query.ts';
import { subjects } from '../../protocol/subjects.ts';
import { parseQuery } from '../../protocol/wire-query.ts';
import { isInbox } from '../server/permissions.ts';
import { answerArtifacts, answerHooks } from './answer-artifacts.ts';
import { answerHeld, answerLimits, answerSessions } from './answer-held.ts';
import { ruleRows } from './answer-rules.ts';
import { answerCounters, answerRulings, answerRulingsBy } from './answer-rulings.ts';
import { answerCalls, answerRun, answerRuns } from './answer-runs.ts';
import { answerShadow } from './answer-shadow.ts';
import { answerStatus, type StatusParts } from './answer-status.ts';
import { answerVariables } from './answer-variables.ts';
import { answerWhy } from './answer-why.ts';
import type { Bodies } from './bodies.ts';
import type { Projector } from './projector.ts';
import type { ViewFile } from './view-file.ts';

/** One queue group for all engines of a workspace. */
const GROUP = 'views';
/** How long a question may wait for a sequence. */
const WAIT_MS = 5000;
const WAITING_MAX = 1000;
/** An arbiter that was not heard for this long is not active. */
const LEASE_MS = 2000;

export type QuestionParts = StatusParts & { readonly projector: Projector; readonly bodies: Bodies };

/** Answers until the connection closes. */
export function answerQuestions(parts: QuestionParts): void {
  const { connection, workspace } = parts;
  let waiting = 0;
  connection.subscribe(subjects.query(workspace), {
    queue: GROUP,
    callback: (error, message) => {
      if (error !== null || message.reply === undefined || !isInbox(message.reply)) return;
      if (waiting >= WAITING_MAX) {
        const refusal = refused('ENGINE_UNAVAILABLE', `${String(waiting)} questions are waiting already`);
        respond(connection, message, { ...viewed(parts), ...refusal });
        return;
      }
      waiting += 1;
      void replyTo(parts, message.data).then((reply) => {
        waiting -= 1;
        respond(connection, message, reply);
      });
    },
  });
}

function respond(connection: NatsConnection, message: Msg, reply: object): void {
  if (!connection.isClosed() && !connection.isDraining()) message.respond(JSON.stringify(reply));
}

/** Never rejects. */
async function replyTo(parts: QuestionParts, bytes: Uint8Array): Promise<Viewed & (Answers[QueryType] | Refusal)> {
  const parsed = parseQuery(bytes);
  if (!parsed.ok) return { ...viewed(parts), ...refused('USAGE', `That is no question: ${parsed.problem}`) };
  const { atLeast } = parsed.value;
  const isBehind = atLeast !== undefined && !(await parts.projector.reached(atLeast, WAIT_MS));
  try {
    return await answered(parts, parsed.value, isBehind);
  } catch (error) {
    const kind = error instanceof AssentError ? error.kind : 'ENGINE_UNAVAILABLE';
    return { ...viewed(parts), ...refused(kind, error instanceof Error ? error.message : String(error)) };
  }
}

async function answered(parts: QuestionParts, query: Query, isBehind: boolean): Promise<Viewed & Answers[QueryType]> {
  for (let again = true; ; again = false) {
    const view = parts.projector.serving;
    const said = { ...viewed(parts), ...(isBehind ? { behind: true as const } : {}) };
    try {
      return { ...said, ...(await answer(parts, view, query)) };
    } catch (error) {
      // The view gave way to a new one while bodies were read for it.
      if (!again || view === parts.projector.serving) throw error;
    }
  }
}

function answer(parts: QuestionParts, view: ViewFile, query: Query): Answers[QueryType] | Promise<Answers[QueryType]> {
  const { bodies, projector } = parts;
  switch (query.type) {
    case 'STATUS':
      return answerStatus(view, projector, parts);
    case 'RUNS':
      return answerRuns(view, query);
    case 'RUN':
      return answerRun(view, bodies, query);
    case 'CALLS':
      return answerCalls(view, bodies, query);
    case 'RULINGS':
      return answerRulings(view, bodies, query);
    case 'RULINGS_BY':
      return answerRulingsBy(view, query);
    case 'WHY':
      return answerWhy(view, bodies, query);
    case 'LIMITS':
      return answerLimits(view, query);
    case 'HELD':
      return answerHeld(view, query);
    case 'COUNTERS':
      return answerCounters(view);
    case 'SHADOW':
      return answerShadow(view, bodies, query);
    case 'RULES':
      return { rules: ruleRows(view) };
    case 'SESSIONS':
      return answerSessions(view, query);
    case 'ARTIFACTS':
      return answerArtifacts(view, bodies, query);
    case 'HOOKS':
      return answerHooks(view, bodies, query);
    case 'VARIABLES':
      return answerVariables(view, query);
  }
}

/** Q1. */
function viewed({ projector, leases, arbiter }: QuestionParts): Viewed {
  const { seq, broken, isRebuilding } = projector;
  const heardMs = leases.last('')?.agoMs ?? Number.POSITIVE_INFINITY;
  return {
    v: 1,
    seq,
    active: heardMs < LEASE_MS || arbiter().role === 'ACTIVE',
    ...(isRebuilding ? { rebuilding: true } : {}),
    ...(broken === undefined ? {} : { broken }),
  };
}

const refused = (kind: ErrorKind, detail: string): Refusal => ({ refused: { kind, detail } });
