/** A session that speaks the protocol by hand, with none of the SDK's care: for tests of the engine alone. */
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { randomBytes } from 'node:crypto';
import { idFrom } from '../../protocol/ids.ts';
import type { Answer, AnswerMessage, Order } from '../../protocol/messages.ts';
import { subjects } from '../../protocol/subjects.ts';
import { readConnectionFile } from '../../engine/server/connection-file.ts';

export type RawSession = {
  readonly id: string;
  readonly connection: NatsConnection;
  readonly orders: Order[];
  /** Publishes one proposal; resolves with its first answer, `held` included. */
  ask(draft: object): Promise<Answer>;
  /** Resolves with the next answer to a proposal that was asked before: the one after `held`. */
  next(counter: number): Promise<Answer>;
  publish(bytes: Uint8Array | string): void;
  close(): Promise<void>;
};

export async function proposeRaw(dataDir: string): Promise<RawSession> {
  const file = await readConnectionFile(dataDir);
  if (file === undefined) throw new Error('no engine runs');
  const { user, password } = file.credentials.sdk;
  const connection = await connect({
    servers: file.url,
    user,
    pass: password,
    inboxPrefix: '_INBOX.sdk',
    noAsyncTraces: true,
  });
  return rawSession(connection, file.workspace, 'sdk');
}

export async function rawSession(connection: NatsConnection, workspace: string, user: string): Promise<RawSession> {
  const id = idFrom(randomBytes(16));
  const waiting = new Map<number, (answer: Answer) => void>();
  const early = new Map<number, Answer[]>();
  const orders: Order[] = [];
  let counter = 0;
  connection.subscribe(subjects.answer(workspace, id), {
    callback: (_, message) => {
      const { answers, orders: told } = message.json<AnswerMessage>();
      orders.push(...told);
      for (const answer of answers) {
        const resolve = waiting.get(answer.counter);
        if (resolve === undefined) early.set(answer.counter, [...(early.get(answer.counter) ?? []), answer]);
        else {
          waiting.delete(answer.counter);
          resolve(answer);
        }
      }
    },
  });
  await connection.flush();
  const publish = (bytes: Uint8Array | string): void => {
    connection.publish(subjects.propose(workspace, user, id), bytes);
  };
  const next = (of: number): Promise<Answer> => {
    const answer = early.get(of)?.shift();
    return answer === undefined ? new Promise((resolve) => waiting.set(of, resolve)) : Promise.resolve(answer);
  };
  return {
    id,
    connection,
    orders,
    ask: (draft) => {
      publish(JSON.stringify({ v: 1, proposals: [{ ...draft, counter }] }));
      counter += 1;
      return next(counter - 1);
    },
    next,
    publish,
    close: () => connection.close(),
  };
}
