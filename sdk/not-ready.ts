/**
 * A call whose inputs will never be there: it is recorded as a run that was PENDING `NotReady`, as in Prefect 3, and ends as
 * FAILED `NotReady`, because nothing would ever end it otherwise.
 */
import type { AssentError } from '../protocol/errors.ts';
import type { RunDefinition } from '../protocol/proposals.ts';
import type { State } from '../protocol/states.ts';
import { saidCall, type CallIdentity } from './call.ts';
import { failedWith } from './outcomes.ts';
import type { FlowScope } from './scope.ts';

type NotReady = {
  readonly kind: RunDefinition['kind'];
  readonly name: string;
  readonly identity: CallIdentity;
  readonly error: AssentError;
};

/** Says how the call ended, when that is on its way. */
export function proposeNotReady(flow: FlowScope, { kind, name, identity, error }: NotReady): Promise<State> {
  const { client, execution } = flow;
  const { state, stored } = failedWith(client, error, false, flow.redactAll);
  const end: State = { ...state, name: 'NotReady' };
  const of = { kind, run: identity.run, execution: execution.number } as const;
  const message = end.message === undefined ? {} : { message: end.message };
  const propose = (): void => {
    if (flow.mute) return;
    const create = { kind, name, parent: flow.run, call: saidCall(flow.counter, identity) };
    const pending = { type: 'PENDING', name: 'NotReady', ...message } as const;
    client.session.propose({ ...of, to: pending, create }, () => undefined, flow);
    client.session.propose({ ...of, to: end, report: true }, () => undefined, flow);
  };
  return new Promise((resolve, reject) => {
    const go = (): void => {
      propose();
      resolve(end);
    };
    flow.begin(stored, go, reject);
  });
}
