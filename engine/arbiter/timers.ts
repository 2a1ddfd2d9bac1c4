/**
 * Watches the folded timers: a heap beside the table, which stays the truth. A heap entry whose timer is gone or moved
 * is dropped when it comes up, so that nothing has to be taken out of the heap's middle.
 */
import TinyQueue from 'tinyqueue';
import type { EpochMs, ProposalId } from '../../protocol/ids.ts';
import { ENGINE, type TransitionProposal } from '../../protocol/proposals.ts';
import type { State } from '../../protocol/states.ts';
import type { Run, Timer, Workspace } from '../fold/workspace.ts';
import { LATE } from '../../rules/mark-late-once.ts';
import { neverResumed } from '../../rules/resume-paused-flow.ts';

type Entry = { readonly dueAtMs: EpochMs; readonly key: string };

/** What a suspended run is until a worker goes on with it. */
export const RESUMING = 'Resuming';

export class TimerWatch {
  #heap = new TinyQueue<Entry>([], (a, b) => a.dueAtMs - b.dueAtMs);

  /** Looks at all timers anew: at the start, and after an undo. */
  reset(workspace: Workspace): void {
    this.#heap = new TinyQueue<Entry>([], (a, b) => a.dueAtMs - b.dueAtMs);
    for (const [key, { dueAtMs }] of workspace.timers.entries()) this.#heap.push({ dueAtMs, key });
    workspace.touched.timers.clear();
  }

  /** Takes in the timers that were set since. */
  notice(workspace: Workspace): void {
    if (workspace.touched.timers.size === 0) return;
    for (const key of workspace.touched.timers) {
      const timer = workspace.timers.get(key);
      if (timer !== undefined) this.#heap.push({ dueAtMs: timer.dueAtMs, key });
    }
    workspace.touched.timers.clear();
  }

  /** The next timer that is due at `nowMs`; it is not given again unless it is set again. */
  due(workspace: Workspace, nowMs: EpochMs): Timer | undefined {
    for (;;) {
      const next = this.#heap.peek();
      if (next === undefined || next.dueAtMs > nowMs) return undefined;
      this.#heap.pop();
      const timer = workspace.timers.get(next.key);
      if (timer?.dueAtMs === next.dueAtMs) return timer;
    }
  }

  /** When the next one may be due. */
  nextMs(): EpochMs | undefined {
    return this.#heap.peek()?.dueAtMs;
  }
}

/** What the clock proposes when a run's timer rings. */
export function clockProposal(timer: Timer, epoch: number, workspace: Workspace): TransitionProposal | undefined {
  const run = workspace.runs.get(timer.run);
  const to = run === undefined ? undefined : stateOf(timer, run);
  if (run === undefined || to === undefined) return undefined;
  return {
    id: `clock/${timer.run}/${String(timer.version)}/${timer.timer}` as ProposalId,
    kind: run.kind,
    run: timer.run,
    by: ENGINE,
    onBehalfOf: 'clock',
    epoch,
    // What starts may wait for long, and is still meant when the run was marked late in between.
    ...(timer.timer === 'start' ? {} : { basedOn: timer.version }),
    to,
  };
}

function stateOf({ timer, dueAtMs }: Timer, { state, timeoutMs = 0 }: Run): State | undefined {
  switch (timer) {
    case 'timeout':
      return {
        type: 'FAILED',
        name: 'TimedOut',
        message: `it ran for longer than its time-out of ${String(timeoutMs)} ms`,
      };
    case 'grace':
      return { type: 'CANCELLED', name: 'Cancelled', message: 'it did not end by itself within its grace' };
    case 'pause':
      return neverResumed(state.type === 'PAUSED' && state.suspended === true);
    case 'wake':
      return { type: 'SCHEDULED', name: RESUMING, dueAtMs };
    case 'late': {
      const message = 'it has not been started in time';
      return state.type === 'SCHEDULED' ? { ...state, name: LATE, message } : undefined;
    }
    case 'start':
      return state.type === 'SCHEDULED' ? { type: 'PENDING', name: 'Pending', dueAtMs: state.dueAtMs } : undefined;
    case 'claim':
      return { ...(state.type === 'PENDING' ? state : undefined), type: 'PENDING', name: 'Pending' };
    case 'held':
      return undefined;
  }
}
