/**
 * What runs in a task's thread: finds the task's function, gives it the surroundings that it would have in its flow's
 * process, and says how it ended.
 *
 * H1 The file that defines the task is loaded once in each thread. A flow that it calls at its top never resolves here:
 *    the flow runs where the thread was started.
 */
import { AssentError } from '../../protocol/errors.ts';
import type { RunId } from '../../protocol/ids.ts';
import type { Client } from '../client/client.ts';
import { FinalState } from '../final-state.ts';
import { Execution, FlowScope, scopes, TaskScope } from '../scope.ts';
import { definedAt, type TaskOrigin } from '../task-origins.ts';
import { redactionOf } from '../redaction.ts';
import { hideAsWell, tellRevealed } from '../scrubber.ts';
import { withLiterals } from '../secrets.ts';
import { inProcess } from '../task-runner.ts';
import { decodeError, decodeText, encodeError, encodeText } from '../values.ts';
import { TASK_THREAD } from '../task-thread.ts';
import type { ThreadJob, ThreadOrder, ThreadResult, ThreadWord } from './thread-words.ts';

Object.defineProperty(globalThis, TASK_THREAD, { value: true });

const modules = new Map<string, Promise<unknown>>();

/** Called by the pool, for one attempt at a time. */
export default async function runInThread(job: ThreadJob): Promise<ThreadResult> {
  const { port, origin, inputs, name } = job;
  const scope = scopeOf(job);
  port.on('message', (order: ThreadOrder) => {
    const reason = decodeError(order.reason) as AssentError;
    scope.flow.stop(reason);
    scope.abort(reason);
  });
  hideAsWell(job.hidden);
  tellRevealed((value) => {
    const word: ThreadWord = { type: 'REVEALED', value };
    port.postMessage(word);
  });
  try {
    const fn = await functionAt(origin, name);
    const given = decodeText(inputs) as never[];
    return resultOf(await scopes.run(scope, () => fn(...given)), name);
  } catch (error) {
    return { type: 'ERROR', error: encodeError(error) };
  } finally {
    port.close();
  }
}

async function functionAt(origin: TaskOrigin, name: string): Promise<(...inputs: never[]) => unknown> {
  const known = modules.get(origin.module);
  const loaded: Promise<unknown> = known ?? import(origin.module);
  modules.set(origin.module, loaded);
  const fn = await definedAt(origin, loaded);
  if (fn !== undefined) return fn;
  throw new AssentError('TASK_NOT_FOUND', `Task '${name}' is not defined when ${origin.module} is loaded.`);
}

function scopeOf({ run, name, attempt, redact, flow, port }: ThreadJob): TaskScope {
  const logs = {
    write: (_: RunId, line: string): void => {
      const word: ThreadWord = { type: 'LOG', line };
      port.postMessage(word);
    },
  };
  const host = new FlowScope({
    // Of its flow's client, the code of a task uses the logs alone; what else it asks for, it asks a client of its own.
    client: { logs } as unknown as Client,
    run: flow.run as RunId,
    name: flow.name,
    attempt: flow.attempt,
    execution: new Execution(flow.run as RunId, 0, () => undefined),
    runner: inProcess,
    fail: () => undefined,
  });
  const scope = new TaskScope(host, run as RunId, name, attempt);
  scope.redact = redactionOf(redact);
  return scope;
}

function resultOf(value: unknown, name: string): ThreadResult {
  const whose = `The result of task '${name}'`;
  const states = Array.isArray(value) && value.length > 0 ? (value as readonly unknown[]) : [value];
  if (!states.every((state) => state instanceof FinalState)) {
    return { type: 'VALUE', value: withLiterals(() => encodeText(value, whose)) };
  }
  const plain = states.map((state) => Object.fromEntries(Object.entries(state)));
  return { type: 'STATES', states: withLiterals(() => encodeText(plain, whose)), isList: Array.isArray(value) };
}
