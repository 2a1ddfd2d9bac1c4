/**
 * A call of a flow: by a flow that runs (a subflow), or by a plain script (a flow run of its own, which may be one that
 * an earlier process left unfinished).
 */
import { randomBytes } from 'node:crypto';
import { idFrom, type RunId } from '../protocol/ids.ts';
import { HOOKS, type RunDefinition } from '../protocol/proposals.ts';
import type { State } from '../protocol/states.ts';
import type { CacheContext } from './cache-policies.ts';
import { saidCall } from './call.ts';
import type { Client } from './client/client.ts';
import type { Wish } from './client/session.ts';
import { currentClient } from './client/connect.ts';
import { StartRefused, type FlowDefinition, type FlowRunPlan } from './flow-plan.ts';
import { divergence } from './divergence.ts';
import { crashHook } from './flow-hooks.ts';
import { FlowRun } from './flow-run.ts';
import { Future, noteEnd, type EndDetails } from './future.ts';
import { proposeNotReady } from './not-ready.ts';
import { notBegun, RUNNING } from './outcomes.ts';
import { checkedParameters, parametersNow, parametersOf, parsedOf, type ParametersSchema } from './parameters.ts';
import { both, redactionIn } from './redaction.ts';
import { reuse, type Ended } from './reuse.ts';
import { findNamed, findUnfinished, identityOf, takeNamedRun, type Found } from './resume.ts';
import { logOfRun } from './run-logger.ts';
import { runThrough } from './run-through.ts';
import { scopes, type FlowScope } from './scope.ts';
import { isLoadedByThread, NEVER } from './task-thread.ts';
import { hasFutures, resolved, type Resolved } from './upstream.ts';
import { encodeText, recorded } from './values.ts';

export type CallableFlow = FlowDefinition & {
  readonly schema: ParametersSchema | undefined;
  readonly resumes: boolean;
};

/** What is recorded of a run when it is created. */
export async function definitionOf(
  client: Client,
  flow: CallableFlow,
  parameters: unknown,
  more: Pick<RunDefinition, 'parent' | 'call' | 'work' | 'identity' | 'startedBy' | 'parsed'>,
): Promise<RunDefinition> {
  const redact = both(flow.settings.redact, redactionIn(scopes.getStore()));
  const { name, retry, timeoutMs, limits, tags, priority, strict, hooks, title } = {
    ...flow.settings,
    ...noTitle,
    ...flow.settings.ofCall?.(contextOf(flow, parameters), { redact }),
  };
  const named = HOOKS.filter((hook) => hooks?.[hook] !== undefined);
  const shown = redact === undefined ? parameters : redact.of(parameters);
  const text = shown === undefined ? undefined : recorded(encodeText(shown, parametersOf(flow)), parametersOf(flow));
  if (text !== undefined) await client.store(text);
  return {
    kind: 'flow',
    name,
    ...more,
    ...(text === undefined ? {} : { parameters: text.value }),
    ...(retry === undefined ? {} : { retry }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(limits === undefined ? {} : { limits }),
    ...(tags === undefined ? {} : { tags }),
    ...(priority === undefined ? {} : { priority }),
    ...(strict === undefined ? {} : { strict }),
    ...(named.length === 0 ? {} : { hooks: named }),
    ...(title === undefined ? {} : { title }),
  };
}

const noTitle: Pick<RunDefinition, 'title'> = {};

const contextOf = ({ settings, fn }: CallableFlow, parameters: unknown): CacheContext => ({
  task: settings.name,
  source: Function.prototype.toString.call(fn),
  inputs: [parameters],
  flowRunId: '',
  flowName: settings.name,
  flowParameters: parameters,
});

/** A flow called by a flow. Its identity is taken at once, in the order of the calls, unless its parameters are to come. */
export function callSubflow(parent: FlowScope, flow: CallableFlow, inputs: readonly unknown[]): Future<unknown> {
  return Future.of<unknown>(parent, ({ resolve, reject }, details) => {
    if (parent.stopped !== undefined) {
      reject(parent.stopped);
      return;
    }
    if (!inputs.some((input) => hasFutures(input))) {
      enterSubflow(parent, flow, inputs, details).then(resolve, reject);
      return;
    }
    void resolved(`Flow '${flow.settings.name}'`, inputs, []).then((ready) => {
      if (parent.stopped !== undefined) reject(parent.stopped);
      else if (ready.type === 'NOT_READY') notReady(parent, flow, ready, details).catch(reject);
      else enterSubflow(parent, flow, ready.inputs, details).then(resolve, reject);
    });
  });
}

async function notReady(
  parent: FlowScope,
  flow: CallableFlow,
  { inputs, error }: Extract<Resolved, { type: 'NOT_READY' }>,
  details: EndDetails,
): Promise<never> {
  const { name } = flow.settings;
  const identity = parent.counter.next(name, inputs);
  details.runId = identity.run;
  noteEnd(details, await proposeNotReady(parent, { kind: 'flow', name, identity, error }));
  throw error;
}

function enterSubflow(
  parent: FlowScope,
  flow: CallableFlow,
  inputs: readonly unknown[],
  details: EndDetails,
): Promise<unknown> {
  const { run, call } = parent.counter.next(flow.settings.name, inputs);
  details.runId = run;
  const ended = parent.recorded?.get(run);
  if (ended !== undefined) {
    noteEnd(details, ended.state);
    if (parent.transactionAround !== undefined) runThroughSubflow(parent, flow, run, inputs);
    return reuseSubflow(parent, flow, { run, ended });
  }
  if (parent.replays) {
    runThroughSubflow(parent, flow, run, inputs);
    return Promise.reject(notBegun(`Flow '${flow.settings.name}'`));
  }
  return runSubflow(parent, flow, { inputs, run, call, details });
}

/** What it has completed belongs to the transaction around it. */
function runThroughSubflow(parent: FlowScope, flow: CallableFlow, run: RunId, inputs: readonly unknown[]): void {
  const parameters = (): Promise<unknown> => checkedParameters(flow, inputs);
  runThrough(parent, { run, name: flow.settings.name, parameters, fn: flow.fn });
}

export function reuseSubflow(
  parent: FlowScope,
  flow: CallableFlow,
  { run, ended }: { run: RunId; ended: Ended },
): Promise<unknown> {
  parent.counter.said(run);
  const of = { kind: 'flow', run, execution: parent.execution.number } as const;
  const report = (to: State): Wish => ({ ...of, to, report: true });
  return reuse({ flow: parent, ended, start: { ...of, to: RUNNING }, report, whose: `Flow '${flow.settings.name}'` });
}

async function runSubflow(
  parent: FlowScope,
  flow: CallableFlow,
  {
    inputs,
    run,
    call,
    details,
  }: {
    inputs: readonly unknown[];
    run: RunId;
    call: NonNullable<RunDefinition['call']>;
    details: EndDetails;
  },
): Promise<unknown> {
  const { client, execution } = parent;
  const parameters = await checkedParameters(flow, inputs);
  const prepared = definitionOf(client, flow, parameters, { parent: parent.run, call });
  const outcome = begun(parent, prepared, (create) => ({
    client,
    flow,
    run,
    parent,
    details,
    parameters: () => parameters,
    start: () => {
      const said = { ...create, call: saidCall(parent.counter, { run, call }) };
      return { kind: 'flow', run, to: RUNNING, execution: execution.number, create: said };
    },
  }));
  return outcome.catch((error: unknown) => {
    const { name, redact } = flow.settings;
    const shown = both(redact, parent.redactAll)?.ofInputs(inputs) ?? inputs;
    return outcomeRefused(parent, { name, run, inputs: shown }, error);
  });
}

/** The outcome of a flow run within another, which begins when what is recorded of it can be read. */
export const begun = (
  parent: FlowScope,
  prepared: Promise<RunDefinition>,
  planOf: (create: RunDefinition) => FlowRunPlan,
): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const go = (create: RunDefinition | undefined): void => {
      if (parent.stopped !== undefined) reject(parent.stopped);
      else if (create !== undefined) resolve(new FlowRun(planOf(create)).outcome());
    };
    parent.begin(prepared, go, reject);
  });

/** What it means to the caller that a flow run within its own came to nothing. */
export async function outcomeRefused(
  parent: FlowScope,
  { name, run, inputs }: { readonly name: string; readonly run: RunId; readonly inputs: readonly unknown[] },
  error: unknown,
): Promise<never> {
  if (!(error instanceof StartRefused)) throw error;
  const { answer } = error;
  if (answer.code !== 'DIVERGED') throw error.shown;
  const diverged = await divergence(parent, { name, identity: { run }, inputs, answer, place: undefined });
  parent.fail(diverged);
  throw diverged;
}

/** A claim that is refused again and again is refused by a rule. */
const RESUME_TRIES = 5;

/** A flow called by a plain script. */
export async function callFlow(flow: CallableFlow, inputs: readonly unknown[], mayResume: boolean): Promise<unknown> {
  if (isLoadedByThread()) return NEVER;
  const named = mayResume ? takeNamedRun() : undefined;
  // A run that is named has its parameters already.
  const parameters = named === undefined ? await checkedParameters(flow, inputs) : undefined;
  flow.settings.redact?.hide(parameters);
  const client = await currentClient();
  client.beginWork();
  try {
    const identity = identityOf(flow.settings.name, inputs[0]);
    if (named !== undefined) {
      const resumed = await resume(client, flow, await findNamed(client, named, flow.settings.name));
      if (resumed !== 'LOST') return resumed.value;
    }
    const wanted = mayResume && flow.resumes ? identity : undefined;
    for (let tries = 0; tries < RESUME_TRIES; tries += 1) {
      const found = await findUnfinished(client, wanted);
      if (found === undefined) break;
      const resumed = await resume(client, flow, found, parameters);
      if (resumed !== 'LOST') return resumed.value;
      // It moved since it was looked at: somebody else was faster, or it was only then ruled crashed. It is looked at again.
      await client.refresh();
    }
    return await begin(client, flow, {
      parameters,
      ...(await parsedOf(client, flow, inputs[0], parameters)),
      ...(identity === undefined ? {} : { identity }),
    });
  } finally {
    client.endWork();
  }
}

async function begin(
  client: Client,
  flow: CallableFlow,
  { parameters, ...more }: { parameters: unknown } & Pick<RunDefinition, 'identity' | 'parsed'>,
): Promise<unknown> {
  const create = await definitionOf(client, flow, parameters, more);
  try {
    return await executed(newRun(client, flow, { parameters, create }));
  } catch (error) {
    if (!(error instanceof StartRefused)) throw error;
    if (error.answer.code !== 'SESSION_EXPIRED') throw error.shown;
    // The arbiter has forgotten this process, which was silent for too long. Nothing has begun: it introduces itself anew.
    await client.refresh();
    return executed(newRun(client, flow, { parameters, create }));
  }
}

function newRun(
  client: Client,
  flow: CallableFlow,
  { parameters, create }: { parameters: unknown; create: RunDefinition },
): FlowRunPlan {
  const run = newRunId();
  return {
    client,
    flow,
    run,
    parameters: () => parameters,
    start: (basedOn) =>
      basedOn === undefined
        ? { kind: 'flow', run, to: RUNNING, basedOn: 0, claim: true, create }
        : claimOf(run, basedOn),
  };
}

/** Takes over a run that exists; LOST if somebody else was faster. What was not recorded of its parameters is `given`. */
async function resume(
  client: Client,
  flow: CallableFlow,
  { run, version, began, mustResume, again, crashed }: Found,
  given?: unknown,
): Promise<{ readonly value: unknown } | 'LOST'> {
  // The claim that ends a crash is granted once.
  let untold = crashed;
  const plan: FlowRunPlan = {
    client,
    flow,
    run,
    version,
    parameters: async () => {
      const known = await parametersNow(client, flow, began, given);
      const told = untold;
      untold = undefined;
      if (told !== undefined) await crashHook(plan, told, known);
      return known;
    },
    // Said once: what has been done again since is not to be done a third time.
    start: (basedOn) => ({ ...claimOf(run, basedOn ?? version), ...(basedOn === version ? again : {}) }),
    onAttempt: (scope) => {
      if (scope.attempt > 1) logOfRun(scope).warn(goingOn(scope, mustResume));
    },
  };
  try {
    return { value: await executed(plan) };
  } catch (error) {
    if (!(error instanceof StartRefused)) throw error;
    if (mustResume) throw error.shown;
    return 'LOST';
  }
}

/** A run that nobody asked for by its id may surprise: it may be last night's. */
function goingOn({ run, attempt, recorded }: FlowScope, isNamed: boolean): string {
  const known = recorded?.size ?? 0;
  const calls = `${String(known)} ${known === 1 ? 'call is' : 'calls are'} answered from the record`;
  const otherwise = isNamed ? '' : '; with ASSENT_FRESH=1 a new run begins instead';
  return `goes on with run ${run}, which an earlier process left unfinished: attempt ${String(attempt)}, ${calls}${otherwise}`;
}

export const claimOf = (run: RunId, basedOn: number) =>
  ({ kind: 'flow', run, to: RUNNING, basedOn, claim: true }) as const;

/** Runs a flow run of its own to its end; its log lines are on their way when it resolves. */
export async function executed(plan: FlowRunPlan): Promise<unknown> {
  try {
    return await new FlowRun(plan).outcome();
  } finally {
    plan.client.logs.flush(plan.run);
  }
}

export const newRunId = (): RunId => idFrom(randomBytes(16)) as RunId;
