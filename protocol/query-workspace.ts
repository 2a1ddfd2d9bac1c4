/** What a read model tells of artifacts, of hooks that were called, and of the variables of a workspace. */
import type { RunId } from './ids.ts';
import type { ArtifactKind, HookRan } from './proposals.ts';
import type { Position } from './rulings.ts';
import type { Value } from './values.ts';

export type ArtifactRow = {
  readonly run: RunId;
  /** The name of the flow or task, if its run is known. */
  readonly name?: string;
  readonly key: string;
  readonly kind: ArtifactKind;
  readonly description?: string;
  readonly data: Value;
  readonly by: string;
  readonly atMs: number;
  readonly at: Position;
  /** A later one of the same run and key exists. */
  readonly outdated?: true;
};

export type HookRow = {
  readonly run: RunId;
  readonly name?: string;
  readonly hook: HookRan['hook'];
  /** The hook function's name, where it has one. */
  readonly function?: string;
  /** What it threw. */
  readonly error?: Value;
  readonly atMs: number;
  readonly at: Position;
};

export type VariableRow = {
  readonly variable: string;
  readonly value: Value;
  readonly tags?: readonly string[];
  readonly by: string;
  /** The run whose code set it. */
  readonly run?: RunId;
  readonly atMs: number;
  readonly at: Position;
};
