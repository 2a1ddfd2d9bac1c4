/**
 * Carries the lines of runs' loggers to the LOGS stream, as JSON Lines, in batches: after 100 ms or 64 kB, and when a
 * run ends. Best effort: lines written while the link is down are kept up to a bound, then the oldest are dropped.
 */
import type { RunId } from '../../protocol/ids.ts';
import type { Link } from './link.ts';

const SHIP_AFTER_MS = 100;
const BATCH_BYTES = 64 * 1024;
const KEPT_BYTES_MAX = 4 * 1024 * 1024;

type Parcel = { lines: string[]; bytes: number };

export class LogShipper {
  readonly #link: Pick<Link, 'up' | 'log'>;
  readonly #parcels = new Map<RunId, Parcel>();
  #timer: NodeJS.Timeout | undefined;

  constructor(link: Pick<Link, 'up' | 'log'>) {
    this.#link = link;
  }

  /** `run`: the flow run at the top. The line ends in a line feed. */
  write(run: RunId, line: string): void {
    const parcel = this.#parcels.get(run) ?? { lines: [], bytes: 0 };
    this.#parcels.set(run, parcel);
    parcel.lines.push(line);
    parcel.bytes += Buffer.byteLength(line);
    while (parcel.bytes > KEPT_BYTES_MAX && parcel.lines.length > 1) {
      parcel.bytes -= Buffer.byteLength(parcel.lines.shift() ?? '');
    }
    if (parcel.bytes >= BATCH_BYTES) this.flush(run);
    else
      this.#timer ??= setTimeout(() => {
        this.flush();
      }, SHIP_AFTER_MS).unref();
  }

  /** Publishes the lines of one run, or of all. */
  flush(run?: RunId): void {
    if (run === undefined) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    if (!this.#link.up) return;
    for (const [id, { lines }] of this.#parcels) {
      if (run !== undefined && id !== run) continue;
      this.#parcels.delete(id);
      for (const batch of batches(lines)) this.#link.log(id, Buffer.from(batch));
    }
  }
}

function* batches(lines: readonly string[]): Generator<string> {
  let batch = '';
  for (const line of lines) {
    if (batch.length > 0 && batch.length + line.length > BATCH_BYTES) {
      yield batch;
      batch = '';
    }
    batch += line;
  }
  if (batch.length > 0) yield batch;
}
