/** Progress, told seldom enough: what comes in between is left out, what comes last never is. */
import { AssentError } from '../protocol/errors.ts';
import type { WorkspaceEvent } from '../protocol/proposals.ts';
import type { FlowScope } from './scope.ts';
import { tell } from './workspace-calls.ts';

/** At most four times a second. */
const EVERY_MS = 250;

export class Progress {
  readonly #flow: FlowScope;
  readonly #eventOf: (done: number) => WorkspaceEvent;
  #toldMs = Number.NEGATIVE_INFINITY;
  #untold: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #tell = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flow.lastWords.delete(this.#tell);
    const done = this.#untold;
    this.#untold = undefined;
    if (done === undefined || this.#flow.mute) return;
    this.#toldMs = performance.now();
    tell(this.#flow, this.#eventOf(done));
  };

  constructor(flow: FlowScope, eventOf: (done: number) => WorkspaceEvent) {
    this.#flow = flow;
    this.#eventOf = eventOf;
  }

  update(done: number): void {
    if (!Number.isFinite(done)) throw new AssentError('BAD_OPTION', `update: ${String(done)} is no number.`);
    this.#untold = done;
    if (this.#timer !== undefined) return;
    const waitMs = this.#toldMs + EVERY_MS - performance.now();
    if (waitMs <= 0) {
      this.#tell();
      return;
    }
    this.#timer = setTimeout(this.#tell, waitMs);
    // The run does not end before the last one is told.
    this.#flow.lastWords.add(this.#tell);
  }
}
