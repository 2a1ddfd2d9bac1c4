/**
 * Runs the function of a flow run that has ended once more, with calls answered from the record and nothing that begins: only
 * to find out which calls completed in it, for the transaction around it. What it gives or throws says nothing new.
 */
import type { RunId } from '../protocol/ids.ts';
import { gaveOf } from './flow-function.ts';
import { cancelled } from './outcomes.ts';
import { FlowScope } from './scope.ts';
import type { TransactionLog } from './transaction-hooks.ts';

type Ended = {
  readonly run: RunId;
  readonly name: string;
  /** Asked for before the function is called. */
  readonly parameters?: () => unknown;
  readonly fn: (parameters: never) => unknown;
  /** Of a transaction: its own. */
  readonly memory?: TransactionLog;
};

export function runThrough(parent: FlowScope, { run, name, parameters, fn, memory }: Ended): void {
  const { client, attempt, execution, recorded, runner } = parent;
  const scope = new FlowScope({
    client,
    run,
    name,
    attempt,
    execution,
    parent,
    ...(recorded === undefined ? {} : { recorded }),
    runner,
    fail: () => undefined,
  });
  scope.replays = true;
  scope.transaction = memory;
  parent.transactionAround?.expect(through(scope, fn, parameters));
}

async function through(scope: FlowScope, fn: Ended['fn'], parameters: Ended['parameters']): Promise<void> {
  try {
    scope.parameters = await parameters?.();
    await gaveOf(scope, fn, scope.parameters);
  } catch {
    // It ended as it is recorded.
  }
  scope.stop(cancelled(`A call of '${scope.name}'`, 'it has ended'));
}
