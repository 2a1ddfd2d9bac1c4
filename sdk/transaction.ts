/**
 * Transactions: a block of a flow whose calls are kept together or undone together. A transaction is a flow run within the
 * flow run, and its function is the block: what makes that survive a crash makes a transaction survive one.
 *
 * Y1 It is committed by its outermost transaction's completion, and undone before its own failure is reported.
 * Y2 One that was undone is over: when its flow is tried again, the block begins anew, with calls of their own.
 * Y3 While an outer one is open, what completed within it is run through again after a crash, answered from the record: the
 *    hooks of its calls are functions, and nowhere recorded.
 */
import { AssentError } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import { TRANSACTION_LIMIT } from '../protocol/proposals.ts';
import { digestOf, saidCall, type CallIdentity } from './call.ts';
import type { FlowResult } from './flow.ts';
import { begun, definitionOf, outcomeRefused, reuseSubflow, type CallableFlow } from './flow-call.ts';
import { Future, noteEnd, OUTSIDE, type EndDetails } from './future.ts';
import { notBegun, RUNNING } from './outcomes.ts';
import { runThrough } from './run-through.ts';
import { scopes, type FlowScope } from './scope.ts';
import type { Settings } from './settings.ts';
import { conclude, isDecided } from './transaction-end.ts';
import { TransactionMemory } from './transaction-memory.ts';

/** The options of {@link transaction}. */
export interface TransactionOptions {
  /** What its run is called. 1 to 200 characters. Default: `'transaction'`. */
  readonly name?: string;
  /**
   * What makes this transaction the same one when the flow runs again, instead of its name and its place among those of that
   * name; and what `isolation` is about. 1 to 200 characters.
   */
  readonly key?: string;
  /**
   * `'serializable'`: no other transaction with this key, in the whole workspace, is at work meanwhile. Of those that would
   * wait for each other the last to ask is refused (REJECTED, `DEADLOCK`), and undone like one whose block throws; retries of
   * its flow try again. Default: none.
   */
  readonly isolation?: 'serializable';
}

/** What the block of a transaction gets. */
export interface Transaction {
  /** The transaction's own run. */
  readonly id: string;
  readonly name: string;
  /** A copy of what was left here, or in a transaction around this one; else `fallback`. */
  get(name: string, fallback?: unknown): unknown;
  /**
   * Leaves a copy for `get`, here and in the tasks' `onCommit` and `onRollback` hooks.
   * @throws AssentError VALUE_NOT_SERIALIZABLE if it cannot be copied.
   */
  set(name: string, value: unknown): void;
}

/**
 * Runs a block of a flow as a transaction. If the block throws, the calls that have completed in it are undone: the
 * `onRollback` hooks of their tasks are called, the last completed first, and then the error is thrown. If it returns, their
 * `onCommit` hooks are called. Both go for calls of flows and transactions inside too; one inside is committed with the
 * outermost, and undone by it if it fails later. A failing `onRollback` hook stops the undoing of what came before: the
 * transaction is `RollbackFailed`, and rejects with an error that names what is left, with the block's own as its cause; the
 * flow is not tried again by itself. A failing `onCommit` hook is logged, and changes nothing.
 *
 * The calls are undone as well when the flow is cancelled or times out for good, and after a crash, when the flow is resumed;
 * each hook is then still called once, but that it may be called again if the process dies before its end is recorded: give
 * its `idempotencyKey` to outside systems. What the process of a flow that is cancelled, or has timed out, leaves undone when
 * it dies stays so, because such a flow is not resumed. A block that was undone begins anew when its flow is tried again.
 * After a crash, completed flows and transactions inside a transaction that is still open run through their functions again,
 * with calls answered from the record. A task with `onRollback` does not use its cache here.
 *
 * @param nameOrOptions The name of the transaction's run, or {@link TransactionOptions}.
 * @throws AssentError OUTSIDE_FLOW outside of the function of a flow; BAD_OPTION; REJECTED if it waits for a transaction of
 *   the same key around it; ROLLBACK_FAILED; the block's own error.
 * @example
 * import { flow, task, transaction } from 'assent';
 *
 * const charge = task(
 *   { name: 'charge', onRollback: ({ result, idempotencyKey }) => console.log('refunded', result) },
 *   (cents: number) => cents,
 * );
 * const ship = task({ name: 'ship' }, () => {
 *   throw new Error('nothing left');
 * });
 * const order = flow({ name: 'order' }, () =>
 *   transaction('checkout', async () => {
 *     await charge(1999);
 *     await ship();
 *   }),
 * );
 * await order().catch((error) => error.message); // refunded 1999
 */
export function transaction<R>(
  nameOrOptions: string | TransactionOptions,
  block: (transaction: Transaction) => R,
): Promise<FlowResult<R>> {
  const scope = scopes.getStore();
  const flow = scope?.type === 'flow' ? scope : undefined;
  return Future.of<FlowResult<R>>(flow ?? OUTSIDE, ({ resolve, reject }, details) => {
    if (flow === undefined) {
      throw new AssentError('OUTSIDE_FLOW', 'transaction() was called outside of the function of a flow that runs.');
    }
    (enter(flow, checked(nameOrOptions, block), details) as Promise<FlowResult<R>>).then(resolve, reject);
  });
}

type Asked = Required<Pick<TransactionOptions, 'name'>> &
  Pick<TransactionOptions, 'key' | 'isolation'> & { readonly block: (transaction: Transaction) => unknown };

function checked(given: string | TransactionOptions, block: unknown): Asked {
  const { name = 'transaction', key, isolation, ...rest } = typeof given === 'string' ? { name: given } : given;
  const problem =
    textProblem('name', name) ??
    (key === undefined ? undefined : textProblem('key', key)) ??
    (isolation === undefined || (isolation as string) === 'serializable'
      ? undefined
      : "isolation: expected 'serializable'") ??
    (isolation !== undefined && key === undefined ? 'isolation: it needs a key' : undefined) ??
    (typeof block === 'function' ? undefined : 'its last argument must be a function') ??
    Object.keys(rest).map((option) => `${option}: no such option`)[0];
  if (problem !== undefined) throw new AssentError('BAD_OPTION', `A transaction has a bad option: ${problem}.`);
  return {
    name,
    ...(key === undefined ? {} : { key }),
    ...(isolation === undefined ? {} : { isolation }),
    block: block as Asked['block'],
  };
}

const textProblem = (option: string, value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' && value.length <= LIMITS.nameMax
    ? undefined
    : `${option}: expected 1 to ${String(LIMITS.nameMax)} characters`;

const NO_INPUTS = digestOf([]);

async function enter(scope: FlowScope, asked: Asked, details: EndDetails): Promise<unknown> {
  const whose = `The transaction '${asked.name}'`;
  if (scope.stopped !== undefined) throw scope.stopped;
  const identity = unspent(scope, asked);
  const { run } = identity;
  details.runId = run;
  const outer = scope.transactionAround as TransactionMemory | undefined;
  const ended = scope.recorded?.get(run);
  if (ended === undefined) {
    if (scope.replays) throw notBegun(whose);
    return begin(scope, asked, { identity, details, memory: new TransactionMemory(outer) });
  }
  noteEnd(details, ended.state);
  const flow = flowOf(scope, asked, () => undefined);
  // Y3. What has failed has been undone.
  if (outer !== undefined && ended.state.type === 'COMPLETED') {
    const memory = new TransactionMemory(outer);
    outer.adopt(memory);
    runThrough(scope, { run, name: asked.name, memory, fn: () => asked.block(handleOf(run, asked.name, memory)) });
  }
  return reuseSubflow(scope, flow, { run, ended });
}

/**
 * Y2. An id of which the run was undone stands for it alone; the next one is found the same way in each execution. Nobody is
 * asked: transactions begin in the order in which they are called.
 */
function unspent({ counter, recorded }: FlowScope, { name, key }: Asked): CallIdentity {
  const first = counter.nextOf(name, NO_INPUTS, key);
  let identity = first;
  for (let again = 1; recorded?.spent.has(identity.run) === true; again += 1) {
    const { call } = first;
    identity = counter.nextOf(name, NO_INPUTS, `${key ?? name} ${String(call.ordinal)} again ${String(again)}`);
  }
  return identity;
}

function flowOf(scope: FlowScope, { name, key, isolation }: Asked, fn: () => unknown): CallableFlow {
  const settings: Settings = {
    name,
    ...(isolation === undefined || key === undefined
      ? {}
      : { limits: [{ limit: TRANSACTION_LIMIT, slots: 1, by: key }] }),
    ...(scope.strict ? { strict: true as const } : {}),
  };
  return { settings, fn, schema: undefined, resumes: false };
}

const handleOf = (id: string, name: string, memory: TransactionMemory): Transaction => ({
  id,
  name,
  get: memory.get,
  set: (what, value) => {
    memory.set(what, value);
  },
});

type Beginning = {
  readonly identity: CallIdentity;
  readonly details: EndDetails;
  readonly memory: TransactionMemory;
};

function begin(scope: FlowScope, asked: Asked, { identity, details, memory }: Beginning): Promise<unknown> {
  const { client, execution } = scope;
  const { run, call } = identity;
  const flow = flowOf(scope, asked, () => asked.block(handleOf(run, asked.name, memory)));
  const prepared = definitionOf(client, flow, undefined, { parent: scope.run, call });
  const over = Promise.withResolvers<undefined>();
  const outcome = begun(scope, prepared, (create) => ({
    client,
    flow,
    run,
    parent: scope,
    details,
    parameters: () => scope.owner.parameters,
    start: () => {
      const said = { ...create, call: saidCall(scope.counter, identity) };
      return { kind: 'flow', run, to: RUNNING, execution: execution.number, create: said };
    },
    onAttempt: (own) => {
      own.transaction = memory;
      own.replays = isDecided(own);
      scope.undo(over.promise);
    },
    conclude: (own, gave) =>
      conclude(own, memory, gave).finally(() => {
        over.resolve(undefined);
      }),
  }));
  return outcome.catch((error: unknown) => outcomeRefused(scope, { name: asked.name, run, inputs: [] }, error));
}
