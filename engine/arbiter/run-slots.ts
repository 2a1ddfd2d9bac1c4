/** What a run holds of a limit. */
import { limitKey, type Run } from '../fold/workspace.ts';

export const slotsOf = (run: Run, key: string): number => run.slots.find((slot) => limitKey(slot) === key)?.slots ?? 0;
