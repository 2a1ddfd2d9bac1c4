/**
 * Small worlds that are walked through whole: one run, what may be asked about it by everybody who exists (operator,
 * worker, its process, the engine's own), and time. Each step goes through the real docket, judge and fold; two worlds in
 * which all that matters is alike are one node, so the walk comes to an end.
 */
import { isTerminal, type State, type StateType } from '../../protocol/states.ts';
import type { EpochMs, RunId } from '../../protocol/ids.ts';
import { rootOf, type RunDefinition } from '../../protocol/proposals.ts';
import type { Run } from '../../engine/fold/workspace.ts';
import { Desk, runId, type DraftOfWish } from './worlds.ts';

export type World = {
  readonly name: string;
  readonly id: RunId;
  readonly create: RunDefinition;
  /** What is there before the run is. */
  readonly begin: (desk: Desk) => void;
};

export type Action = {
  readonly name: string;
  /** How it may leave an end. */
  readonly by: 'force' | 'reason' | 'claim' | 'call' | 'plain' | 'time' | 'above';
  readonly act: (desk: Desk, world: World) => void;
};

/** `isHeld`: something that was asked waits, and may go on by what happens elsewhere. */
export type Node = {
  readonly key: string;
  readonly path: readonly number[];
  readonly type: StateType | 'NONE';
  readonly isHeld: boolean;
};
export type Edge = { readonly from: Node; readonly action: Action; readonly to: Node };
export type Graph = { readonly nodes: ReadonlyMap<string, Node>; readonly edges: readonly Edge[] };

const ROOT = runId('root');
const WORK = { work: { pool: 'p', queue: 'q' } } as const;
const SPENT = { retry: { retriesMax: 1, delaysMs: [50], jitter: 0 }, timeoutMs: 700 } as const;

const startRoot =
  (more: Partial<RunDefinition>) =>
  (desk: Desk): void => {
    const create: RunDefinition = { kind: 'flow', name: 'root', ...more };
    desk.ask('process0', { kind: 'flow', run: ROOT, to: state('RUNNING'), claim: true, create });
  };

/** Another run holds the only slot, and goes on holding it. */
const full =
  (begin: (desk: Desk) => void, limit: object) =>
  (desk: Desk): void => {
    const create: RunDefinition = { kind: 'flow', name: 'other', limits: [{ limit: 'db', slots: 1 }] };
    desk.ask('op', { kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'db', slotsMax: 1, ...limit } });
    desk.ask('other', { kind: 'flow', run: runId('other'), to: state('RUNNING'), claim: true, create });
    begin(desk);
  };

const nothing = (): void => undefined;
const slot = { limits: [{ limit: 'db', slots: 1 }] } as const;
const flow = { kind: 'flow', name: 'f' } as const;
const task = { kind: 'task', name: 't' } as const;
const under = { parent: ROOT } as const;
const CALL = `${ROOT}.call` as RunId;
const OWN = runId('run');

export const WORLDS: readonly World[] = [
  { name: 'a script’s flow run', id: OWN, create: { ...flow, ...SPENT }, begin: nothing },
  { name: 'a worker’s flow run', id: OWN, create: { ...flow, ...SPENT, ...WORK }, begin: nothing },
  {
    name: 'a flow run that waits for a slot',
    id: OWN,
    create: { ...flow, ...slot, ...WORK },
    begin: full(nothing, {}),
  },
  {
    name: 'a flow run that is cancelled when its limit is full',
    id: OWN,
    create: { ...flow, ...slot, ...WORK },
    begin: full(nothing, { onFull: 'cancel-new' }),
  },
  { name: 'a background task', id: OWN, create: { ...task, ...SPENT, ...WORK }, begin: nothing },
  {
    name: 'a background task with a rate',
    id: OWN,
    create: { ...task, ...slot, ...WORK },
    begin: full(nothing, { slotsPerSecond: 3 }),
  },
  { name: 'a task of a script', id: CALL, create: { ...task, ...under, ...SPENT }, begin: startRoot({}) },
  { name: 'a task of a worker', id: CALL, create: { ...task, ...under }, begin: startRoot({ ...WORK, ...SPENT }) },
  {
    name: 'a task that waits for a slot',
    id: CALL,
    create: { ...task, ...under, ...slot },
    begin: full(startRoot({}), {}),
  },
  { name: 'a subflow of a script', id: CALL, create: { ...flow, ...under, ...SPENT }, begin: startRoot({}) },
  { name: 'a subflow of a worker', id: CALL, create: { ...flow, ...under }, begin: startRoot(WORK) },
];

function state(type: StateType, more: object = {}, desk?: Desk): State {
  const name = type.charAt(0) + type.slice(1).toLowerCase();
  const due = type === 'SCHEDULED' ? { dueAtMs: (desk?.nowMs ?? 0) + 100 } : {};
  return { type, name, ...due, ...more } as State;
}

/** The process that executes the run, in the name of the execution that is current. */
const inProcess = (desk: Desk, { id }: World): { readonly session: string; readonly execution: number } => {
  const root = desk.run(rootOf(id));
  return { session: root?.session ?? 'process0', execution: root?.execution ?? 0 };
};

const operator =
  (type: StateType, more: Partial<DraftOfWish> = {}) =>
  (desk: Desk, { id, create }: World): void => {
    desk.ask('op', { kind: create.kind, run: id, to: state(type, {}, desk), ...more } as DraftOfWish);
  };

const process =
  (type: StateType, more: object = {}, flags: object = {}) =>
  (desk: Desk, world: World): void => {
    const { session, execution } = inProcess(desk, world);
    const timed = 'inMs' in more ? { timeoutAtMs: (desk.nowMs + Number(more.inMs)) as EpochMs } : more;
    const known = desk.run(world.id) === undefined ? { create: world.create } : {};
    const draft = {
      kind: world.create.kind,
      run: world.id,
      to: state(type, timed, desk),
      execution,
      ...known,
      ...flags,
    };
    desk.ask(session, draft);
  };

/** A new process each time, which has never been heard of. */
const claim = (desk: Desk, { id, create }: World): void => {
  const execution = desk.run(rootOf(id))?.execution ?? 0;
  const known = desk.run(id) === undefined ? { create } : {};
  desk.ask(`process${String(execution + 1)}`, {
    kind: create.kind,
    run: id,
    to: state('RUNNING'),
    claim: true,
    ...known,
  });
};

const created =
  (type: StateType) =>
  (desk: Desk, { id, create }: World): void => {
    if (desk.run(id) === undefined) desk.ask('op', { kind: create.kind, run: id, to: state(type, {}, desk), create });
  };

const dies = (desk: Desk, { id }: World): void => {
  const root = desk.run(rootOf(id));
  if (root?.session === undefined || isTerminal(root.state)) return;
  desk.hear(desk.engineProposal(root, { type: 'CRASHED', name: 'Crashed', message: 'silent' }));
};

/** Until the next timer rings. */
export const timePasses = (desk: Desk): void => {
  const due = [...desk.workspace.timers.entries()].map(([, { dueAtMs }]) => dueAtMs);
  if (due.length > 0) desk.pass(Math.max(0, Math.min(...due) - desk.nowMs));
};

const report = { report: true } as const;
const force = { force: true, reason: 'it must be' } as const;
const reason = { reason: 'it was wrong' } as const;

const OF_ANY: readonly Action[] = [
  { name: 'time passes', by: 'time', act: timePasses },
  { name: 'its process dies', by: 'plain', act: dies },
  { name: 'its process completes it', by: 'plain', act: process('COMPLETED', {}, report) },
  { name: 'its process says that it failed', by: 'plain', act: process('FAILED', {}, report) },
  {
    name: 'its process says that it failed for good',
    by: 'plain',
    act: process('FAILED', { retriable: false }, report),
  },
  { name: 'its process says that it was cancelled', by: 'plain', act: process('CANCELLED', {}, report) },
  { name: 'somebody cancels it', by: 'plain', act: operator('CANCELLING') },
  { name: 'somebody wants it RUNNING', by: 'plain', act: operator('RUNNING') },
  { name: 'somebody wants it PENDING', by: 'plain', act: operator('PENDING') },
  { name: 'somebody schedules it', by: 'plain', act: operator('SCHEDULED') },
  { name: 'somebody schedules it, and why', by: 'reason', act: operator('SCHEDULED', reason) },
  { name: 'somebody completes it, and why', by: 'reason', act: operator('COMPLETED', reason) },
  { name: 'somebody forces it to run', by: 'force', act: operator('RUNNING', force) },
  { name: 'somebody forces it to be cancelled', by: 'force', act: operator('CANCELLING', force) },
];

const OF_FLOWS: readonly Action[] = [
  { name: 'its process pauses it', by: 'plain', act: process('PAUSED', { key: 'k' }) },
  { name: 'its process pauses it for a time', by: 'plain', act: process('PAUSED', { inMs: 300 }) },
  { name: 'its process suspends it', by: 'plain', act: process('PAUSED', { suspended: true }) },
];

const OF_ROOTS: readonly Action[] = [
  { name: 'it is scheduled', by: 'plain', act: created('SCHEDULED') },
  { name: 'a worker claims it', by: 'claim', act: claim },
];

const OF_CALLS: readonly Action[] = [
  { name: 'its process calls it', by: 'call', act: process('RUNNING') },
  {
    name: 'its flow run is claimed anew',
    by: 'above',
    act: (desk) => {
      claim(desk, { name: '', id: ROOT, create: flow, begin: nothing });
    },
  },
  {
    name: 'its flow run is cancelled',
    by: 'above',
    act: (desk) => void desk.ask('op', { kind: 'flow', run: ROOT, to: state('CANCELLING') }),
  },
  {
    name: 'its flow run is paused',
    by: 'above',
    act: (desk) => {
      process('PAUSED')(desk, { name: '', id: ROOT, create: flow, begin: nothing });
    },
  },
  {
    name: 'its flow run completes',
    by: 'above',
    act: (desk) => {
      process('COMPLETED', {}, report)(desk, { name: '', id: ROOT, create: flow, begin: nothing });
    },
  },
];

const FREED: Action = {
  name: 'the other run gives its slot back',
  by: 'plain',
  act: (desk) =>
    void desk.ask('other', { kind: 'flow', run: runId('other'), to: state('COMPLETED'), report: true, execution: 1 }),
};

export function actionsOf({ create, id }: World): readonly Action[] {
  return [
    ...OF_ANY,
    ...(create.kind === 'flow' ? OF_FLOWS : []),
    ...(id === CALL ? OF_CALLS : OF_ROOTS),
    ...(create.limits === undefined ? [] : [FREED]),
  ];
}

export function lived(world: World, actions: readonly Action[], path: readonly number[]): Desk {
  const desk = new Desk();
  world.begin(desk);
  for (const index of path) actions[index]?.act(desk, world);
  return desk;
}

/** All nodes that steps can lead to, up to this many steps from the beginning, and every edge between them. */
export function walk(world: World, stepsMax: number): Graph {
  const actions = actionsOf(world);
  const nodes = new Map<string, Node>();
  const edges: Edge[] = [];
  const nodeOf = (path: readonly number[], desk: Desk): Node => {
    const key = keyOf(desk, world);
    const type = desk.run(world.id)?.state.type ?? 'NONE';
    return nodes.get(key) ?? { key, path, type, isHeld: desk.workspace.held.size > 0 };
  };
  const first = nodeOf([], lived(world, actions, []));
  nodes.set(first.key, first);
  for (let queue = [first]; queue.length > 0;) {
    const next: Node[] = [];
    for (const from of queue) {
      actions.forEach((action, index) => {
        const path = [...from.path, index];
        const to = nodeOf(path, lived(world, actions, path));
        edges.push({ from, action, to });
        if (nodes.has(to.key) || path.length > stepsMax) return;
        nodes.set(to.key, to);
        next.push(to);
      });
    }
    queue = next;
  }
  return { nodes, edges };
}

/** All that matters to what can follow, and nothing that only counts up. */
function keyOf(desk: Desk, { id }: World): string {
  const root = desk.run(rootOf(id));
  const run = desk.run(id);
  const held = [...desk.workspace.held.entries()].map(([, { proposal, waits }]) => `${proposal.to.type} ${waits.type}`);
  const timers = [...desk.workspace.timers.entries()].map(([key]) => key.replace(/ [^/]*:\d+$/, ''));
  return JSON.stringify([
    run && partOf(run, desk.nowMs),
    run?.ran && [run.ran.execution === root?.execution, run.ran.round === root?.round],
    root === run ? '' : root && partOf(root, desk.nowMs),
    held.sort(),
    timers.sort(),
    desk.run(runId('other'))?.state.type,
  ]);
}

const few = (count: number, most: number): number => Math.min(count, most);

function partOf(run: Run, nowMs: number): unknown {
  const { type, name } = run.state;
  const isDue =
    run.state.type === 'SCHEDULED' || run.state.type === 'PENDING' ? (run.state.dueAtMs ?? 0) <= nowMs : undefined;
  const pause = run.state.type === 'PAUSED' ? [run.state.suspended, run.state.timeoutAtMs === undefined] : [];
  const counts = [
    few(run.attempt, 1),
    few(run.retriesUsed, 1),
    few(run.resumes, 1),
    few(run.execution, 1),
    few(run.pauses?.length ?? 0, 1),
  ];
  return [type, name, isDue, pause, counts, run.session === undefined, run.slots.length, run.resuming];
}
