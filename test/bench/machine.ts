/** What a window of the benchmark cost: CPU and memory of groups of processes, the device's writes, other jobs' CPU. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Of /proc/PID/stat: clock ticks a second on every Linux that matters here. */
const TICKS = 100;
const SAMPLE_MS = 250;

type Process = { readonly pid: number; readonly parent: number; readonly cpuS: number; readonly key: string };
type Mark = {
  readonly atMs: number;
  readonly busyS: number;
  readonly writtenBytes: number;
  readonly cpuS: Map<string, number>;
  readonly driverS: number;
};

export const round3 = (value: number): number => Math.round(value * 1000) / 1000;

function processes(): Map<number, Process> {
  const found = new Map<number, Process>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const fields = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .map(Number);
      const pid = Number(name);
      const cpuS = ((fields[11] ?? 0) + (fields[12] ?? 0)) / TICKS;
      found.set(pid, { pid, parent: fields[1] ?? 0, cpuS, key: `${name}:${String(fields[19])}` });
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}

/** A group is the processes under its roots; a process's CPU counts for ever, its memory while it lives. */
export class Machine {
  readonly #roots = new Map<string, Set<number>>();
  readonly #cpu = new Map<string, Map<string, number>>();
  #peakPss = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => {
      this.#sample();
    }, SAMPLE_MS);
    this.#timer.unref();
  }

  add(group: string, pid: number): void {
    const roots = this.#roots.get(group) ?? new Set();
    this.#roots.set(group, roots.add(pid));
  }

  /** Waits, for a while, until other jobs are quiet. */
  async quiet(limitMs = 2000): Promise<void> {
    execFileSync('sync');
    const until = performance.now() + limitMs;
    do {
      const mark = this.mark();
      await sleep(500);
      if (this.since(mark).other_cores < 0.25) return;
    } while (performance.now() < until);
  }

  mark(): Mark {
    this.#peakPss = new Map();
    this.#sample();
    const cpuS = new Map([...this.#cpu].map(([group, seen]) => [group, sum(seen.values())]));
    return { atMs: performance.now(), busyS: busySeconds(), writtenBytes: deviceBytes(), cpuS, driverS: ownSeconds() };
  }

  /** Since a mark; with `tasks`, also a task's share. */
  since(mark: Mark, tasks?: number): Record<string, number | Record<string, number>> & { other_cores: number } {
    this.#sample();
    const seconds = (performance.now() - mark.atMs) / 1000;
    const groups: Record<string, Record<string, number>> = {};
    let total = 0;
    for (const [group, seen] of this.#cpu) {
      const cpu = sum(seen.values()) - (mark.cpuS.get(group) ?? 0);
      total += cpu;
      groups[group] = { cpu_s: round3(cpu), peak_pss_mb: Math.round((this.#peakPss.get(group) ?? 0) / 1e6) };
    }
    const driver = ownSeconds() - mark.driverS;
    const busy = busySeconds() - mark.busyS;
    const result = {
      ...groups,
      driver_cpu_s: round3(driver),
      total_cpu_s: round3(total),
      other_cores: round3(Math.max(0, busy - total - driver) / seconds),
    };
    if (tasks === undefined) return result;
    execFileSync('sync');
    const written = deviceBytes() - mark.writtenBytes;
    return {
      ...result,
      cpu_ms_per_task: round3((total * 1000) / tasks),
      device_write_mb: round3(written / 1e6),
      disk_bytes_per_task: Math.round(written / tasks),
    };
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #sample(): void {
    const all = processes();
    for (const [group, roots] of this.#roots) {
      const seen = this.#cpu.get(group) ?? new Map<string, number>();
      this.#cpu.set(group, seen);
      let pss = 0;
      for (const process of all.values()) {
        if (!descends(process, roots, all)) continue;
        seen.set(process.key, Math.max(seen.get(process.key) ?? 0, process.cpuS));
        pss += pssOf(process.pid);
      }
      this.#peakPss.set(group, Math.max(this.#peakPss.get(group) ?? 0, pss));
    }
  }
}

function descends(process: Process, roots: ReadonlySet<number>, all: ReadonlyMap<number, Process>): boolean {
  for (let at: Process | undefined = process; at !== undefined; at = all.get(at.parent)) {
    if (roots.has(at.pid)) return true;
  }
  return false;
}

function pssOf(pid: number): number {
  try {
    const match = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${String(pid)}/smaps_rollup`, 'utf8'));
    return Number(match?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

const sum = (values: Iterable<number>): number => [...values].reduce((all, value) => all + value, 0);

function ownSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Seconds that all cores were busy, steal left out. */
function busySeconds(): number {
  const [, ...fields] = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '').split(/\s+/).map(Number);
  return [0, 1, 2, 5, 6].reduce((all, field) => all + (fields[field] ?? 0), 0) / TICKS;
}

/** Bytes written to block devices, of the whole machine: others' writes can only add to it. */
function deviceBytes(): number {
  const devices = readdirSync('/sys/block').filter((name) => /^(vd|sd|nvme|xvd)/.test(name));
  return sum(
    devices.map((name) => Number(readFileSync(`/sys/block/${name}/stat`, 'utf8').trim().split(/\s+/)[6]) * 512),
  );
}
