/** Questions to the active arbiter, asked again while there is none: between two epochs nobody answers. */
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { vi } from 'vitest';
import { subjects } from '../../protocol/subjects.ts';

export const askArbiter = (connection: NatsConnection, question: string, workspace = 'default'): Promise<Msg> =>
  vi.waitFor(() => connection.request(subjects.ask(workspace), question, { timeout: 2000 }), { timeout: 15_000 });
