/**
 * Finds the flow that `assent run FILE[:flow]` is about, what `assent worker FILE...` serves, and the SDK that the file
 * itself uses.
 *
 * The one place where the engine's folder touches the SDK (architecture, section 9: `sdk → protocol ← engine`): running a
 * file is running the user's code, and that is the SDK's business. It is loaded when it is needed, from where the file
 * finds it, for a flow and its tasks must share one copy; nothing but this file, run.ts and worker.ts knows that it is there.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { AssentError } from '../../protocol/errors.ts';
import type { FlowRunContext } from '../../sdk/context.ts';
import type { CallableFlow } from '../../sdk/flow-call.ts';
import type { TaskDefinition } from '../../sdk/task-definition.ts';
import type { serve } from '../../sdk/worker.ts';

/** What running a flow takes of the SDK. */
export type Sdk = {
  /** Runs a flow; resumes one that ASSENT_RESUME names, or that an earlier process left unfinished. */
  readonly callFlow: (flow: CallableFlow, inputs: readonly unknown[], mayResume: boolean) => Promise<unknown>;
  readonly flowDefinition: (value: unknown) => CallableFlow | undefined;
  readonly flowRun: () => FlowRunContext;
  readonly disconnect: () => Promise<void>;
};

export type Target = { readonly path: string; readonly flow: string | undefined };

/** What serving flows and tasks takes of the SDK. */
export type ServingSdk = {
  readonly serve: typeof serve;
  readonly flowDefinition: (value: unknown) => CallableFlow | undefined;
  readonly taskDefinition: (value: unknown) => TaskDefinition | undefined;
  readonly disconnect: () => Promise<void>;
};

/** What files export: flows and tasks, and their names. */
export type Served = {
  readonly callables: Parameters<typeof serve>[0];
  readonly flows: readonly string[];
  readonly tasks: readonly string[];
};

/** `flows.ts:nightly`: the part after the last colon is a flow's name, if the file is there without it. */
export function targetOf(text: string, folder = process.cwd()): Target {
  const whole = resolve(folder, text);
  if (existsSync(whole)) return { path: whole, flow: undefined };
  const at = text.lastIndexOf(':');
  const path = resolve(folder, at < 0 ? text : text.slice(0, at));
  if (!existsSync(path)) throw new AssentError('FLOW_NOT_FOUND', `There is no file ${path}.`);
  return { path, flow: at < 0 ? undefined : text.slice(at + 1) };
}

/** @throws AssentError FLOW_NOT_FOUND */
export function pathOf(file: string, folder = process.cwd()): string {
  const path = resolve(folder, file);
  if (!existsSync(path)) throw new AssentError('FLOW_NOT_FOUND', `There is no file ${path}.`);
  return path;
}

/** The SDK as the file finds it; our own, where the file finds none. */
export async function loadSdk(path: string): Promise<Sdk> {
  const load = loaderFor(path);
  const [call, flow, context, connect] = await Promise.all([
    load<Pick<Sdk, 'callFlow'>>('./flow-call.js'),
    load<Pick<Sdk, 'flowDefinition'>>('./flow.js'),
    load<Pick<Sdk, 'flowRun'>>('./context.js'),
    load<Pick<Sdk, 'disconnect'>>('./client/connect.js'),
  ]);
  const { callFlow } = call;
  return { callFlow, flowDefinition: flow.flowDefinition, flowRun: context.flowRun, disconnect: connect.disconnect };
}

/** As {@link loadSdk}. */
export async function loadServingSdk(path: string): Promise<ServingSdk> {
  const load = loaderFor(path);
  const [worker, flow, task, connect] = await Promise.all([
    load<Pick<ServingSdk, 'serve'>>('./worker.js'),
    load<Pick<ServingSdk, 'flowDefinition'>>('./flow.js'),
    load<Pick<ServingSdk, 'taskDefinition'>>('./task.js'),
    load<Pick<ServingSdk, 'disconnect'>>('./client/connect.js'),
  ]);
  return {
    serve: worker.serve,
    flowDefinition: flow.flowDefinition,
    taskDefinition: task.taskDefinition,
    disconnect: connect.disconnect,
  };
}

function loaderFor(path: string): <T>(file: string) => Promise<T> {
  const entry = sdkEntry(path);
  return async <T>(file: string) => (await import(new URL(file, entry).href)) as T;
}

function sdkEntry(path: string): URL {
  try {
    return pathToFileURL(createRequire(path).resolve('assent'));
  } catch {
    return new URL('../../sdk/index.js', import.meta.url);
  }
}

/** @throws AssentError FLOW_NOT_FOUND, and what the file throws. */
export async function findFlow(sdk: Sdk, { path, flow }: Target): Promise<CallableFlow> {
  const module = await loaded(path);
  const flows = new Map<string, CallableFlow>();
  for (const [name, value] of Object.entries(module)) {
    const definition = sdk.flowDefinition(value);
    if (definition !== undefined) flows.set(name, definition);
  }
  const found = flow === undefined ? theOne(flows) : named(flows, flow);
  if (found !== undefined) return found;
  const names = [...flows.keys()].filter((name) => name !== 'default');
  const has =
    names.length === 0 ? 'exports no flow' : `exports the ${names.length === 1 ? 'flow' : 'flows'} ${names.join(', ')}`;
  const wanted =
    flow !== undefined
      ? `, but no flow '${flow}'`
      : names.length > 1
        ? `: say which, as ${path}:${names[0] ?? ''}`
        : '';
  throw new AssentError('FLOW_NOT_FOUND', `${path} ${has}${wanted}.`);
}

/** Each flow and each task once, under however many names it is exported. @throws AssentError FLOW_NOT_FOUND */
export async function findServed(sdk: ServingSdk, paths: readonly string[]): Promise<Served> {
  const flows = new Map<unknown, string>();
  const tasks = new Map<unknown, string>();
  for (const path of paths) {
    const exported = Object.values(await loaded(path));
    for (const value of exported) {
      const [flow, task] = [sdk.flowDefinition(value), sdk.taskDefinition(value)];
      if (flow !== undefined) flows.set(value, flow.settings.name);
      if (task !== undefined) tasks.set(value, task.settings.name);
    }
    if (!exported.some((value) => flows.has(value) || tasks.has(value))) {
      throw new AssentError('FLOW_NOT_FOUND', `${path} exports neither a flow nor a task.`);
    }
  }
  const callables = [...flows.keys(), ...tasks.keys()] as Served['callables'];
  return { callables, flows: [...flows.values()], tasks: [...tasks.values()] };
}

/** What goes wrong in the user's own file is shown with where it came from. */
async function loaded(path: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw new Error(`${path} cannot be loaded: ${inspect(error)}`, { cause: error });
  }
}

/** The default export, or the only flow, under however many names it is exported. */
function theOne(flows: ReadonlyMap<string, CallableFlow>): CallableFlow | undefined {
  const different = new Set(flows.values());
  return flows.get('default') ?? (different.size === 1 ? [...different][0] : undefined);
}

/** By the name of the export, or by the flow's own. */
const named = (flows: ReadonlyMap<string, CallableFlow>, name: string): CallableFlow | undefined =>
  flows.get(name) ?? [...flows.values()].find(({ settings }) => settings.name === name);
