/**
 * Records a golden history: what a scenario leaves on the ledger, and the state that it ends in, in test/golden/, and the
 * policy that it was ruled by, as a source under its digest, in test/golden/policies/. A file that exists is not written
 * again: what an earlier version wrote is never edited.
 *
 *   node scripts/golden-record.ts            all scenarios that this version has not recorded yet
 */
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Run } from '../engine/fold/workspace.ts';
import { coreSource } from '../engine/policy/index.ts';
import { VERSION } from '../engine/version.ts';
import type { RunId } from '../protocol/ids.ts';
import type { RunDefinition } from '../protocol/proposals.ts';
import { sha256 } from '../protocol/segment.ts';
import type { State } from '../protocol/states.ts';
import { endOf, goldenOf, readHistory } from '../test/golden/history.ts';
import { chanceOf, Monkey } from '../test/support/worlds-random.ts';
import { Desk, runId } from '../test/support/worlds.ts';

const RUNNING: State = { type: 'RUNNING', name: 'Running' };
const COMPLETED: State = { type: 'COMPLETED', name: 'Completed' };
const FAILED: State = { type: 'FAILED', name: 'Failed', message: 'Error: no route' };

const SCENARIOS: Readonly<Record<string, () => Desk>> = {
  'a-retry-a-crash-a-resume-and-a-cancel': aDay,
  'a-worker-that-dies-and-a-start-tomorrow': aNight,
  'random-work': () => randomWork(2, 260),
  'more-random-work': () => randomWork(3, 400),
};

/** The source of the rules that are in force now, and the digest that rulings name it by. */
const source = await coreSource();
const policy = sha256(source);

function randomWork(seed: number, steps: number): Desk {
  const chance = chanceOf(seed);
  const number = (): number => Math.floor(chance() * 1000);
  const monkey = new Monkey(new Desk({ chance: chanceOf(7), policy }));
  for (let i = 0; i < steps; i += 1) monkey.do([number(), number(), number(), number(), number()]);
  return monkey.desk;
}

/** What an ordinary day brings: read it beside the file that it makes. */
function aDay(): Desk {
  const desk = new Desk({ chance: () => 0.25, policy });
  const flow = runId('report');
  const run = (id: RunId): Run => {
    const found = desk.run(id);
    assert(found !== undefined, `${id} is not there`);
    return found;
  };
  const call = (name: string, execution: number, more: Partial<RunDefinition> = {}): void => {
    const create: RunDefinition = { kind: 'task', name, parent: flow, ...more };
    desk.ask('first', { kind: 'task', run: `${flow}.${name}` as RunId, to: RUNNING, execution, create });
  };
  const report = (name: string, to: State, execution: number): void => {
    desk.ask('first', { kind: 'task', run: `${flow}.${name}` as RunId, to, report: true, execution });
  };
  const retry = { retriesMax: 1, delaysMs: [500], jitter: 0.5 };
  desk.ask('operator', { kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'db', slotsMax: 1 } });
  desk.ask('first', {
    kind: 'flow',
    run: flow,
    to: RUNNING,
    claim: true,
    create: { kind: 'flow', name: 'report', retry },
  });
  // Two want the one slot; the second waits. The first fails once, and waits for its retry.
  call('fetch', 1, { limits: [{ limit: 'db', slots: 1 }], retry });
  call('count', 1, { limits: [{ limit: 'db', slots: 1 }], priority: 2 });
  desk.seal();
  report('fetch', FAILED, 1);
  call('fetch', 1);
  desk.pass(600);
  report('count', COMPLETED, 1);
  // The process dies. Another one goes on: what completed is reused, and the dead one is fenced.
  desk.hear(desk.engineProposal(run(flow), { type: 'CRASHED', name: 'Crashed', message: 'it is silent' }));
  desk.seal();
  desk.ask('second', { kind: 'flow', run: flow, to: RUNNING, claim: true, basedOn: run(flow).version });
  const { execution } = run(flow);
  call('count', execution);
  report('fetch', COMPLETED, 1);
  call('fetch', execution);
  // It is cancelled; it does not end by itself, so its grace ends it.
  desk.ask('operator', {
    kind: 'flow',
    run: flow,
    to: { type: 'CANCELLING', name: 'Cancelling' },
    reason: 'not needed',
  });
  call('late', execution);
  desk.takeOver();
  desk.pass(desk.graceMs + 1);
  return desk;
}

/** A worker's run that is dispatched again and again, and crashes; and one that is not due yet. */
function aNight(): Desk {
  const desk = new Desk({ chance: () => 0.25, policy });
  const run = runId('nightly');
  const create: RunDefinition = {
    kind: 'flow',
    name: 'nightly',
    work: { pool: 'default', queue: 'default' },
    timeoutMs: 900,
  };
  const dueAtMs = (desk.nowMs + 250) as never;
  desk.ask('operator', {
    kind: 'flow',
    run,
    to: { type: 'SCHEDULED', name: 'Scheduled', dueAtMs },
    create,
  });
  desk.pass(300);
  desk.pass(61_000);
  desk.ask('second', { kind: 'flow', run, to: RUNNING, claim: true });
  const nightly = desk.run(run);
  assert(nightly !== undefined);
  desk.hear(desk.engineProposal(nightly, { type: 'CRASHED', name: 'Crashed' }));
  const tomorrow: State = { type: 'SCHEDULED', name: 'Scheduled', dueAtMs: (desk.nowMs + 86_400_000) as never };
  desk.ask('second', {
    kind: 'flow',
    run: runId('tomorrow'),
    to: tomorrow,
    create: { kind: 'flow', name: 'tomorrow' },
  });
  desk.ask('second', { kind: 'flow', run: runId('tomorrow'), to: RUNNING, claim: true });
  return desk;
}

const folder = join(import.meta.dirname, '..', 'test', 'golden');
const version = VERSION.split('.').slice(0, 2).join('.');
for (const [name, scenario] of Object.entries(SCENARIOS)) {
  const path = join(folder, `${name}.v${version}.jsonl`);
  if (existsSync(path)) {
    console.log(`kept     ${path}`);
    continue;
  }
  const desk = scenario();
  desk.seal();
  const segments = desk.segments.map(({ bytes }) => bytes);
  const { workspace } = await readHistory(segments);
  const lines = [...segments.map(goldenOf), endOf(workspace)].map((line) => JSON.stringify(line));
  writeFileSync(path, `${lines.join('\n')}\n`);
  const policyPath = join(folder, 'policies', `${policy.slice(0, 16)}.js`);
  if (!existsSync(policyPath)) writeFileSync(policyPath, source);
  console.log(`recorded ${path}: ${String(segments.length)} segments`);
}
