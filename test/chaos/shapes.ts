/** Every shape of flow that there is in the worlds. */
import type { Shape } from './shape.ts';
import { apartShapes } from './shapes-apart.ts';
import { callShapes } from './shapes-calls.ts';
import { keptShapes } from './shapes-kept.ts';
import { waitShapes } from './shapes-waits.ts';

const all: Readonly<Record<string, Shape>> = { ...callShapes, ...keptShapes, ...waitShapes, ...apartShapes };

export const SHAPES: readonly string[] = Object.keys(all);

export function shapeOf(name: string): Shape {
  const shape = all[name];
  if (shape === undefined) throw new Error(`no shape ${name}`);
  return shape;
}

/** All that a worker serves. */
export const served = (): readonly ((...inputs: never[]) => unknown)[] =>
  Object.values(all).flatMap(({ flow, serves = [] }) => [flow, ...serves]);
