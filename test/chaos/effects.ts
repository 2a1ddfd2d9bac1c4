/**
 * What the functions of tasks do to the outside world: a line in a file, forced to disk before the function goes on, under
 * the idempotency key of the call. What stands there has happened, whoever was killed a moment later.
 */
import { fsyncSync, openSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { taskRun } from '../../sdk/index.ts';

/** A line of the effects file. */
export type Effect = {
  /** The task's name; of a hook, its kind. */
  readonly label: string;
  /** The call's idempotency key; of a hook, the run. */
  readonly key: string;
  readonly at: 'BEGIN' | 'END' | 'HOOK';
  readonly attempt: number;
  readonly pid: number;
  /** On the machine's monotonic clock, which all its processes share. */
  readonly ns: string;
};

/** Names the file. */
export const EFFECTS = 'CHAOS_EFFECTS';
/** Long enough that whoever is killed is killed in the middle of something. */
const WORK_MS = { least: 10, most: 250 } as const;

let file: number | undefined;

function append(effect: Omit<Effect, 'pid' | 'ns'>): void {
  const path = process.env[EFFECTS];
  if (path === undefined) return;
  file ??= openSync(path, 'a');
  const line: Effect = { ...effect, pid: process.pid, ns: String(process.hrtime.bigint()) };
  writeSync(file, `${JSON.stringify(line)}\n`);
  fsyncSync(file);
}

/** Of the task in which it is called. */
export function note(at: 'BEGIN' | 'END'): void {
  const { name, idempotencyKey, attempt } = taskRun();
  append({ label: name, key: idempotencyKey, at, attempt });
}

export function noteHook(label: string, key: string, attempt: number): void {
  append({ label, key, at: 'HOOK', attempt });
}

/** A function's work, seen from outside. How long it takes is left to chance: nothing may depend on it. */
export async function work<T>(value: () => T): Promise<T> {
  note('BEGIN');
  await pause(WORK_MS.least + Math.random() * (WORK_MS.most - WORK_MS.least));
  const made = value();
  note('END');
  return made;
}
