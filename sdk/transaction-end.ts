/**
 * The end of a transaction: what completed in it is committed, or undone, by the tasks' own hooks; each hook is a recorded call
 * of the transaction's run, so that it is made once, whatever becomes of the process.
 *
 * X1 What is decided is recorded before the first hook is called. After a crash the function runs again only to find the
 *    hooks, answered from the record; whatever it does then, the decision stands.
 * X2 Nothing is undone by a process that the run was taken from, or while the run goes on with a next attempt: that meets
 *    the transaction as it was left.
 * X3 When the engine has ended the run meanwhile, its ledger takes no more calls: what is left is undone all the same, and
 *    only that the hooks ran is recorded.
 */
import { hash } from 'node:crypto';
import { AssentError } from '../protocol/errors.ts';
import type { RunId } from '../protocol/ids.ts';
import { LIMITS } from '../protocol/limits.ts';
import { CallCounter, digestOf } from './call.ts';
import { endError, FinalState } from './final-state.ts';
import type { Gave } from './flow-report.ts';
import { recordHook } from './hooks.ts';
import { cancelled, errorText } from './outcomes.ts';
import { recordedCall, type RecordedCall } from './recorded-call.ts';
import { logOfRun } from './run-logger.ts';
import { GRACE_MS, scopes, TaskScope, within, type FlowScope } from './scope.ts';
import type { CommitHook } from './transaction-hooks.ts';
import type { Inside, TransactionMemory } from './transaction-memory.ts';
import { decodeError } from './values.ts';

/** How long it may take to run through what has completed in it once more. */
const FOUND_MS = 60_000;

/** What became of a transaction whose end had been decided before its process died. */
export type Decision =
  { readonly type: 'COMMIT'; readonly value: unknown } | { readonly type: 'ROLLBACK'; readonly error: unknown };

/** The call that records a decision, and the one that the counter gives it. */
const markerOf = (type: Decision['type']): RecordedCall => ({
  name: type === 'COMMIT' ? 'commit' : 'rollback',
  inputs: [],
  key: type === 'COMMIT' ? 'the transaction is committed' : 'the transaction is rolled back',
  builtIn: { cleanup: true },
});

const runOf = (scope: FlowScope, { name, inputs, key }: RecordedCall): RunId =>
  new CallCounter(scope.run).nextOf(name, digestOf(inputs), key).run;

/** X1: what an earlier execution has recorded. */
export async function decisionOf(scope: FlowScope): Promise<Decision | undefined> {
  for (const type of ['ROLLBACK', 'COMMIT'] as const) {
    const state = scope.recorded?.get(runOf(scope, markerOf(type)))?.state;
    if (state?.type !== 'COMPLETED') continue;
    const value = await scope.client.read(state.result);
    return type === 'COMMIT' ? { type, value } : { type, error: decodeError(String(value)) };
  }
  return undefined;
}

/** Whether an earlier execution has decided, without waiting for what. */
export const isDecided = (scope: FlowScope): boolean =>
  (['ROLLBACK', 'COMMIT'] as const).some((type) => scope.recorded?.has(runOf(scope, markerOf(type))) === true);

/** What the block gave, made into the end of the transaction; undefined if it has none here. */
export async function conclude(scope: FlowScope, memory: TransactionMemory, gave: Gave): Promise<Gave | undefined> {
  const decision = (await decisionOf(scope)) ?? decisionBy(scope, gave);
  if (decision.type === 'COMMIT') {
    const committed = await commit(scope, memory, { gave, decision });
    if (committed !== 'NOT_COMMITTED') return committed;
  }
  const error = decision.type === 'ROLLBACK' ? decision.error : (scope.stopped ?? lateCancel(scope));
  return rollBack(scope, memory, error);
}

function decisionBy(scope: FlowScope, gave: Gave): Decision {
  if (scope.stopped !== undefined) return { type: 'ROLLBACK', error: scope.stopped };
  if ('error' in gave) return { type: 'ROLLBACK', error: gave.error };
  if ('value' in gave) return { type: 'COMMIT', value: gave.value };
  const { state } = gave;
  return state.isCompleted
    ? { type: 'COMMIT', value: state.value }
    : { type: 'ROLLBACK', error: state.error ?? endError(state) };
}

const lateCancel = (scope: FlowScope): AssentError => cancelled(`The transaction '${scope.name}'`, undefined);

type Committing = { readonly gave: Gave; readonly decision: Extract<Decision, { readonly type: 'COMMIT' }> };

/** A nested one is committed with the outermost, which from now on has its calls. */
async function commit(
  scope: FlowScope,
  memory: TransactionMemory,
  { gave, decision }: Committing,
): Promise<Gave | 'NOT_COMMITTED' | undefined> {
  await found(scope, memory);
  if (memory.outer !== undefined) {
    memory.outer.adopt(memory);
    return gave;
  }
  const hooks = memory.inOrderOfCommit().flatMap((call) => hooksOf(call, 'onCommit', call.hooks.onCommit));
  const isResumed = isDecided(scope);
  if (hooks.length === 0 && !isResumed) return gave;
  try {
    await recordedCall(scope, markerOf('COMMIT'), () => decision.value);
  } catch (error) {
    if (isLeft(scope)) return undefined;
    if (error instanceof AssentError && STOPPED.has(error.kind)) return 'NOT_COMMITTED';
    return rollBack(scope, memory, error);
  }
  for (const hook of hooks) if ((await runHook(scope, hook)) === 'LEFT') return undefined;
  const made = 'state' in gave && gave.state.isCompleted && !isResumed ? gave.state : undefined;
  return { state: made ?? new FinalState('COMPLETED', { value: decision.value }), stands: true };
}

const STOPPED: ReadonlySet<string> = new Set(['CANCELLED', 'TIMED_OUT', 'REJECTED']);

async function rollBack(scope: FlowScope, memory: TransactionMemory, error: unknown): Promise<Gave | undefined> {
  scope.stop(cancelled(`A call of the transaction '${scope.name}'`, 'the transaction is rolled back'));
  await scope.emptied(GRACE_MS);
  await scope.undone();
  await found(scope, memory);
  if (isLeft(scope)) return undefined;
  const hooks = memory.inOrderOfUndoing().flatMap((call) => hooksOf(call, 'onRollback', call.hooks.onRollback));
  if (hooks.length > 0 && !(await isRollbackRecorded(scope, error))) return undefined;
  for (const [at, hook] of hooks.entries()) {
    const end = await runHook(scope, hook);
    if (end === 'LEFT') return undefined;
    if (end === 'FAILED') return rollbackFailed(scope, error, { failed: hook, untried: hooks.slice(at + 1) });
  }
  return { state: new FinalState('FAILED', { name: 'RolledBack', error }) };
}

/** What was done is partly left: whoever catches the block's own error must not take it for undone. */
function rollbackFailed(
  scope: FlowScope,
  cause: unknown,
  { failed, untried }: { readonly failed: TransactionHook; readonly untried: readonly TransactionHook[] },
): Gave {
  const named = ({ call }: TransactionHook): string => `'${call.name}' (${call.runId})`;
  const others = untried.slice(0, NAMED_MAX).map(named).join(', ');
  const more = untried.length > NAMED_MAX ? ` and ${String(untried.length - NAMED_MAX)} more` : '';
  const left = untried.length === 0 ? '' : `, and that of ${others}${more} was not tried`;
  const detail = `The transaction '${scope.name}' failed, and is undone in part: the onRollback of ${named(failed)} failed${left}.`;
  const error = new AssentError('ROLLBACK_FAILED', detail, { cause });
  return { state: new FinalState('FAILED', { name: 'RollbackFailed', error }) };
}

const NAMED_MAX = 5;

/** Resolves when it is known what completed. A function that is run through again, and hangs, must not hang all else. */
async function found(scope: FlowScope, memory: TransactionMemory): Promise<void> {
  if (await within(FOUND_MS, memory.complete())) return;
  scopes.run(scope, () => {
    logOfRun(scope).error(`what completed in the transaction '${scope.name}' is not all known: a flow in it hangs`);
  });
}

/** X3: true as well if there is nothing any more that could take it. */
async function isRollbackRecorded(scope: FlowScope, error: unknown): Promise<boolean> {
  try {
    if (!scope.mute) await recordedCall(scope, markerOf('ROLLBACK'), () => errorText(error, scope.redactAll).text);
  } catch {
    // It is refused because the run has ended meanwhile, or goes on elsewhere.
  }
  return !isLeft(scope);
}

/** X2. */
const isLeft = (scope: FlowScope): boolean =>
  scope.stopped?.kind === 'FENCED' || scope.execution.over || (scope.stopped?.kind === 'TIMED_OUT' && !scope.mute);

type TransactionHook = {
  readonly hook: 'onCommit' | 'onRollback';
  readonly call: Inside;
  readonly fn: CommitHook;
  readonly place: number;
};

const hooksOf = (call: Inside, hook: TransactionHook['hook'], fns: readonly CommitHook[]): TransactionHook[] =>
  fns.map((fn, place) => ({ hook, call, fn, place }));

/** FAILED: the hook threw, now or in an earlier execution. LEFT: the run is not this process's any more. */
async function runHook(scope: FlowScope, transactionHook: TransactionHook): Promise<'DONE' | 'FAILED' | 'LEFT'> {
  const { hook, call, fn, place } = transactionHook;
  const wish: RecordedCall = {
    name: `${hook === 'onCommit' ? 'commit' : 'rollback'} ${call.name}`.slice(0, LIMITS.nameMax),
    inputs: [call.runId],
    // The run's id itself may be longer than a key.
    key: `${hook} ${String(place)} of ${hash('sha256', call.runId, 'hex')}`,
    builtIn: { cleanup: true },
  };
  const run = runOf(scope, wish);
  let own: 'DONE' | 'FAILED' | undefined;
  const act = async (): Promise<void> => {
    own = 'DONE';
    try {
      const { runId, inputs, result, get } = call;
      await fn({ runId, idempotencyKey: run, inputs, result, get } as never);
      recordHook(scope.client, { run: runId as RunId, hook, name: fn.name, thrown: undefined, redact: undefined });
    } catch (error) {
      own = 'FAILED';
      warn(scope, transactionHook, error);
      throw error;
    }
  };
  if (!scope.mute) {
    try {
      await recordedCall(scope, wish, act);
      return own ?? 'DONE';
    } catch {
      if (isLeft(scope)) return 'LEFT';
      if (own !== undefined) return own;
      if (scope.recorded?.has(run) === true) return 'FAILED';
    }
  }
  try {
    await scopes.run(new TaskScope(scope, run, wish.name, 1), act);
    return 'DONE';
  } catch {
    return 'FAILED';
  }
}

function warn(scope: FlowScope, { hook, call, fn }: TransactionHook, error: unknown): void {
  scopes.run(scope, () => {
    logOfRun(scope).error({ err: error, taskRun: call.runId }, `the hook ${hook} of task '${call.name}' failed`);
  });
  const run = call.runId as RunId;
  recordHook(scope.client, { run, hook, name: fn.name, thrown: { error }, redact: scope.redactAll });
}
