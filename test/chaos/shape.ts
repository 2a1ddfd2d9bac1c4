/**
 * What a shape of flow is: the flow itself, and what must come of it whatever happens to processes, said without the engine.
 */
import { flowRun } from '../../sdk/index.ts';

/** The parameters of every flow here. */
export type Job = {
  /** Unique in its world; a process that starts again finds its unfinished run by it. */
  readonly job: string;
  readonly shape: string;
  /** How many of whatever the shape has. */
  readonly size: number;
  /** Jobs of one group share what can be shared: cache keys, keys of transactions. */
  readonly group: number;
};

/** A script calls the flow; of a worker, it is started for whichever worker is free. */
export type Mode = 'SCRIPT' | 'WORKER';

/** How the run must end. `error`: the kind of the AssentError that its caller gets, or else the name and message of the error. */
export type End =
  | { readonly type: 'COMPLETED'; readonly name?: string; readonly value: unknown }
  | { readonly type: 'FAILED' | 'CANCELLED'; readonly name?: string; readonly error: string };

/** Calls whose function must have begun, by the name of the task: so many, or from so many to so many. */
export type Counts = Readonly<Record<string, number | readonly [least: number, most: number]>>;

type Callable = (...inputs: never[]) => unknown;

export type Shape = {
  readonly flow: (job: Job) => Promise<unknown>;
  readonly end: (job: Job) => End;
  readonly effects: (job: Job) => Counts;
  /** Default: both. */
  readonly modes?: readonly Mode[];
  /** Does something to the run from outside; done again and again until the run is over, and free to fail. */
  readonly push?: (run: string, job: Job) => Promise<void>;
  /** What a worker has to know besides the flow. */
  readonly serves?: readonly Callable[];
};

export const numbers = (size: number): number[] => Array.from({ length: size }, (_, index) => index);
export const sumOf = (list: readonly number[]): number => list.reduce((sum, one) => sum + one, 0);
export const squaresBelow = (size: number): number => sumOf(numbers(size).map((index) => index * index));

const runsHere = new Map<string, string>();

/** Tells whoever calls the flow in this process which run it is. */
export function tellRun({ job }: Job): void {
  runsHere.set(job, flowRun().id);
}

export const runHere = (job: string): string | undefined => runsHere.get(job);
