/** The ids of runs in the background that do the work of a call: derived from the call, so that it meets the same one again. */
import { idFrom, type RunId } from './ids.ts';
import { sha256 } from './segment.ts';

/**
 * The run in the background that does the work of a call: the same one whoever asks. Its first half is the call's alone, so
 * that it can be told from one that the call's code has started.
 */
export const runFor = (call: RunId, generation: number, tries = 0): RunId =>
  `${markOf(call)}${shortHash([call, generation, tries])}` as RunId;

export const isRunFor = (call: RunId, run: RunId): boolean => run.startsWith(markOf(call));

const markOf = (call: RunId): string => shortHash([call]);

const shortHash = (of: readonly unknown[]): string =>
  idFrom(Buffer.from(sha256(JSON.stringify(of)), 'hex')).slice(0, 8);
