/** What a flow run does again that is opened again from one of its calls on, and what it keeps. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { StateStore } from '../../engine/arbiter/state-store.ts';
import { stateDigest, Workspace } from '../../engine/fold/workspace.ts';
import type { RunId } from '../../protocol/ids.ts';
import { mailboxOf, type RunDefinition, type TransitionProposal } from '../../protocol/proposals.ts';
import type { Ruling } from '../../protocol/rulings.ts';
import type { State } from '../../protocol/states.ts';
import { Desk, foldAnew, runId } from '../support/worlds.ts';

const folder = mkdtempSync(join(tmpdir(), 'assent-calls-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const FLOW = runId('flow');
const RUNNING = { type: 'RUNNING', name: 'Running' } as const;
const result = { digest: 'a'.repeat(64), size: 1, inline: '1' } as never;
const COMPLETED: State = { type: 'COMPLETED', name: 'Completed', result };
const FAILED: State = { type: 'FAILED', name: 'Failed' };
const idOf = (path: string): RunId => `${FLOW}.${path}` as RunId;

let desk: Desk;

type More = Partial<TransitionProposal>;
const claim = (session: string, more: More = {}, definition: Partial<RunDefinition> = {}): Ruling | undefined =>
  desk.ask(session, {
    kind: 'flow',
    run: FLOW,
    to: RUNNING,
    claim: true,
    ...(desk.run(FLOW) === undefined ? { create: { kind: 'flow', name: 'f', ...definition } } : {}),
    ...more,
  } as never);

const call = (session: string, path: string, kind: 'task' | 'flow' = 'task', more: More = {}): Ruling | undefined => {
  const run = idOf(path);
  const key = path.split('.').at(-1) ?? '';
  const parent = run.slice(0, run.lastIndexOf('.')) as RunId;
  const execution = desk.run(FLOW)?.execution ?? 0;
  const create: RunDefinition = { kind, name: key, parent, call: { key, ordinal: 0 } };
  return desk.ask(session, { kind, run, to: RUNNING, execution, create, ...more });
};
const end = (session: string, path: string, to: State = COMPLETED, kind: 'task' | 'flow' = 'task'): void => {
  const execution = desk.run(FLOW)?.execution ?? 0;
  desk.ask(session, { kind, run: path === '' ? FLOW : idOf(path), to, report: true, execution } as never);
};
const redone = (): string[] =>
  desk
    .runs()
    .filter(({ ran }) => ran?.redo === true)
    .map(({ id }) => id.slice(FLOW.length + 1))
    .sort();

/** Calls a, then b and a subflow s (with x, then y) at once, then c; c fails, and so does the flow run. */
function live(): void {
  claim('p1');
  call('p1', 'a');
  end('p1', 'a');
  call('p1', 's', 'flow');
  call('p1', 'b');
  call('p1', 's.x');
  end('p1', 's.x');
  end('p1', 'b');
  call('p1', 's.y');
  end('p1', 's.y');
  end('p1', 's', COMPLETED, 'flow');
  call('p1', 'c');
  end('p1', 'c', FAILED);
  end('p1', '', FAILED, 'flow');
}

beforeEach(() => {
  desk = new Desk();
});

describe('a flow run that goes on from one of its calls', () => {
  test.each([
    { from: 'a', again: ['a', 'b', 'c', 's', 's.x', 's.y'] },
    { from: 'b', again: ['b', 'c'] },
    { from: 's', again: ['b', 'c', 's', 's.x', 's.y'] },
    { from: 's.y', again: ['c', 's', 's.y'] },
    { from: 'c', again: ['c'] },
  ])('does it again with what began after it and all that called it, from $from: $again', ({ from, again }) => {
    live();
    expect(claim('p2', { redoFrom: idOf(from) })).toMatchObject({ outcome: 'accepted', execution: 2 });
    expect(redone()).toEqual(again);
    for (const path of ['a', 's', 's.x', 's.y', 'b', 'c']) {
      const kind = path === 's' ? 'flow' : 'task';
      const { outcome } = call('p2', path, kind) ?? {};
      const isAgain = again.includes(path) || path === 'c';
      expect([path, desk.run(idOf(path))?.state.type]).toEqual([path, isAgain ? 'RUNNING' : 'COMPLETED']);
      if (!isAgain) expect(outcome).toBe('rewritten');
    }
    expect(redone()).toEqual([]);
    desk.seal();
    expect(stateDigest(foldAnew(desk.segments))).toBe(desk.digest);
  });

  test('does again what it has not come to when its process dies once more', () => {
    live();
    claim('p2', { redoFrom: idOf('b') });
    call('p2', 'a');
    call('p2', 'b');
    end('p2', 'b');
    desk.hear(desk.engineProposal(desk.run(FLOW)!, { type: 'CRASHED', name: 'Crashed' }));
    claim('p3');
    expect(redone()).toEqual(['c']);
    expect(call('p3', 'b')).toMatchObject({ outcome: 'rewritten', state: COMPLETED });
  });

  test('does so after it completed, if somebody says why, and was cancelled, likewise', () => {
    live();
    claim('p2', {});
    end('p2', '', COMPLETED, 'flow');
    expect(claim('p3', { redoFrom: idOf('c') })).toMatchObject({ outcome: 'rejected' });
    expect(claim('p3', { reason: 'so' })).toMatchObject({ outcome: 'rejected' });
    expect(claim('p3', { redoFrom: idOf('c'), reason: 'so' })).toMatchObject({ outcome: 'accepted' });
    const cancel = { kind: 'flow', run: FLOW, to: { type: 'CANCELLED', name: 'Cancelled' }, execution: 3 } as const;
    desk.ask('p3', { ...cancel, report: true });
    expect(claim('p4')).toMatchObject({ outcome: 'rejected' });
    expect(claim('p4', { reason: 'so' })).toMatchObject({ outcome: 'accepted' });
  });

  test('knows that call, has ended, and is begun again', () => {
    live();
    const codeOf = (ruling: Ruling | undefined): unknown => ruling?.trail.at(-1);
    expect(codeOf(claim('p2', { redoFrom: idOf('nothing') }))).toMatchObject({ code: 'RUN_UNKNOWN' });
    expect(codeOf(claim('p2', { redoFrom: FLOW }))).toMatchObject({ code: 'RUN_UNKNOWN' });
    const put = { redoFrom: idOf('a'), claim: undefined, reason: 'so', to: COMPLETED } as never;
    expect(codeOf(claim('p2', put))).toMatchObject({ code: 'MALFORMED' });
    expect(codeOf(claim('p2', { redoFrom: idOf('a'), basedOn: 1 }))).toMatchObject({ code: 'STALE' });
    claim('p2');
    expect(codeOf(claim('p3', { redoFrom: idOf('a') }))).toMatchObject({ code: 'MALFORMED' });
    expect(redone()).toEqual([]);
  });

  test('by a worker, once it is due', () => {
    claim('p1', {}, { work: { pool: 'p', queue: 'q' } });
    call('p1', 'a');
    end('p1', 'a');
    end('p1', '', FAILED, 'flow');
    const to: State = { type: 'SCHEDULED', name: 'AwaitingRetry', dueAtMs: desk.nowMs as never };
    desk.ask('cli', { kind: 'flow', run: FLOW, to, reason: 'so', redoFrom: idOf('a') });
    expect(redone()).toEqual(['a']);
    desk.pass(1);
    expect(desk.run(FLOW)?.state.type).toBe('PENDING');
    claim('p2');
    expect(call('p2', 'a')).toMatchObject({ state: { type: 'RUNNING', name: 'Retrying' } });
  });
});

test('a run that ended long ago, and has left the memory, comes back with its calls, in the next process too', () => {
  const path = join(folder, 'state.sqlite');
  const store = new StateStore(path);
  const workspace = new Workspace((id) => store.fetchRun(id));
  store.load(workspace);
  desk = new Desk({
    workspace,
    asleep: () => store.asleep(),
    sealed: (journal, seq) => {
      store.record(journal);
      store.flush(seq);
    },
  });
  live();
  desk.seal();
  expect(workspace.runs.isPlaced(FLOW)).toBe(false);
  store.close();

  const next = new StateStore(path);
  const other = new Workspace((id) => next.fetchRun(id));
  next.load(other);
  expect(other.runs.isPlaced(FLOW)).toBe(false);
  desk = new Desk({ workspace: other, asleep: () => next.asleep() });
  expect(claim('p2', { redoFrom: idOf('s.y') })).toMatchObject({ outcome: 'accepted', execution: 2 });
  expect(redone()).toEqual(['c', 's', 's.y']);
  next.close();
});

describe('a key of the caller’s own', () => {
  const [one, two] = ['1'.repeat(64), '2'.repeat(64)] as never[];
  const keyed = (session: string, inputs: never): Ruling | undefined =>
    call(session, 'k', 'task', {
      create: { kind: 'task', name: 'charge', parent: FLOW, call: { key: 'k', inputs, ordinal: 0 } },
    });

  test('stands for the inputs that it was made with, in every execution', () => {
    claim('p1');
    keyed('p1', one as never);
    end('p1', 'k');
    expect(keyed('p1', two as never)?.trail.at(-1)).toMatchObject({ code: 'DIVERGED' });
    expect(desk.run(idOf('k'))?.state).toEqual(COMPLETED);
    end('p1', '', FAILED, 'flow');
    claim('p2');
    expect(keyed('p2', two as never)).toMatchObject({
      outcome: 'rejected',
      facts: { call: { key: 'k', inputs: two, recorded: { inputs: one } } },
    });
    expect(keyed('p2', one as never)).toMatchObject({ outcome: 'rewritten' });
  });

  test('stands for others when it is done again', () => {
    claim('p1');
    keyed('p1', one as never);
    end('p1', 'k');
    end('p1', '', FAILED, 'flow');
    claim('p2', { redoFrom: idOf('k') });
    expect(keyed('p2', two as never)).toMatchObject({ state: { type: 'RUNNING', name: 'Retrying' } });
    end('p2', 'k');
    end('p2', '', FAILED, 'flow');
    claim('p3');
    expect(keyed('p3', two as never)).toMatchObject({ outcome: 'rewritten' });
  });
});

test('what undoes something begins while its flow run is cancelled, fails by itself, and ends with the grace', () => {
  claim('p1');
  call('p1', 'a');
  end('p1', 'a');
  desk.ask('cli', { kind: 'flow', run: FLOW, to: { type: 'CANCELLING', name: 'Cancelling' } });
  const undo = (path: string): Ruling | undefined =>
    call('p1', path, 'task', { create: { kind: 'task', name: path, parent: FLOW, cleanup: true } });
  expect(call('p1', 'b')).toMatchObject({ outcome: 'rejected' });
  expect(undo('one')).toMatchObject({ outcome: 'accepted' });
  end('p1', 'one', FAILED);
  expect(desk.run(idOf('one'))?.state.type).toBe('FAILED');
  expect(undo('two')).toMatchObject({ outcome: 'accepted' });
  desk.pass(desk.graceMs - 1);
  expect(desk.run(idOf('two'))?.state.type).toBe('RUNNING');
  desk.pass(1);
  expect(desk.run(FLOW)?.state.type).toBe('CANCELLED');
  expect(desk.run(idOf('two'))?.state.type).toBe('CANCELLED');
});

test('a strict flow run that waits again and again remembers none of the calls that have begun', () => {
  claim('p1', {}, { strict: true });
  const mailbox = mailboxOf(FLOW, 'go');
  for (const path of ['a', 'b', 'c']) {
    const create: RunDefinition = { kind: 'task', name: path, parent: FLOW, receives: { type: 'MESSAGE', mailbox } };
    expect(call('p1', path, 'task', { create })).toMatchObject({ outcome: 'held' });
    expect(desk.run(FLOW)?.unbegun?.calls).toEqual([idOf(path)]);
    desk.ask('cli', { kind: 'workspace', event: { type: 'MESSAGE_SENT', to: FLOW, name: 'go' } });
    expect(desk.run(idOf(path))?.state.name).toBe('Received');
  }
  expect(desk.run(FLOW)?.unbegun).toBeUndefined();
  desk.seal();
  expect(stateDigest(foldAnew(desk.segments))).toBe(desk.digest);
});

test('an ended run that somebody only looks at leaves the memory again', () => {
  const store = new StateStore(join(folder, 'looked-at.sqlite'));
  const workspace = new Workspace((id) => store.fetchRun(id));
  store.load(workspace);
  desk = new Desk({
    workspace,
    asleep: () => store.asleep(),
    sealed: (journal, seq) => {
      store.record(journal);
      store.flush(seq);
    },
  });
  claim('p1');
  end('p1', '', COMPLETED, 'flow');
  desk.seal();
  expect(workspace.runs.isPlaced(FLOW)).toBe(false);
  const refused = desk.ask('cli', { kind: 'workspace', event: { type: 'MESSAGE_SENT', to: FLOW, name: 'go' } });
  expect(refused?.trail.at(-1)).toMatchObject({ code: 'ALREADY_ENDED' });
  expect(workspace.runs.isPlaced(FLOW)).toBe(true);
  desk.seal();
  expect(workspace.runs.isPlaced(FLOW)).toBe(false);
  store.close();
});

test('a strict flow run may make a new call while one that it made later is owed, or has been made and not yet proposed', () => {
  const made = (session: string, key: string, nth: number, behind?: number): unknown => {
    const named = { key, ordinal: 0, nth, ...(behind === undefined ? {} : { behind }) };
    const create: RunDefinition = { kind: 'task', name: key, parent: FLOW, call: named };
    return call(session, key, 'task', { create })?.trail.at(-1);
  };
  const crash = (): unknown => desk.hear(desk.engineProposal(desk.run(FLOW)!, { type: 'CRASHED', name: 'Crashed' }));
  // As its second call it made one that waited for room when its process died; the third had none to wait for.
  claim('p1', {}, { strict: true });
  made('p1', 'first', 1);
  made('p1', 'third', 3, 1);
  crash();
  claim('p2');
  made('p2', 'first', 1);
  expect(made('p2', 'second', 2)).not.toMatchObject({ code: 'DIVERGED' });
  expect(made('p2', 'fourth', 4, 1)).not.toMatchObject({ code: 'DIVERGED' });
  expect(made('p2', 'fifth', 5)).toMatchObject({ code: 'DIVERGED' });
  made('p2', 'third', 3);
  expect(made('p2', 'sixth', 6)).not.toMatchObject({ code: 'DIVERGED' });
  crash();
  claim('p3');
  expect(made('p3', 'other', 1)).toMatchObject({ code: 'DIVERGED' });
});
