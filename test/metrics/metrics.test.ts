/** What an engine tells Prometheus, read as Prometheus reads it: over HTTP, from a real engine with a history made by hand. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startEngine, type Engine } from '../../engine/main.ts';
import { assentOn } from '../cli/assent.ts';
import { proposeRaw, type RawSession } from '../support/raw-session.ts';

const RUN = 'mmmmmmmmmmmmmmm1';
const RUNNING = { type: 'RUNNING', name: 'Running' };

let dataDir: string;
let engine: Engine;
let session: RawSession;

const url = (): string => engine.metricsUrl ?? '';
const call = (id: string, more: object): object => ({ kind: 'task', run: `${RUN}.${id}`, execution: 1, ...more });
const create = { create: { kind: 'task', name: 'load', parent: RUN, limits: [{ limit: 'api', slots: 1 }] } };

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'assent-metrics-'));
  engine = await startEngine({
    dataDir,
    durability: 'process',
    metrics: { port: 0 },
    settings: { heartbeatLimitMs: 3_600_000 },
  });
  session = await proposeRaw(dataDir);
  await session.ask({ kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'api', slotsMax: 1 } });
  await session.ask({
    kind: 'flow',
    run: RUN,
    to: RUNNING,
    basedOn: 0,
    claim: true,
    create: { kind: 'flow', name: 'x' },
  });
  await session.ask(call('one', { to: RUNNING, ...create }));
  await session.ask(call('two', { to: RUNNING, ...create }));
  for (let n = 0; n < 40; n += 1) await session.ask({ ...call('one', { to: RUNNING }), execution: 9 });
});

afterAll(async () => {
  await session.close();
  await engine.stop();
  await rm(dataDir, { recursive: true, force: true });
});

type Series = { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: number };

async function read(): Promise<{ text: string; series: Series[]; types: Map<string, string>; helps: Set<string> }> {
  const response = await fetch(url());
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  const text = await response.text();
  const series: Series[] = [];
  const types = new Map<string, string>();
  const helps = new Set<string>();
  for (const line of text.split('\n')) {
    const type = /^# TYPE (\S+) (\S+)$/.exec(line);
    const help = /^# HELP (\S+) .+$/.exec(line);
    const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (type !== null) types.set(type[1] ?? '', type[2] ?? '');
    else if (help !== null) helps.add(help[1] ?? '');
    else if (sample !== null)
      series.push({ name: sample[1] ?? '', labels: labelsOf(sample[2]), value: Number(sample[3]) });
    else expect(line).toBe('');
  }
  return { text, series, types, helps };
}

const labelsOf = (text = ''): Record<string, string> =>
  Object.fromEntries([...text.matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, label = '', value = '']) => [label, value]));

const valueOf = (series: readonly Series[], name: string, labels: Record<string, string> = {}): number | undefined =>
  series.find((one) => one.name === name && Object.entries(labels).every(([key, value]) => one.labels[key] === value))
    ?.value;

/** The view takes in what was ruled within its 100 ms. */
const readWhen = async (is: (series: readonly Series[]) => boolean): Promise<Awaited<ReturnType<typeof read>>> => {
  for (;;) {
    const found = await read();
    if (is(found.series)) return found;
  }
};
const settled = (): ReturnType<typeof readWhen> =>
  readWhen((series) => valueOf(series, 'assent_rulings_total', { outcome: 'rejected' }) === 40);

describe('metrics', () => {
  test('say what the rules did, what waits for what, and where the ledger stands', async () => {
    const { series } = await settled();
    expect(valueOf(series, 'assent_rulings_total', { outcome: 'held' })).toBe(1);
    expect(valueOf(series, 'assent_rejections_total', { code: 'FENCED' })).toBe(40);
    const fenced = { rule: 'fence-stale-executions', kind: 'task' };
    expect(valueOf(series, 'assent_rule_opinions_total', { ...fenced, opinion: 'reject' })).toBe(40);
    expect(valueOf(series, 'assent_rule_opinions_total', { ...fenced, opinion: 'pass' })).toBe(2);
    expect(valueOf(series, 'assent_rule_opinions_total', { rule: 'take-slots', kind: 'task', opinion: 'hold' })).toBe(
      1,
    );
    expect(valueOf(series, 'assent_held_proposals', { waits_for: 'slots' })).toBe(1);
    expect(valueOf(series, 'assent_held_proposals', { waits_for: 'time' })).toBe(0);
    expect(valueOf(series, 'assent_limit_slots_used', { limit: 'api' })).toBe(1);
    expect(valueOf(series, 'assent_limit_slots_max', { limit: 'api' })).toBe(1);
    expect(valueOf(series, 'assent_limit_waiting', { limit: 'api' })).toBe(1);
    expect(valueOf(series, 'assent_runs', { kind: 'flow', state: 'RUNNING' })).toBe(1);
    expect(valueOf(series, 'assent_runs', { kind: 'task', state: 'RUNNING' })).toBe(1);
    expect(valueOf(series, 'assent_active')).toBe(1);
    const head = valueOf(series, 'assent_ledger_head_sequence');
    expect(valueOf(series, 'assent_ledger_settled_sequence')).toBe(head);
    expect(valueOf(series, 'assent_view_sequence')).toBe(head);
    expect(valueOf(series, 'assent_segments_total')).toBe(head);
    expect(valueOf(series, 'assent_unknown_fates_total')).toBe(0);
    expect(valueOf(series, 'assent_judgment_seconds_count')).toBeGreaterThan(0);
    expect(valueOf(series, 'assent_rule_samples_total', { rule: 'fence-stale-executions' })).toBeGreaterThan(0);
    expect(valueOf(series, 'process_resident_memory_bytes')).toBeGreaterThan(0);
  });

  test('keep to the conventions: help, types and units; and no label names a run', async () => {
    const { text, types, helps, series } = await settled();
    expect([...types.keys()].filter((name) => !helps.has(name))).toEqual([]);
    const own = [...types].filter(([name]) => name.startsWith('assent_'));
    expect(own.length).toBeGreaterThan(25);
    expect(own.filter(([name, type]) => (type === 'counter') !== name.endsWith('_total'))).toEqual([]);
    expect(own.filter(([name]) => /_(ms|millis|micros|kb|mb)(_|$)/.test(name))).toEqual([]);
    expect(text).not.toContain(RUN);
    expect(text).not.toContain(session.id);
    const labelled = series.filter(({ name }) => name.startsWith('assent_'));
    expect(labelled.filter(({ labels }) => labels['workspace'] !== 'default')).toEqual([]);
    expect(new Set(series.map(({ name, labels }) => `${name} ${JSON.stringify(labels)}`)).size).toBe(series.length);
  });

  test('of the histogram, each judgment that was timed is counted once, however often it is read', async () => {
    const first = valueOf((await settled()).series, 'assent_judgment_seconds_count');
    expect(valueOf((await read()).series, 'assent_judgment_seconds_count')).toBe(first);
    expect((await engine.counters()).times.samples).toBe(first);
  });

  test('are read by many at once, at one path, and cannot be written to', async () => {
    const texts = await Promise.all(Array.from({ length: 20 }, () => fetch(url()).then((found) => found.status)));
    expect(new Set(texts)).toEqual(new Set([200]));
    expect((await fetch(url().replace('/metrics', '/'))).status).toBe(404);
    expect((await fetch(url(), { method: 'POST' })).status).toBe(405);
    const head = await fetch(url(), { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  test('are asked for on the command line by [HOST:]PORT', async () => {
    const other = await mkdtemp(join(tmpdir(), 'assent-metrics-'));
    const assent = assentOn(other);
    expect((await assent('server', '--metrics', 'here')).code).toBe(2);
    const server = assent.start(['server', '--durability', 'process', '--metrics', '127.0.0.1:0']);
    await server.noted('  metrics     http://127.0.0.1:');
    await server.noted('  process ');
    server.child.kill('SIGTERM');
    const { stderr, code } = await server.ended;
    expect(code).toBe(0);
    expect(stderr).toMatch(/^ {2}metrics {5}http:\/\/127\.0\.0\.1:\d+\/metrics$/m);
    await rm(other, { recursive: true, force: true });
  });

  test('are served to this machine only, and a port that is taken is said so', async () => {
    expect(new URL(url()).hostname).toBe('127.0.0.1');
    const other = await mkdtemp(join(tmpdir(), 'assent-metrics-'));
    const port = Number(new URL(url()).port);
    const failed = startEngine({ dataDir: other, durability: 'process', metrics: { port } });
    await expect(failed).rejects.toMatchObject({ kind: 'PORT_IN_USE' });
    await rm(other, { recursive: true, force: true });
  });
});
