/** The wish with which a call of a task begins: what the task run is, should it not exist. */
import type { EpochMs } from '../protocol/ids.ts';
import type { RunDefinition } from '../protocol/proposals.ts';
import type { State } from '../protocol/states.ts';
import type { Value } from '../protocol/values.ts';
import type { CacheContext } from './cache-policies.ts';
import { saidCall, type CallIdentity } from './call.ts';
import type { Wish } from './client/session.ts';
import { both, redactionIn, type Redaction } from './redaction.ts';
import { logOfRun } from './run-logger.ts';
import { FailureInputs, recordedInputs } from './given-inputs.ts';
import type { FlowScope } from './scope.ts';
import type { Settings } from './settings.ts';
import type { BuiltIn, TaskDefinition } from './task-definition.ts';
import type { Recorded } from './values.ts';

/** Settings, with what depends on the call. */
export type CallSettings = Settings &
  Pick<RunDefinition, 'cache' | 'title'> & {
    /** The inputs, where they are recorded: of a call with a key of its own, and of a strict flow run. */
    readonly recordedInputs?: Recorded;
    /** All that is redacted here: what the task says, and what the flows around it say. */
    readonly redactAll?: Redaction;
  };

/** Whether it may turn out to be another call than the one that was recorded in its place. */
export const isCompared = (flow: FlowScope, task: TaskDefinition): boolean =>
  (flow.strict || task.keyOf !== undefined) && task.builtIn === undefined;

export function settingsFor(flow: FlowScope, task: TaskDefinition, inputs: readonly unknown[]): CallSettings {
  const { settings } = task;
  const redact = both(settings.redact, redactionIn(flow));
  redact?.hide(...inputs);
  const compared = isCompared(flow, task) ? recordedInputs({ name: settings.name, redact, inputs }) : undefined;
  if (settings.ofCall === undefined && compared === undefined && redact === undefined) return settings;
  const context = contextOf(flow, task, inputs);
  const { cache, ...ofCall } = settings.ofCall?.(context, { redact, onProblem: notKept(flow, settings) }) ?? {};
  return {
    ...settings,
    ...ofCall,
    ...(redact === undefined ? {} : { redactAll: redact }),
    ...(cache === undefined || mayBeUndone(flow, task) ? {} : { cache }),
    ...(compared === undefined ? {} : { recordedInputs: compared }),
  };
}

const notKept =
  (flow: FlowScope, { name }: Settings) =>
  (problem: string, error?: unknown): void => {
    const about = { task: name, ...(error === undefined ? {} : { err: error }) };
    logOfRun(flow).warn(about, `the result of task '${name}' is not kept: ${problem}`);
  };

/** What may be undone is neither kept for others, nor is theirs of any use: it has to be done here. */
const mayBeUndone = (flow: FlowScope, { transaction }: TaskDefinition): boolean =>
  (transaction?.onRollback.length ?? 0) > 0 && flow.transactionAround !== undefined;

/** As it is recorded: a key of the caller's own may show what is redacted. */
export function shownIdentity(
  identity: CallIdentity,
  redact: Redaction | undefined,
  inputs: readonly unknown[],
): CallIdentity {
  const { run, call } = identity;
  return redact === undefined ? identity : { run, call: { ...call, key: redact.ofKey(call.key, inputs) } };
}

const contextOf = (flow: FlowScope, { settings, fn }: TaskDefinition, inputs: readonly unknown[]): CacheContext => ({
  task: settings.name,
  source: Function.prototype.toString.call(fn),
  inputs,
  flowRunId: flow.owner.run,
  flowName: flow.owner.name,
  flowParameters: flow.owner.parameters,
});

/** What one call proposes. */
export class TaskWishes {
  readonly #flow: FlowScope;
  readonly #identity: CallIdentity;
  readonly #settings: CallSettings;
  readonly #builtIn: BuiltIn | undefined;
  readonly #inputs: readonly unknown[];
  /** Of a call that has failed, and whose inputs are recorded nowhere else. */
  #failure: FailureInputs | undefined;
  #untilMs: EpochMs | undefined;

  constructor({ flow, identity, settings, builtIn, inputs }: WishParts) {
    this.#flow = flow;
    this.#identity = identity;
    this.#settings = settings;
    this.#builtIn = builtIn;
    this.#inputs = inputs;
  }

  /** To begin, or to enter the state in which it waits to. */
  start(to: State): TaskWish {
    const { run } = this.#identity;
    const call = saidCall(this.#flow.counter, this.#identity);
    const create = definitionOf(this.#flow, call, this.#settings, this.#receiving());
    return { kind: 'task', run, to, execution: this.#flow.execution.number, create };
  }

  /** To be in the state in which it waits; `until` is when that is over, and recorded as its parameters. */
  open(to: State, untilMs: EpochMs, until: Value): TaskWish {
    this.#untilMs = untilMs;
    const wish = this.start(to);
    return wish.create === undefined ? wish : { ...wish, create: { ...wish.create, parameters: until } };
  }

  #receiving(): BuiltIn | undefined {
    const { receives } = this.#builtIn ?? {};
    if (receives === undefined || this.#untilMs === undefined) return this.#builtIn;
    return { ...this.#builtIn, receives: { ...receives, untilMs: this.#untilMs } };
  }

  report(to: State): TaskWish {
    return { kind: 'task', run: this.#identity.run, to, report: true, execution: this.#flow.execution.number };
  }

  /** Before the report of its end; undefined: there is nothing to wait for. It does not reject. */
  prepareEnd(to: State): Promise<void> | undefined {
    if (to.type !== 'FAILED') return undefined;
    this.#failure ??= this.#failureInputs();
    return this.#failure?.prepare();
  }

  #failureInputs(): FailureInputs | undefined {
    const [flow, settings, inputs] = [this.#flow, this.#settings, this.#inputs];
    const isElsewhere = settings.recordedInputs !== undefined || isKeptByRunner(flow, settings, this.#builtIn);
    if (inputs.length === 0 || this.#builtIn !== undefined || isElsewhere) return undefined;
    return new FailureInputs(flow.client, { name: settings.name, redact: settings.redactAll, inputs }, this.#identity);
  }

  /** The report of its end, with what that brings along. */
  end(to: State): TaskWish {
    const carries = to.type === 'COMPLETED' ? this.#builtIn?.carries?.() : undefined;
    const inputs = to.type === 'FAILED' ? this.#failure?.tell() : undefined;
    if (carries !== undefined) return { ...this.report(to), carries };
    return inputs === undefined ? this.report(to) : { ...this.report(to), inputs };
  }
}

type WishParts = {
  readonly flow: FlowScope;
  readonly identity: CallIdentity;
  readonly settings: CallSettings;
  readonly builtIn: BuiltIn | undefined;
  readonly inputs: readonly unknown[];
};

type TaskWish = Exclude<Wish, { readonly kind: 'workspace' }>;

/** Its attempts, and what they are given, stand at the run that does its work. */
const isKeptByRunner = (flow: FlowScope, { runner }: CallSettings, builtIn: BuiltIn | undefined): boolean =>
  (runner ?? flow.runner).ownsAttempts === true && builtIn === undefined;

function definitionOf(
  flow: FlowScope,
  call: CallIdentity['call'],
  settings: CallSettings,
  builtIn: BuiltIn | undefined,
): RunDefinition {
  const { name, retry, timeoutMs, limits, tags, cache, priority, title, recordedInputs } = settings;
  const kept = isKeptByRunner(flow, settings, builtIn);
  return {
    kind: 'task',
    name,
    parent: flow.run,
    call,
    ...(recordedInputs === undefined ? {} : { parameters: recordedInputs.value }),
    ...(retry === undefined || kept ? {} : { retry }),
    ...(timeoutMs === undefined || kept ? {} : { timeoutMs }),
    ...(limits === undefined || kept ? {} : { limits }),
    ...(tags === undefined ? {} : { tags }),
    ...(cache === undefined ? {} : { cache }),
    ...(priority === undefined ? {} : { priority }),
    ...(title === undefined ? {} : { title }),
    ...(builtIn?.receives === undefined ? {} : { receives: builtIn.receives }),
    ...(builtIn?.cleanup === undefined ? {} : { cleanup: builtIn.cleanup }),
  };
}
