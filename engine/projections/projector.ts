/**
 * Follows the ledger and keeps a view of it: catching up, following, beginning anew after every doubt. Owns when things
 * are written; view-fold.ts owns what.
 *
 * J1 What counts is decided by the chain (fold/chain.ts), as everywhere. A head that does not stand any more is
 *    LEDGER_REWOUND: the view is folded anew from the beginning. LEDGER_BROKEN ends the folding, not the answering.
 * J2 It is quiet: it writes every 100 ms or 2,000 rulings, and at once only while a reader waits for a sequence.
 * J3 A view of an earlier version serves until a new one, folded beside it, has caught up and takes its place.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { AssentError } from '../../protocol/errors.ts';
import { chainOver, stillStands, type Chain } from '../fold/chain.ts';
import { evolveSegment } from '../fold/evolve.ts';
import { Workspace } from '../fold/workspace.ts';
import type { Log, StoredMessage } from '../log/port.ts';
import type { ViewFile } from './view-file.ts';
import { ViewFold } from './view-fold.ts';
import { ViewPair } from './view-pair.ts';

export type ProjectorParts = {
  readonly ledger: Log;
  /** The file of the view. */
  readonly path: string;
  readonly say: (line: string) => void;
  /** Folds a whole workspace beside the view, from the ledger's beginning, and hears of it after each segment. */
  readonly folded?: (workspace: Workspace) => void;
  readonly wallMs?: () => number;
  readonly flushMs?: number;
};

const FLUSH_MS = 100;
const FLUSH_RULINGS = 2000;
/** As many segments as could hold that many rulings are folded at once; otherwise they can wait for the next flush. */
const FOLD_SEGMENTS = 8;
/** Above this a follower that was outrun gives up its place and reads in bulk, where it can hold the server back. */
const QUEUE_MAX = 4096;
const RETRY_FIRST_MS = 20;
const RETRY_MOST_MS = 2000;

type Waiter = { readonly seq: number; readonly told: (isReached: boolean) => void };

export class Projector {
  readonly #parts: ProjectorParts;
  readonly #views: ViewPair;
  #fold: ViewFold | undefined;
  #chain: Chain | undefined;
  #workspace: Workspace | undefined;
  #queue: StoredMessage[] = [];
  #waiters: Waiter[] = [];
  #wake: () => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;
  #flushedAtMs = 0;
  #seq = 0;
  #broken: string | undefined;
  #caughtUp = false;
  #disturbed = false;
  #stopped = false;
  #done: Promise<void> | undefined;
  #foldedRulings = 0;
  #busyMs = 0;

  constructor(parts: ProjectorParts) {
    this.#parts = parts;
    this.#views = new ViewPair(parts.path, parts.say);
    this.#seq = this.#views.serving.head.head.seq;
  }

  /** The file to answer from. It may be another one after the next turn of the event loop. */
  get serving(): ViewFile {
    return this.#views.serving;
  }

  /** The serving view is true for this sequence. */
  get seq(): number {
    return this.#views.building === undefined ? this.#seq : this.#views.serving.head.head.seq;
  }

  get broken(): string | undefined {
    return this.#broken;
  }

  get isRebuilding(): boolean {
    return this.#views.building !== undefined || (!this.#caughtUp && this.#broken === undefined);
  }

  get cost(): { readonly foldedRulings: number; readonly busyMs: number } {
    return { foldedRulings: this.#foldedRulings, busyMs: this.#busyMs };
  }

  start(): void {
    this.#done = this.#live();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.disturb();
    await this.#done;
    this.#views.close();
  }

  /** The connection was lost and is back: the ledger may not be the one that was folded. */
  disturb(): void {
    this.#disturbed = true;
    this.#broken = undefined;
    this.#wake();
  }

  /** Resolves when the view is true for `seq`; false when it is not in time, or cannot be. */
  async reached(seq: number, limitMs: number): Promise<boolean> {
    if (this.seq >= seq) return true;
    // A view of an earlier version does not grow, and the new one is not to be waited for by everybody who asks.
    if (this.#broken !== undefined || this.#views.building !== undefined) return false;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        resolve(false);
      }, limitMs);
      const waiter = {
        seq,
        told: (isReached: boolean) => {
          clearTimeout(timer);
          resolve(isReached);
        },
      };
      this.#waiters.push(waiter);
      this.#wake();
    });
  }

  async #live(): Promise<void> {
    for (let waitMs = RETRY_FIRST_MS; !this.#stopped;) {
      this.#disturbed = false;
      try {
        await this.#begin();
        await this.#catchUp();
        waitMs = RETRY_FIRST_MS;
        await this.#follow();
      } catch (error) {
        if (error instanceof AssentError && error.kind === 'LEDGER_BROKEN') {
          this.#endHere(error);
          await this.#pause(undefined);
        } else {
          // At an engine's first start the stream is not made yet; that is no news.
          if (waitMs > RETRY_FIRST_MS * 16) this.#parts.say(`the view cannot follow the ledger: ${String(error)}`);
          await this.#pause(waitMs);
          waitMs = Math.min(2 * waitMs, RETRY_MOST_MS);
        }
      }
    }
  }

  /** J1: what was folded before the break stands, and is answered from. */
  #endHere(error: AssentError): void {
    this.#broken = error.message;
    this.#parts.say(`the view goes no further: ${error.message}`);
    try {
      this.#flush();
    } catch (problem) {
      this.#parts.say(`the view cannot be written: ${String(problem)}`);
    }
    for (const { told } of this.#waiters.splice(0)) told(false);
  }

  /** Waits until the time is over or something happens that is worth looking at. */
  #pause(ms: number | undefined): Promise<void> {
    if (this.#disturbed || this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
      this.#wake = () => {
        if (ms !== undefined || this.#disturbed) {
          clearTimeout(timer);
          resolve();
        }
      };
    });
  }

  /** J1: from the head that the file has, if it still stands. */
  async #begin(): Promise<void> {
    const { ledger, say } = this.#parts;
    this.#queue = [];
    const { target } = this.#views;
    target.reload();
    const { head } = target.head;
    if (!(await stillStands(ledger, head))) {
      say(`LEDGER_REWOUND: the view had a segment ${String(head.seq)} that is not there any more; it is made anew`);
      this.#views.startAnew();
    }
    const { serving } = this.#views;
    if (serving !== this.#views.target && !(await stillStands(ledger, serving.head.head))) this.#views.startAnew();
    this.#broken = undefined;
    this.#fold = new ViewFold(this.#views.target);
    this.#seq = this.#views.target.head.head.seq;
    const withDigests = this.#parts.folded !== undefined;
    this.#workspace = withDigests ? new Workspace() : undefined;
    this.#chain = chainOver(ledger, withDigests ? { seq: 0, hash: '' } : this.#views.target.head.head);
  }

  /** Reads what is stored, in bulk. */
  async #catchUp(): Promise<void> {
    const from = (this.#chain?.last ?? 0) + 1;
    for await (const message of this.#parts.ledger.read(from)) {
      await this.#take(message, false);
      if (this.#isOver()) return;
      if ((this.#fold?.pending ?? 0) < FLUSH_RULINGS) continue;
      this.#flush();
      await turn(); // Questions are answered meanwhile.
    }
    this.#flush();
    this.#caughtUp = true;
    if (this.#views.promote()) this.#fold = new ViewFold(this.#views.target);
    this.#tellWaiters();
  }

  async #follow(): Promise<void> {
    if (this.#isOver()) return;
    const follower = await this.#parts.ledger.follow((this.#chain?.last ?? 0) + 1, (message) => {
      this.#arrived(message);
    });
    try {
      while (!this.#isOver() && this.#queue.length <= QUEUE_MAX) {
        await this.#work();
        for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
          await this.#take(next, true);
        }
        this.#flushIfDue();
      }
    } finally {
      follower.stop();
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    if (this.#stopped) this.#flush();
  }

  #isOver(): boolean {
    return this.#stopped || this.#disturbed;
  }

  #arrived(message: StoredMessage): void {
    this.#queue.push(message);
    if (this.#waiters.length > 0 || this.#queue.length >= FOLD_SEGMENTS) this.#wake();
    else this.#arm();
  }

  /** J2. */
  #arm(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#wake();
    }, this.#parts.flushMs ?? FLUSH_MS);
  }

  /** Resolves when there is something to do. */
  #work(): Promise<void> {
    if (this.#isOver() || this.#queue.length >= FOLD_SEGMENTS) return Promise.resolve();
    if (this.#waiters.length > 0 && this.#queue.length > 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #flushIfDue(): void {
    const isDue =
      performance.now() - this.#flushedAtMs >= (this.#parts.flushMs ?? FLUSH_MS) && this.#timer === undefined;
    if (isDue || this.#waiters.length > 0 || (this.#fold?.pending ?? 0) >= FLUSH_RULINGS) this.#flush();
    else if (this.#fold?.hasPending === true) this.#arm();
  }

  async #take(message: StoredMessage, live: boolean): Promise<void> {
    const { seq } = message;
    if (this.#chain === undefined || this.#fold === undefined || seq <= this.#chain.last) return;
    const beganMs = performance.now();
    const link = await this.#chain.take(message);
    const { segment } = link;
    if (this.#workspace !== undefined && link.type === 'COUNTED') {
      evolveSegment(this.#workspace, segment, seq);
      this.#parts.folded?.(this.#workspace);
    }
    if (seq <= this.#seq) return; // The view has it; only the workspace beside it was behind.
    if (link.type === 'VOID') this.#fold.skip(seq);
    else {
      this.#fold.take(segment, seq, live ? (this.#parts.wallMs ?? Date.now)() : 0);
      this.#foldedRulings += segment.lines.length;
    }
    this.#busyMs += performance.now() - beganMs;
  }

  #flush(): void {
    const beganMs = performance.now();
    if (this.#fold?.hasPending === true) this.#fold.commit();
    this.#flushedAtMs = performance.now();
    this.#busyMs += this.#flushedAtMs - beganMs;
    this.#seq = Math.max(this.#seq, this.#chain?.last ?? 0);
    this.#tellWaiters();
  }

  #tellWaiters(): void {
    const { seq } = this;
    const ready = this.#waiters.filter((waiter) => waiter.seq <= seq);
    if (ready.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => waiter.seq > seq);
    for (const { told } of ready) told(true);
  }
}
