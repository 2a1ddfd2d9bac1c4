/**
 * One world of real processes: one run of a generated program, executed by as many as it takes, each but the last of which
 * is ended (SIGKILL) or stopped (SIGSTOP) at some ruling; those that were stopped go on (SIGCONT) while another executes
 * their run, or when it is over.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { sessionOf } from '../../protocol/proposals.ts';
import { isTerminal } from '../../protocol/states.ts';
import { useClient } from '../../sdk/client/connect.ts';
import { startRun, type RunHandle } from '../../sdk/index.ts';
import { bound, parametersOf } from './bound.ts';
import { leftovers } from './checks.ts';
import { outcomeText } from './explanation.ts';
import { isOver, judged, outcomeOf, rootsOf } from './judgment.ts';
import { linesText } from './ledger.ts';
import { Outside } from './outside.ts';
import type { Instructions, ProcessSignal } from './process-main.ts';
import type { Program } from './program.ts';
import type { RunningUniverse } from './universe.ts';
import { setWorldLimit } from './world.ts';

export type ProcessPlan = {
  readonly world: string;
  readonly seed: number;
  readonly as: Instructions['as'];
  /** Of all processes but the last one. */
  readonly signals: readonly ProcessSignal[];
  /** A process that was stopped goes on when its successor has heard of so many rulings; or at the end. */
  readonly wakesAt?: number;
};

const LIMIT_MS = 60_000;
const MAIN = fileURLToPath(new URL('./process-main.ts', import.meta.url));

/** What is wrong with it, for people. */
export async function runProcesses(universe: RunningUniverse, program: Program, plan: ProcessPlan): Promise<string[]> {
  const world = new ProcessWorld(universe, program, plan);
  try {
    return await world.run();
  } catch (error) {
    const lines = linesText(universe.ledger.of(plan.world));
    return [error instanceof Error ? error.message : String(error), ...world.said(), lines];
  } finally {
    await world.end();
  }
}

class ProcessWorld {
  readonly #universe: RunningUniverse;
  readonly #program: Program;
  readonly #plan: ProcessPlan;
  readonly #outside: Outside;
  readonly #processes: Process[] = [];
  readonly #problems: string[] = [];
  #handle: RunHandle<unknown> | undefined;

  constructor(universe: RunningUniverse, program: Program, plan: ProcessPlan) {
    this.#universe = universe;
    this.#program = program;
    this.#plan = plan;
    this.#outside = new Outside(universe.folder, plan.world);
  }

  said(): string[] {
    return this.#processes.map((process, number) => `process ${String(number)} said ${process.said()}`);
  }

  async run(): Promise<string[]> {
    const { ledger, reader } = this.#universe;
    const { world, signals, as } = this.#plan;
    await setWorldLimit(this.#universe, this.#program, world);
    if (as === 'WORKER') await this.#begin();
    for (let number = 0; !isOver(ledger.of(world)); number += 1) {
      const process = await this.#start(number);
      this.#wakeLater(number);
      await within('a process ends or stops, or the run is over', this.#hasGone(process));
      // As long as it may live, a script that is started again would begin a run of its own.
      if (process.isStopped && as === 'SCRIPT') await ledger.until('it is missed', LIMIT_MS, () => this.#isMissed());
      // What it has said last is ruled on before this.
      await setWorldLimit(this.#universe, this.#program, world);
      if (signals[number] === undefined) break;
    }
    await ledger.until('the run ends', LIMIT_MS, () => isOver(ledger.of(world)));
    for (const process of this.#processes) process.goOn();
    await this.#hearAll();
    await ledger
      .until('everything of the run ends', LIMIT_MS, () => leftovers(ledger.of(world), world).length === 0)
      .catch(() => undefined);
    const lines = ledger.of(world);
    const { problems } = await judged({
      program: this.#program,
      world,
      lines,
      effects: this.#outside.effects(),
      reader,
    });
    problems.push(...this.#problems, ...this.#lateStarts());
    return problems.length === 0 ? [] : [...problems, ...this.said(), linesText(lines)];
  }

  async end(): Promise<void> {
    for (const process of this.#processes) await process.kill();
    this.#universe.ledger.forget(this.#plan.world);
  }

  /** A run for workers; this process waits for it. */
  async #begin(): Promise<void> {
    const { world } = this.#plan;
    const place = { world, session: '', number: -1, outside: this.#outside, isAlive: () => true, latencyMs: () => 0 };
    useClient(this.#universe.reader);
    this.#handle = await startRun(bound(this.#program, place), parametersOf(world), { pool: world });
  }

  async #start(number: number): Promise<Process> {
    const { folder, dataDir } = this.#universe;
    const { world, seed, as, signals } = this.#plan;
    const signal = signals[number];
    const instructions: Instructions = {
      program: this.#program,
      world,
      number,
      seed,
      folder,
      as,
      ...(signal === undefined ? {} : { signal }),
    };
    const file = join(folder, `${world}.${String(number)}.json`);
    await writeFile(file, JSON.stringify(instructions));
    const process = new Process(file, dataDir, this.#outside);
    this.#processes.push(process);
    return process;
  }

  /** A script ends with its run; a worker waits for more. */
  async #hasGone(process: Process): Promise<void> {
    const { ledger } = this.#universe;
    const over = ledger.until('the run is over', LIMIT_MS, () => isOver(ledger.of(this.#plan.world)));
    const gone = process.gone();
    if (this.#plan.as === 'SCRIPT') {
      over.catch(() => undefined);
      await gone;
    } else {
      await Promise.race([gone, over]);
    }
  }

  #isMissed(): boolean {
    return rootsOf(this.#universe.ledger.of(this.#plan.world)).every(({ state }) => isTerminal(state));
  }

  #wakeLater(number: number): void {
    const sleeper = this.#processes[number - 1];
    const successor = this.#processes[number];
    const { wakesAt } = this.#plan;
    if (sleeper === undefined || successor === undefined || wakesAt === undefined) return;
    const { ledger } = this.#universe;
    const isDue = (): boolean => this.#rulingsFor(successor) > wakesAt;
    ledger.until('the successor is at work', LIMIT_MS, isDue).then(
      () => {
        sleeper.goOn();
      },
      () => undefined,
    );
  }

  /** Rulings on what a process asked since it was handed the run; -1 before. */
  #rulingsFor({ session }: Process): number {
    let count = -1;
    for (const { ruling } of this.#universe.ledger.of(this.#plan.world)) {
      if (sessionOf(ruling.proposal.id)?.session !== session) continue;
      if (count >= 0 || ruling.execution !== undefined) count += 1;
    }
    return count;
  }

  async #hearAll(): Promise<void> {
    const { ledger, reader } = this.#universe;
    const { world, as } = this.#plan;
    const real = await outcomeOf(reader, ledger.of(world));
    const text = real === undefined ? 'nothing' : outcomeText(real);
    if (as === 'WORKER') {
      const result = this.#handle?.result() ?? Promise.resolve(undefined);
      const came = await within('whoever started the run hears of its end', result.then(completed, failed));
      if (came !== text) this.#problems.push(`K0 whoever started the run heard ${came}, the ledger has ${text}`);
      return;
    }
    for (const process of this.#processes) {
      if (process.wasKilled) continue;
      const came = await within('a process says how its flow ended', process.outcome());
      if (came !== 'FENCED' && came !== text) this.#problems.push(`K0 a process got ${came}, the ledger has ${text}`);
    }
  }

  /**
   * Who was stopped until its run went on elsewhere begins nothing more, even if it was granted before. One that was
   * stopped just when it had been told goes on with what it was told.
   */
  #lateStarts(): string[] {
    return this.#processes.flatMap(({ session, effectsAtWaking }, number) =>
      effectsAtWaking === undefined || this.#plan.signals[number]?.when === 'BEFORE'
        ? []
        : this.#outside
            .effects()
            .slice(effectsAtWaking)
            .filter((effect) => effect.phase === 'begin' && effect.session === session)
            .map(({ key }) => `K3 a process that was stopped began ${key} when it woke`),
    );
  }
}

const completed = (value: unknown): string => outcomeText({ type: 'COMPLETED', value });
const failed = (error: unknown): string => outcomeText({ type: 'FAILED', error });

class Process {
  readonly #child: ChildProcess;
  readonly #outside: Outside;
  readonly #lines: string[] = [];
  readonly #exited: Promise<void>;
  #look: () => void = () => undefined;
  #errors = '';
  #stopped = false;
  session: string | undefined;
  /** How many effects there were when it went on after it was stopped. */
  effectsAtWaking: number | undefined;

  constructor(file: string, dataDir: string, outside: Outside) {
    this.#outside = outside;
    this.#child = spawn(process.execPath, [MAIN, file], {
      env: { ...process.env, ASSENT_DATA: dataDir },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stderr?.on('data', (bytes: Buffer) => (this.#errors += bytes.toString()));
    if (this.#child.stdout !== null) {
      createInterface({ input: this.#child.stdout }).on('line', (line) => {
        this.#hear(line);
      });
    }
    this.#exited = new Promise((resolve) => {
      this.#child.once('close', () => {
        this.#look();
        resolve();
      });
    });
  }

  get isStopped(): boolean {
    return this.#stopped;
  }

  get wasKilled(): boolean {
    return this.#child.signalCode === 'SIGKILL';
  }

  /** Resolves when it has ended or stopped. */
  gone(): Promise<void> {
    return new Promise((resolve) => {
      this.#look = () => {
        if (this.#stopped || this.#child.exitCode !== null || this.#child.signalCode !== null) resolve();
      };
      this.#look();
    });
  }

  async outcome(): Promise<string> {
    await this.#exited;
    return (
      this.#lines.find((line) => line.startsWith('OUTCOME '))?.slice('OUTCOME '.length) ?? `nothing, but ${this.said()}`
    );
  }

  goOn(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.effectsAtWaking = this.#outside.effects().length;
    this.#child.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  said(): string {
    return [...this.#lines, this.#errors].join(' | ');
  }

  #hear(line: string): void {
    this.#lines.push(line);
    if (line.startsWith('SESSION ')) this.session = line.slice('SESSION '.length);
    if (line === 'STOPPING') this.#stopped = true;
    this.#look();
  }
}

async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`${what}: not within ${String(LIMIT_MS)} ms`));
    }, LIMIT_MS);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}
