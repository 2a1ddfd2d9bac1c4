/**
 * One world: one run of a generated program, executed by as many processes as it takes, each but the last of which is
 * cut off at some ruling. All processes of all worlds live in this one; what separates them is their links.
 */
import { AssentError } from '../../protocol/errors.ts';
import { Client } from '../../sdk/client/client.ts';
import { useClient } from '../../sdk/client/connect.ts';
import type { Link } from '../../sdk/client/link.ts';
import { bound, limitName, parametersOf } from './bound.ts';
import { leftovers } from './checks.ts';
import { CuttableLink, pidOfNobody, type Cut } from './cuttable-link.ts';
import { outcomeText, type Outcome } from './explanation.ts';
import { isOver, judged, outcomeOf } from './judgment.ts';
import { linesText, type Ledger, type Line } from './ledger.ts';
import { Outside } from './outside.ts';
import type { Program } from './program.ts';
import { chanceOf } from './values.ts';

/** What all worlds share. */
export type Universe = {
  readonly link: Link;
  /** A process of nobody's, to read with and to set limits with. */
  readonly reader: Client;
  readonly ledger: Ledger;
  /** For the effects. */
  readonly folder: string;
};

/** What becomes of a process: when it is cut off, and when it wakes, counted in rulings that its successor hears. */
export type Life = Cut & {
  /** Absent: when all is over. */
  readonly wakesAt?: number;
};

export type Plan = { readonly name: string; readonly seed: number; readonly lives: readonly Life[] };

export type Report = {
  readonly outcome: Outcome | undefined;
  /** Rulings that the first process heard. */
  readonly heard: number;
  /** Processes that were cut off; those of them that were told to stop when they came back, or how the run ended. */
  readonly cuts: number;
  readonly fenced: number;
  readonly told: number;
  readonly problems: readonly string[];
  readonly lines: readonly Line[];
};

const LIMIT_MS = 20_000;
const LATENCY_MAX_MS = 4;
const FOREVER: Life = { at: Number.POSITIVE_INFINITY, fate: 'DEAD', lastWords: true };

type Process = {
  readonly link: CuttableLink;
  readonly client: Client;
  readonly life: Life;
  /** What the flow's caller in it got. */
  readonly result: Promise<Outcome>;
};

let processes = 0;

export async function runWorld(universe: Universe, program: Program, plan: Plan): Promise<Report> {
  const world = new World(universe, program, plan);
  try {
    return await world.run();
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new Error(`${detail}\n${linesText(universe.ledger.of(plan.name))}`, { cause: error });
  } finally {
    await world.close();
  }
}

class World {
  readonly #universe: Universe;
  readonly #program: Program;
  readonly #plan: Plan;
  readonly #outside: Outside;
  readonly #processes: Process[] = [];
  readonly #problems: string[] = [];
  #fenced = 0;
  #told = 0;

  constructor(universe: Universe, program: Program, plan: Plan) {
    this.#universe = universe;
    this.#program = program;
    this.#plan = plan;
    this.#outside = new Outside(universe.folder, plan.name);
  }

  async run(): Promise<Report> {
    const { ledger } = this.#universe;
    const { name, lives } = this.#plan;
    for (let number = 0; ; number += 1) {
      const process = await this.#start(lives[number] ?? FOREVER, number);
      this.#wakeLater(number);
      await within('the flow, or its process, ends', Promise.race([process.result, this.#cut(process)]));
      if (!process.link.wasCut) break;
      await within('what a cut process has said is ruled on', process.link.quiet());
      await ledger.until('the ledger is read', LIMIT_MS, () => ledger.lastSeq >= process.link.lastSeq);
      if (isOver(this.#lines)) break;
    }
    await ledger.until('the run ends', LIMIT_MS, () => isOver(this.#lines));
    for (const { link } of this.#processes) link.wake();
    await this.#hearZombies();
    await ledger
      .until('everything of the run ends', LIMIT_MS, () => leftovers(ledger.of(name), name).length === 0)
      .catch(() => undefined);
    const { reader } = this.#universe;
    const lines = this.#lines;
    const effects = this.#outside.effects();
    const { outcome, problems } = await judged({ program: this.#program, world: name, lines, effects, reader });
    return {
      outcome,
      heard: this.#processes[0]?.link.heard ?? 0,
      cuts: this.#processes.filter(({ link }) => link.wasCut).length,
      fenced: this.#fenced,
      told: this.#told,
      problems: [...this.#problems, ...problems],
      lines,
    };
  }

  async close(): Promise<void> {
    for (const { client } of this.#processes) await client.close();
    this.#universe.ledger.forget(this.#plan.name);
  }

  async #start(life: Life, number: number): Promise<Process> {
    const { name, seed } = this.#plan;
    const link = new CuttableLink(this.#universe.link, life, pidOfNobody((processes += 1)));
    const client = await Client.open(link);
    const chance = chanceOf(seed, number);
    const main = bound(this.#program, {
      world: name,
      session: client.session.id,
      number,
      outside: this.#outside,
      isAlive: () => link.isAlive,
      latencyMs: () => Math.floor(chance() * LATENCY_MAX_MS),
    });
    const result = await startAs(link, client, () => main(parametersOf(name)));
    const process = { link, client, life, result: settled(result.promise) };
    this.#processes.push(process);
    return process;
  }

  async #cut({ link }: Process): Promise<void> {
    await link.until(() => link.isCut);
  }

  #wakeLater(number: number): void {
    const sleeper = this.#processes[number - 1];
    const successor = this.#processes[number];
    const wakesAt = sleeper?.life.wakesAt;
    if (sleeper === undefined || successor === undefined || wakesAt === undefined) return;
    const { link } = successor;
    void link
      .until(() => link.heardOfRun >= wakesAt)
      .then(() => {
        sleeper.link.wake();
      });
  }

  /** Every process that is not dead hears that it must stop, or how the run ended. */
  async #hearZombies(): Promise<void> {
    for (const { link, life, result } of this.#processes) {
      if (link.wasCut && life.fate === 'DEAD') continue;
      const outcome = await within(`the flow in a process that was ${life.fate} settles`, result);
      if (link.wasCut && outcome.type === 'FAILED' && isFence(outcome.error)) {
        this.#fenced += 1;
        continue;
      }
      if (link.wasCut) this.#told += 1;
      const real = await outcomeOf(this.#universe.reader, this.#lines);
      const text = real === undefined ? 'nothing' : outcomeText(real);
      if (outcomeText(outcome) !== text) {
        this.#problems.push(`K0 a process got ${outcomeText(outcome)}, the ledger has ${text}`);
      }
    }
  }

  get #lines(): readonly Line[] {
    return this.#universe.ledger.of(this.#plan.name);
  }
}

const isFence = (error: unknown): boolean => error instanceof AssentError && error.kind === 'FENCED';

const settled = (result: Promise<unknown>): Promise<Outcome> =>
  result.then(
    (value) => ({ type: 'COMPLETED', value }),
    (error: unknown) => ({ type: 'FAILED', error }),
  );

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

let starting: Promise<unknown> = Promise.resolve();

/** A process has one client; so that one process can be many, each call is made while the client is its own. */
async function startAs(
  link: CuttableLink,
  client: Client,
  call: () => Promise<unknown>,
): Promise<{ promise: Promise<unknown> }> {
  const before = starting;
  let done: () => void = () => undefined;
  starting = new Promise<void>((resolve) => (done = resolve));
  await before;
  try {
    useClient(client);
    const taken = link.whenTaken();
    const promise = call();
    promise.catch(() => undefined);
    await Promise.race([taken, promise.catch(() => undefined)]);
    return { promise };
  } finally {
    useClient(undefined);
    done();
  }
}

/** The world's limit, before anybody asks for it. */
export async function setWorldLimit({ reader }: Universe, program: Program, world: string): Promise<void> {
  const event = { type: 'LIMIT_SET', limit: limitName(world), slotsMax: program.slots } as const;
  await reader.session.ask({ kind: 'workspace', event });
}
