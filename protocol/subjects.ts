/**
 * Every subject and stream name, built here and nowhere else. `ws` is the workspace's name: `[A-Za-z0-9_-]`, 1 to 32.
 */
import { sha256 } from './segment.ts';

const WORKSPACE = /^[A-Za-z0-9_-]{1,32}$/;

export const isWorkspaceName = (name: string): boolean => WORKSPACE.test(name);

export const streams = {
  proposals: (ws: string): string => `ASSENT_${ws}_PROPOSALS`,
  ledger: (ws: string): string => `ASSENT_${ws}_LEDGER`,
  work: (ws: string): string => `ASSENT_${ws}_WORK`,
  logs: (ws: string): string => `ASSENT_${ws}_LOGS`,
  events: (ws: string): string => `ASSENT_${ws}_EVENTS`,
  /** An object store's bucket; JetStream calls its stream `OBJ_<bucket>`. */
  values: (ws: string): string => `assent_${ws}_values`,
} as const;

export const subjects = {
  /** One batch of proposals; the user is the one that the server authenticated. */
  propose: (ws: string, user: string, session: string): string => `assent.${ws}.propose.${user}.${session}`,
  ledger: (ws: string): string => `assent.${ws}.ledger`,
  /** Without `what`: all of a queue, for patterns. */
  work: (ws: string, pool: string, queue: string, what?: string): string =>
    `assent.${ws}.work.${pool}.${queue}${what === undefined ? '' : `=${what}`}`,
  logs: (ws: string, flowRun: string): string => `assent.${ws}.logs.${flowRun}`,
  events: (ws: string, name: string): string => `assent.${ws}.events.${name}`,
  /** Core NATS: rulings for one session, batched. */
  answer: (ws: string, session: string): string => `assent.${ws}.answer.${session}`,
  /** Core NATS: a process says that it lives. */
  heartbeat: (ws: string, session: string): string => `assent.${ws}.heartbeat.${session}`,
  /** Core NATS: the active arbiter says that it lives; whoever would take over listens. */
  lease: (ws: string): string => `assent.${ws}.lease`,
  /** Core NATS: the live tail, one message per settled ruling while somebody listens. */
  ruled: (ws: string, flowRun: string, outcome: string): string => `assent.${ws}.ruled.${flowRun}.${outcome}`,
  /** Core NATS, request and reply: questions to a read model, and to the active arbiter. */
  query: (ws: string): string => `assent.${ws}.query`,
  ask: (ws: string): string => `assent.${ws}.ask`,
} as const;

/**
 * What a hint of work is about, as a part of its subject: so a worker takes only what it knows, and what it does not know
 * waits for another. Names have characters that subjects have not.
 */
export const workOf = (kind: 'flow' | 'task', name: string): string => sha256(`${kind} ${name}`).slice(0, 16);

/** The user and session that a proposal's subject names, as the server vouches for them. */
export function askerOf(subject: string): { readonly user: string; readonly session: string } {
  const [, , , user = '', session = ''] = subject.split('.');
  return { user, session };
}
