/**
 * Calls that the ledger has the end of: they ended in an earlier execution or attempt of their flow run, and are answered
 * with that. The rule `reuse-completed-task` would answer the same; here the caller need not wait for it.
 */
import type { RunId } from '../protocol/ids.ts';
import type { Answer, RunView } from '../protocol/messages.ts';
import type { Position } from '../protocol/rulings.ts';
import type { State } from '../protocol/states.ts';
import type { Client } from './client/client.ts';
import type { Wish } from './client/session.ts';
import { errorOf, isFence, isStart } from './outcomes.ts';
import type { FlowScope } from './scope.ts';

export type Ended = {
  readonly state: Extract<State, { readonly type: 'COMPLETED' | 'FAILED' }>;
  /** Where the ruling stands that ended it. */
  readonly at: Position;
};

/** What is known of a flow run's calls from earlier executions and attempts. */
export type Recorded = ReadonlyMap<RunId, Ended> & {
  /** Flow runs within it that came to nothing, for good. */
  readonly spent: ReadonlySet<RunId>;
};

/**
 * What can be reused of a flow run's ended calls. Without it the calls would be answered in another order than before; so
 * it is asked for until somebody says, or the run is not this process's any more.
 */
export async function endedCalls(client: Client, flow: RunId, isLeft: () => boolean): Promise<Recorded | undefined> {
  for (let views: readonly RunView[] | undefined; !isLeft();) {
    views = await client.outcomes(flow).catch(() => undefined);
    if (views === undefined) continue;
    const spent = new Set(views.flatMap(({ run, spent: isSpent }) => (isSpent === true ? [run] : [])));
    return Object.assign(new Map(views.flatMap(entryOf)), { spent });
  }
  return undefined;
}

const entryOf = ({ run, state, spent, at }: RunView): [RunId, Ended][] =>
  spent !== true && at !== undefined && (state.type === 'COMPLETED' || state.type === 'FAILED')
    ? [[run, { state, at }]]
    : [];

type Reusing = {
  readonly flow: FlowScope;
  readonly ended: Ended;
  /** The call's wish to start: the ledger shall know that it was made again. */
  readonly start: Wish;
  /** Its report of that very end. */
  readonly report: (state: State) => Wish;
  /** Whose end, for errors. */
  readonly whose: string;
  /** The call may be another one than was recorded: its end is used only when the ledger has said that it is not. */
  readonly diverged?: ((answer: Answer) => void) | undefined;
};

/** The recorded end, when it is its turn. */
export function reuse({ flow, ended: { state, at }, start, report, whose, diverged }: Reusing): Promise<unknown> {
  const { client, execution } = flow;
  const judged = Promise.withResolvers<boolean>();
  client.session.propose(
    start,
    (answer) => {
      judged.resolve(answer.code !== 'DIVERGED');
      if (isFence(answer)) execution.fence(answer.why ?? 'another execution is current');
      else if (answer.code === 'DIVERGED') diverged?.(answer);
      // The rule that reuses is not in force any more, and the run began anew; it has the same outcome.
      else if (isStart(answer) && !flow.mute) {
        const same = state.type === 'FAILED' ? { ...state, retriable: false } : state;
        client.session.propose(report(same), () => undefined, flow);
      }
    },
    flow,
  );
  // It may have to be fetched; that is no reason to wait for one after the other.
  const outcome = state.type === 'COMPLETED' ? client.read(state.result) : errorOf(client, state, whose);
  if (outcome instanceof Promise) outcome.catch(() => undefined);
  const told = new Promise((resolve, reject) => {
    const tell = state.type === 'COMPLETED' ? resolve : reject;
    execution.handover.recorded(at, () => {
      if (diverged !== undefined) {
        return Promise.all([outcome, judged.promise]).then(([known, isSame]) => {
          if (isSame) tell(known);
        }, reject);
      }
      if (outcome instanceof Promise) return outcome.then(tell, reject);
      tell(outcome);
      return undefined;
    });
  });
  flow.keepFor(told);
  return told;
}
