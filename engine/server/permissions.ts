/**
 * What each role may say to the server, and hear from it. A connection's user name is its role, which is how the server
 * itself vouches for the `<user>` token of a proposal's subject: who publishes in another's name, or to the ledger, is
 * refused. `sdk` runs flows and tasks, `cli` looks and asks. Each has an inbox of its own (`inboxPrefix: '_INBOX.<role>'`),
 * so that neither can overhear the other's answers.
 *
 * The limit of this, measured: the server checks the subject of a publish, but not where its answer is to go. Whoever may
 * ask JetStream for a message can have it delivered to any subject (a reply subject, a push consumer's deliver subject),
 * the ledger's included. So the roles keep honest programs apart; they do not hold a hostile one, which as the same user
 * of the machine could read the engine's secret anyway. Readers of the ledger rely on its chain, not on these lists, and
 * whoever answers requests with the engine's rights answers to inboxes only (`isInbox`).
 */
import { streams, subjects } from '../../protocol/subjects.ts';

export const ROLES = ['engine', 'sdk', 'cli'] as const;
export type Role = (typeof ROLES)[number];

/** `undefined`: everything. */
export interface Permissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

export function permissionsOf(role: Role, workspace: string): Permissions | undefined {
  switch (role) {
    case 'engine':
      return undefined;
    case 'sdk':
      return sdkPermissions(workspace);
    case 'cli':
      return cliPermissions(workspace);
  }
}

export const inboxPrefixOf = (role: Role): string => `_INBOX.${role}`;

/** True for a reply subject that can belong to no stream of ours. */
export const isInbox = (subject: string): boolean => subject.startsWith('_INBOX.');

function sdkPermissions(ws: string): Permissions {
  const values = `OBJ_${streams.values(ws)}`;
  const work = streams.work(ws);
  return {
    publish: [
      ...asAnyClient('sdk', ws),
      subjects.logs(ws, '*'),
      subjects.events(ws, '>'),
      // The object store's chunks and their descriptions.
      `$O.${streams.values(ws)}.>`,
      ...[work, streams.logs(ws), values].map(streamInfo),
      ...[work, values].flatMap(consumersOf),
      ...acknowledgementsOf(work),
      ...messagesOf(values),
    ],
    subscribe: [`${inboxPrefixOf('sdk')}.>`, subjects.answer(ws, '*')],
  };
}

function cliPermissions(ws: string): Permissions {
  const values = `OBJ_${streams.values(ws)}`;
  const read = [streams.ledger(ws), streams.logs(ws), values];
  return {
    publish: [
      ...asAnyClient('cli', ws),
      ...[...read, streams.proposals(ws), streams.work(ws), streams.events(ws)].map(streamInfo),
      ...read.flatMap(consumersOf),
      ...read.flatMap(messagesOf),
    ],
    subscribe: [
      `${inboxPrefixOf('cli')}.>`,
      subjects.answer(ws, '*'),
      subjects.ruled(ws, '*', '*'),
      subjects.logs(ws, '*'),
    ],
  };
}

function asAnyClient(user: Role, ws: string): string[] {
  return [
    subjects.propose(ws, user, '*'),
    subjects.heartbeat(ws, '*'),
    subjects.query(ws),
    subjects.ask(ws),
    // Is JetStream there, and which version? And the client's answers to the server's flow control.
    '$JS.API.INFO',
    '$JS.FC.>',
  ];
}

const streamInfo = (stream: string): string => `$JS.API.STREAM.INFO.${stream}`;

function consumersOf(stream: string): string[] {
  return [
    `$JS.API.CONSUMER.CREATE.${stream}`,
    `$JS.API.CONSUMER.CREATE.${stream}.>`,
    `$JS.API.CONSUMER.INFO.${stream}.*`,
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.*`,
    `$JS.API.CONSUMER.DELETE.${stream}.*`,
  ];
}

function messagesOf(stream: string): string[] {
  return [`$JS.API.DIRECT.GET.${stream}`, `$JS.API.DIRECT.GET.${stream}.>`, `$JS.API.STREAM.MSG.GET.${stream}`];
}

/** Both forms: the first is today's, the second (with the domain and the account before the stream) its successor. */
function acknowledgementsOf(stream: string): string[] {
  return [`$JS.ACK.${stream}.>`, `$JS.ACK.*.*.${stream}.>`];
}
