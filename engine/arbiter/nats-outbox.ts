/** The arbiter's outbox over NATS: answers and the live tail by core messages, hints to workers by JetStream. */
import { jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { rootOf } from '../../protocol/proposals.ts';
import { subjects, workOf } from '../../protocol/subjects.ts';
import { hintId, type Dispatch } from './effects.ts';
import type { Outbox } from './ports.ts';

const DISPATCH_TIMEOUT_MS = 2000;
const DISPATCH_TRIES = 5;

export function natsOutbox(connection: NatsConnection, workspace: string): Outbox {
  const js = jetstream(connection);
  return {
    answer: (session, message) => {
      connection.publish(subjects.answer(workspace, session), JSON.stringify(message));
    },
    dispatch: async (dispatch: Dispatch) => {
      const { pool, queue, ...hint } = dispatch;
      // A second delivery of a run would only end STALE.
      const msgID = hintId(dispatch);
      const body = JSON.stringify({ v: 1, ...hint });
      const options = { msgID, timeout: DISPATCH_TIMEOUT_MS, retries: DISPATCH_TRIES };
      const what = workOf(dispatch.kind ?? 'flow', dispatch.name);
      await js.publish(subjects.work(workspace, pool, queue, what), body, options);
    },
    ruled: ({ proposal, outcome }, line) => {
      const flowRun = proposal.kind === 'workspace' ? 'workspace' : rootOf(proposal.run);
      connection.publish(subjects.ruled(workspace, flowRun, outcome), line);
    },
    beat: (lease) => {
      connection.publish(subjects.lease(workspace), JSON.stringify({ v: 1, ...lease }));
    },
  };
}
