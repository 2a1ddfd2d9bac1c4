/**
 * `npm run bench`: Assent and, in the same run, the raw ceiling of JetStream.
 *
 *   npm run bench -- [--json] [--runs N] [--only W1,W2,...] [--durability power|process|both] [--small]
 *
 * With --json one line per workload in the format of the peers' harness; the table goes to standard error then.
 */
import { disconnect } from 'assent';
import { execFileSync } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { connectTo } from '../../engine/connect.ts';
import { VERSION } from '../../engine/version.ts';
import { ceiling } from './ceiling.ts';
import { Machine, round3 } from './machine.ts';
import { Processes, type Durability } from './processes.ts';
import { FULL, SMALL, sequential, w1, w3, w4, w6 } from './workloads.ts';

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    small: { type: 'boolean', default: false },
    runs: { type: 'string', default: '1' },
    only: { type: 'string', default: 'CEILING,COLD,W1,W2,W3,W4,W5,W6' },
    durability: { type: 'string', default: 'both' },
  },
});

type Row = Record<string, unknown> & { workload: string };

const sizes = options.small ? SMALL : FULL;
const only = new Set(options.only.split(','));
const machine = new Machine();
const rows: Row[] = [];

function emit(durability: Durability, run: number, row: Row): void {
  const line = { peer: 'assent', version: VERSION, run, durability, variant: '', ...row };
  const stamped = { ...line, load1: round3(loadavg()[0] ?? 0), at: new Date().toISOString() };
  rows.push(stamped);
  if (options.json) process.stdout.write(`${JSON.stringify(stamped)}\n`);
  process.stderr.write(`${summary(stamped)}\n`);
}

/** One row for people. */
function summary(row: Record<string, unknown>): string {
  const keys = [
    'cold_start_s',
    'p50_ms',
    'p99_ms',
    'steps_per_s',
    'tasks_per_s',
    'recovery_s',
    'append_awaited_per_s',
    'append_pipelined_per_s',
  ];
  const figures = keys.filter((key) => row[key] !== undefined).map((key) => `${key} ${String(row[key])}`);
  if (row['first_k_steps_per_s'] !== undefined) {
    figures.push(
      `last/first ${String(round3(Number(row['last_k_steps_per_s']) / Number(row['first_k_steps_per_s'])))}`,
    );
  }
  if (row['executions'] !== undefined)
    figures.push(`twice ${String(row['tasks_executed_twice_or_more'])}, never ${String(row['tasks_never_executed'])}`);
  const res = row['res'] as Record<string, unknown> | undefined;
  if (res !== undefined) {
    figures.push(
      `cpu_ms/task ${String(res['cpu_ms_per_task'])}`,
      `disk_B/task ${String(res['disk_bytes_per_task'])}`,
      `other_cores ${String(res['other_cores'])}`,
    );
  }
  return `${String(row['durability']).padEnd(8)} ${String(row['workload']).padEnd(8)} ${String(row['variant']).padEnd(12)} ${figures.join(', ')}`;
}

async function oneRun(durability: Durability, run: number): Promise<void> {
  const processes = new Processes(durability, machine);
  process.env['ASSENT_DATA'] = processes.dataDir;
  const startMs = performance.now();
  await processes.up();
  const cold = await w1(machine, 1);
  if (only.has('COLD'))
    emit(durability, run, {
      workload: 'COLD',
      n: 1,
      cold_start_s: round3((performance.now() - startMs) / 1000),
      first: cold['p50_ms'],
    });
  if (only.has('CEILING')) {
    const { url, credentials } = await processes.connection();
    const { connection } = await connectTo({ url, ...credentials.engine, inboxPrefix: '_INBOX.engine' }, 'ceiling');
    emit(durability, run, { workload: 'CEILING', n: 1, ...(await ceiling(connection)) });
    await connection.close();
  }
  if (only.has('W1')) emit(durability, run, { workload: 'W1', ...(await w1(machine, sizes.w1)) });
  if (only.has('W2')) emit(durability, run, { workload: 'W2', ...(await sequential(machine, processes, sizes.w2)) });
  if (only.has('W3')) emit(durability, run, { workload: 'W3', ...(await w3(machine, sizes.w3)) });
  if (only.has('W4')) emit(durability, run, { workload: 'W4', ...(await w4(machine, sizes.w4)) });
  if (only.has('W5')) emit(durability, run, { workload: 'W5', ...(await sequential(machine, processes, sizes.w5)) });
  verify(processes.dataDir);
  await disconnect();
  await processes.down();
  processes.remove();
}

async function kills(durability: Durability, run: number): Promise<void> {
  for (const victim of ['worker', 'server'] as const) {
    const executions = join(machineFolder(), `executions-${victim}-${String(run)}-${durability}`);
    const processes = new Processes(durability, machine, executions);
    process.env['ASSENT_DATA'] = processes.dataDir;
    await processes.up();
    emit(durability, run, {
      workload: 'W6',
      ...(await w6(machine, processes, { flows: sizes.w4, victim, executions })),
      variant: `kill-${victim}`,
    });
    verify(processes.dataDir);
    await disconnect();
    await processes.down();
    processes.remove();
  }
}

let folder: string | undefined;
const machineFolder = (): string => (folder ??= new Processes('power', machine).dataDir);

/** The very ledger that was measured must hold together. */
function verify(dataDir: string): void {
  const root = new URL('../..', import.meta.url).pathname;
  const env = { ...process.env, ASSENT_DATA: dataDir };
  const said = execFileSync(process.execPath, [join(root, 'bin/assent.js'), 'audit', 'verify'], {
    env,
    encoding: 'utf8',
  });
  process.stderr.write(`         audit verify: ${said.trim().split('\n').join(' ')}\n`);
}

const cpu = cpus();
process.stderr.write(
  `${String(cpu.length)} x ${cpu[0]?.model ?? '?'}, Node ${process.versions.node}, load ${String(loadavg()[0])}\n`,
);
const wanted = options.durability === 'both' ? (['power', 'process'] as const) : [options.durability as Durability];
for (let run = 1; run <= Number(options.runs); run += 1) {
  for (const durability of wanted) {
    await oneRun(durability, run);
    if (only.has('W6')) await kills(durability, run);
  }
}
machine.close();
