/** P1 of the view: what it holds is what the arbiter's own fold holds, of whatever history. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { limitKey, type Workspace } from '../../engine/fold/workspace.ts';
import { kindOf } from '../../engine/arbiter/decide.ts';
import { ruleRows } from '../../engine/projections/answer-rules.ts';
import { Projector } from '../../engine/projections/projector.ts';
import { recordOf } from '../../engine/projections/run-records.ts';
import type { ViewFile } from '../../engine/projections/view-file.ts';
import { CACHE_KEY_LIMIT, type SlotWish } from '../../protocol/proposals.ts';
import { stateAfter, type Ruling } from '../../protocol/rulings.ts';
import { History } from './history.ts';

const folder = mkdtempSync(join(tmpdir(), 'assent-view-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const SEEDS = Number(process.env['SEEDS'] ?? 40);
const FIRST = Number(process.env['SEED'] ?? 1);
const STEPS = 400;
let files = 0;

const newProjector = (history: History, path = join(folder, `${String((files += 1))}.sqlite`)): Projector => {
  const projector = new Projector({ ledger: history.log, path, say: () => undefined, flushMs: 1 });
  projector.start();
  return projector;
};

function expectAgreement(view: ViewFile, { workspace, rulings }: History): void {
  expect(view.head.head).toEqual(workspace.meta.head);
  expect(view.head.rulings).toBe(rulings.length);
  expect(runsOfView(view)).toEqual(runsOfWorkspace(workspace));
  expect(heldOfView(view)).toEqual(heldOfWorkspace(workspace));
  expect(view.all(LIMITS_OF_VIEW)).toEqual(limitsOfWorkspace(workspace));
  expect(slotsOfView(view)).toEqual(slotsOfWorkspace(workspace));
  expect(countsOfView(view)).toEqual(countsOfWorkspace(workspace));
  expect(opinionsOfView(view)).toEqual(opinionsOfTrails(rulings));
  expect(variablesOfView(view)).toEqual(variablesOfWorkspace(workspace));
  expect(artifactsOfView(view)).toEqual(artifactsOfRulings(rulings));
  expect(view.one('SELECT count(*) AS count FROM hooks')?.['count']).toBe(rulings.filter(isHook).length);
  const counted = view.one('SELECT sum(count) AS sum FROM counters')?.['sum'] ?? 0;
  expect(counted).toBe(rulings.length);
  expect(view.one('SELECT count(*) AS count FROM rulings')?.['count']).toBe(rulings.length);
}

/** Runs that never started are the view's own (P2). */
const runsOfView = (view: ViewFile): unknown[] =>
  view
    .all("SELECT * FROM runs WHERE type <> '' ORDER BY id")
    .map(recordOf)
    .map(({ id, kind, name, type, state, message, sinceMs, version, attempt, retriesUsed, resumes, ...rest }) => ({
      id,
      kind,
      name,
      state: { type, name: state, message },
      sinceMs,
      version,
      attempt,
      retriesUsed,
      resumes,
      execution: rest.execution,
      session: rest.session,
      createdMs: rest.createdMs > 0,
      startedMs: rest.startedMs,
      endedMs: rest.endedMs,
      slots: rest.slots,
      runMs: rest.runMs,
      expectedMs: rest.expectedMs,
      resuming: rest.resuming,
      tags: rest.tags,
      deployment: rest.deployment,
      title: rest.title,
      startedBy: rest.startedBy,
    }));

const runsOfWorkspace = (workspace: Workspace): unknown[] =>
  [...workspace.runs.entries()]
    .map(([, run]) => run)
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map(({ id, kind, name, state, sinceMs, version, attempt, retriesUsed, resumes, ...rest }) => ({
      id,
      kind,
      name,
      state: { type: state.type, name: state.name, message: state.message },
      sinceMs,
      version,
      attempt,
      retriesUsed,
      resumes,
      execution: rest.execution,
      session: rest.session,
      createdMs: true,
      startedMs: rest.startedMs,
      endedMs: rest.endedMs,
      slots: rest.slots,
      runMs: rest.runMs,
      expectedMs: rest.expectedMs,
      resuming: rest.resuming === true,
      tags: rest.tags,
      deployment: rest.deployment,
      title: rest.title,
      startedBy: rest.startedBy,
    }));

/** How many runs there are of each kind in each type of state. */
function countsOfWorkspace(workspace: Workspace): unknown[] {
  const counts = new Map<string, number>();
  for (const [, run] of workspace.runs.entries()) {
    const key = `${kindOf(run)} ${run.state.type}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
}

const countsOfView = (view: ViewFile): unknown[] =>
  view
    .all('SELECT kind, type, count FROM run_counts WHERE count <> 0')
    .map(({ kind, type, count }): [string, unknown] => [`${String(kind)} ${String(type)}`, count])
    .sort(([a], [b]) => (a < b ? -1 : 1));

/** What the trails say of each rule. */
function opinionsOfTrails(rulings: readonly Ruling[]): unknown {
  const asked: Record<string, number> = {};
  for (const entry of rulings.flatMap(({ trail }) => trail)) {
    const key = typeof entry === 'string' ? `${entry} pass` : `${entry.rule} ${entry.opinion}`;
    asked[key] = (asked[key] ?? 0) + 1;
  }
  return asked;
}

function opinionsOfView(view: ViewFile): unknown {
  const asked: Record<string, number> = {};
  const add = (rule: string, opinion: string, count: number): void => {
    if (count > 0) asked[`${rule} ${opinion}`] = (asked[`${rule} ${opinion}`] ?? 0) + count;
  };
  for (const { rule, passed, rewrote, rejected, held, errors } of ruleRows(view)) {
    add(rule, 'pass', passed);
    add(rule, 'rewrite', rewrote);
    add(rule, 'reject', rejected);
    add(rule, 'hold', held);
    add(rule, 'error', errors);
  }
  return asked;
}

const heldOfView = (view: ViewFile): unknown[] =>
  view
    .all('SELECT held.*, runs.id AS run_id FROM held JOIN runs ON runs.num = held.run ORDER BY held.id')
    .map((row) => ({
      id: row['id'],
      run: row['run_id'],
      at: { seq: row['seq'], index: row['idx'] },
      waits: JSON.parse(String(row['waits'])) as unknown,
      priority: row['priority'],
    }));

const heldOfWorkspace = (workspace: Workspace): unknown[] =>
  [...workspace.held.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([id, { proposal, at, waits, priority }]) => ({ id, run: proposal.run, at, waits, priority }));

const LIMITS_OF_VIEW = 'SELECT name, slots_max, used, on_full, every_ms, empty_at_ms FROM limits ORDER BY name';

const limitsOfWorkspace = (workspace: Workspace): unknown[] =>
  [...workspace.limits.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { slotsMax, used, onFull, everyMs, emptyAtMs }]) => ({
      name,
      slots_max: slotsMax ?? null,
      used,
      on_full: onFull ?? null,
      every_ms: everyMs ?? null,
      empty_at_ms: emptyAtMs ?? null,
    }));

const slotsOfView = (view: ViewFile): unknown[] =>
  view.all(
    'SELECT slots.name AS name, runs.id AS run, slots.slots AS slots FROM slots JOIN runs ON runs.num = slots.run ORDER BY 2, 1',
  );

const slotsOfWorkspace = (workspace: Workspace): unknown[] =>
  [...workspace.runs.entries()]
    .flatMap(([run, { slots }]) => slots.map((wish) => ({ name: limitKey(wish), run, slots: wish.slots })))
    .sort((a, b) => (a.run === b.run ? (a.name < b.name ? -1 : 1) : a.run < b.run ? -1 : 1));

const isOnce = ({ limit }: SlotWish): boolean => limit === CACHE_KEY_LIMIT;

const variablesOfView = (view: ViewFile): unknown[] =>
  view.all('SELECT name, value, tags, set_by, at_ms FROM variables ORDER BY name');

const variablesOfWorkspace = (workspace: Workspace): unknown[] =>
  [...workspace.variables.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { value, tags, by, atMs }]) => ({
      name,
      value: JSON.stringify(value),
      tags: tags === undefined ? null : JSON.stringify(tags),
      set_by: by,
      at_ms: atMs,
    }));

/** The newest of each run and key, with how many there were. */
const artifactsOfView = (view: ViewFile): unknown[] =>
  view
    .all(
      `SELECT run || '/' || key AS name, count(*) AS count, max(seq * 1000 + idx) AS newest,
        max(CASE newest WHEN 1 THEN seq * 1000 + idx END) AS counted, sum(newest) AS one
        FROM artifacts GROUP BY run, key ORDER BY 1`,
    )
    .map(({ name, count, newest, counted, one }) => ({ name, count, isNewest: newest === counted, one }));

const isHook = ({ proposal, outcome }: Ruling): boolean =>
  outcome === 'accepted' && proposal.kind === 'workspace' && proposal.event.type === 'HOOK_RAN';

function artifactsOfRulings(rulings: readonly Ruling[]): unknown[] {
  const counts = new Map<string, number>();
  for (const { proposal, outcome } of rulings) {
    const event = proposal.kind === 'workspace' ? proposal.event : proposal.carries;
    if (event?.type !== 'ARTIFACT_MADE' || outcome !== 'accepted') continue;
    const name = `${event.run}/${event.key}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const names = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  return names.map(([name, count]) => ({ name, count, isNewest: true, one: 1 }));
}

const THINGS = [
  'awaited',
  'background',
  'cached',
  'carried',
  'evicted',
  'forced',
  'keyed',
  'once',
  'paused',
  'rate',
  'received',
  'suspended',
  'woken',
];

/** What the fold has to get right beyond the ordinary. */
function thingsIn({ workspace, rulings }: History): string[] {
  const limits = [...workspace.limits.entries()];
  const states = rulings.flatMap((ruling) => stateAfter(ruling) ?? []);
  const has: Record<string, boolean> = {
    background: [...workspace.runs.entries()].some(([, run]) => kindOf(run) === 'background'),
    cached: workspace.cache.size > 0,
    carried: rulings.some(({ proposal, outcome }) => outcome === 'accepted' && 'carries' in proposal),
    evicted: rulings.some(({ waits }) => waits?.type === 'SLOTS' && waits.evict !== undefined),
    received: rulings.some(({ claims = [] }) => claims.some(({ type }) => type === 'MESSAGE')),
    awaited: rulings.some(({ waits }) => waits?.type === 'MESSAGE'),
    woken: rulings.some(({ proposal: { id }, outcome }) => id.endsWith('/wake') && outcome === 'accepted'),
    forced: rulings.some(({ proposal }) => proposal.kind !== 'workspace' && proposal.force === true),
    keyed: limits.some(([key]) => key.includes('[')),
    once: rulings.some(({ waits }) => waits?.type === 'SLOTS' && waits.limits.some(isOnce)),
    paused: states.some(({ type }) => type === 'PAUSED'),
    rate: limits.some(([, { everyMs }]) => everyMs !== undefined),
    suspended: states.some((state) => state.type === 'PAUSED' && state.suspended === true),
  };
  return Object.keys(has).filter((thing) => has[thing] === true);
}

describe('the view and the fold agree', () => {
  const seen = { outcomes: new Set<string>(), codes: new Set<string>(), things: new Set<string>() };

  test.each(Array.from({ length: SEEDS }, (_, index) => FIRST + index))(
    'on the history of seed %i, caught up with, followed, and taken up again',
    async (seed) => {
      const history = new History(seed).grow(STEPS / 2);
      const path = join(folder, `seed-${String(seed)}.sqlite`);
      let projector = newProjector(history, path);
      expect(await projector.reached(history.seq, 5000)).toBe(true);
      expectAgreement(projector.serving, history);
      if (seed % 3 === 0) history.addVoid();
      if (seed % 4 === 0) {
        await projector.stop();
        projector = newProjector(history, path);
      }
      history.epoch();
      history.grow(STEPS / 2);
      expect(await projector.reached(history.seq, 5000)).toBe(true);
      expectAgreement(projector.serving, history);
      await projector.stop();
      for (const { outcome, trail } of history.rulings) {
        seen.outcomes.add(outcome);
        const last = trail.at(-1);
        if (typeof last === 'object' && last.code !== undefined) seen.codes.add(last.code);
      }
      for (const thing of thingsIn(history)) seen.things.add(thing);
    },
  );

  test('and the histories between them met what there is to meet', () => {
    expect([...seen.outcomes].sort()).toEqual(['accepted', 'held', 'rejected', 'rewritten']);
    const met = ['DUPLICATE', 'FENCED', 'FLOW_NOT_RUNNING', 'NOT_IN_LIFECYCLE', 'STALE'];
    for (const code of met) expect(seen.codes).toContain(code);
    expect([...seen.things].sort()).toEqual(THINGS);
  });
});
