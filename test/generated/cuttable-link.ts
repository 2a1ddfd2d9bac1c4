/**
 * A process's link that can be cut at any ruling, as the process's death or its sleep would cut it: so that many
 * processes can die in one. What was heard and said is counted by its rulings.
 *
 * C1 Exactly the first `cutAt` rulings reach the process before the cut: answers, receipts and orders, one by one.
 * C2 After the cut nothing reaches it, and of what it says only its last words get out: what the rulings up to the cut
 *    make it propose at once. Without last words not even these.
 * C3 A process that was stopped (SIGSTOP) finds at its waking all that was sent to it meanwhile, and what it said
 *    meanwhile leaves then. One that was parted (a broken connection) finds that all was lost both ways, and knows it.
 */
import { hostname } from 'node:os';
import type { Digest, SessionId } from '../../protocol/ids.ts';
import type { Answer, AnswerMessage, Ask, Batch, Heartbeat, Order } from '../../protocol/messages.ts';
import type { Position } from '../../protocol/rulings.ts';
import type { Link, LinkListener } from '../../sdk/client/link.ts';

export type Fate = 'DEAD' | 'STOPPED' | 'PARTED';

export type Cut = {
  /** Rulings that are heard before; infinite: no cut. */
  readonly at: number;
  readonly fate: Fate;
  readonly lastWords: boolean;
};

type Heard = { readonly answer: Answer } | { readonly order: Order };

export class CuttableLink implements Link {
  readonly #inner: Link;
  readonly #cut: Cut;
  readonly #pid: number;
  #phase: 'LIVE' | 'ENDING' | 'CUT' | 'WOKEN' = 'LIVE';
  #session: SessionId | undefined;
  #listener: LinkListener | undefined;
  #heard = 0;
  #lastSeq = 0;
  /** Rulings heard since this process was handed the run; undefined before. */
  #heardOfRun: number | undefined;
  #epoch = 0;
  /** What was published and not ruled on yet. */
  readonly #open = new Set<number>();
  #kept: AnswerMessage[] = [];
  #said: Uint8Array[] = [];
  #wake: () => void = () => undefined;
  readonly #woken = new Promise<void>((resolve) => (this.#wake = resolve));
  #quiet: () => void = () => undefined;
  readonly #watches: { readonly isTrue: () => boolean; readonly tell: () => void }[] = [];
  #taken: () => void = () => undefined;

  /** `pid`: of the process that it pretends to be in; no real one's. */
  constructor(inner: Link, cut: Cut, pid: number) {
    this.#inner = inner;
    this.#cut = cut;
    this.#pid = pid;
    if (cut.at === 0 && !cut.lastWords) this.#phase = 'CUT';
  }

  get session(): SessionId | undefined {
    return this.#session;
  }

  get heard(): number {
    return this.#heard;
  }

  /** Where the last ruling stands that was sent to this process. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** Rulings heard since it was handed the run; -1 before. */
  get heardOfRun(): number {
    return this.#heardOfRun ?? -1;
  }

  get isCut(): boolean {
    return this.#phase === 'CUT';
  }

  get wasCut(): boolean {
    return this.#phase === 'CUT' || this.#phase === 'WOKEN';
  }

  get isAlive(): boolean {
    return !this.wasCut || this.#cut.fate !== 'DEAD';
  }

  get up(): boolean {
    return !(this.#phase === 'CUT' && this.#cut.fate === 'PARTED') && this.#inner.up;
  }

  /** Resolves when it is true; it is looked at whenever this process says or hears something. */
  until(isTrue: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#watches.push({ isTrue, tell: resolve });
      this.#look();
    });
  }

  /** Resolves when everything that got out was ruled on, whether or not the process heard of it. */
  quiet(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve();
    return new Promise((resolve) => (this.#quiet = resolve));
  }

  /** The process is taken up by the client that this link was made for. */
  whenTaken(): Promise<void> {
    return new Promise((resolve) => (this.#taken = resolve));
  }

  /** SIGCONT, or the connection is back. */
  wake(): void {
    if (this.#phase !== 'CUT' || this.#cut.fate === 'DEAD') return;
    this.#phase = 'WOKEN';
    this.#wake();
    const kept = this.#kept;
    const said = this.#said;
    this.#kept = [];
    this.#said = [];
    if (this.#cut.fate === 'PARTED') {
      this.#listener?.restored();
      return;
    }
    for (const message of kept) this.#tell(message);
    for (const batch of said) this.propose(this.#session ?? ('' as SessionId), batch);
  }

  async listen(session: SessionId, listener: LinkListener): Promise<void> {
    this.#session = session;
    this.#listener = listener;
    await this.#inner.listen(session, {
      answers: (bytes) => {
        this.#arrived(JSON.parse(Buffer.from(bytes).toString()) as AnswerMessage);
      },
      restored: () => {
        if (!this.isCut) listener.restored();
      },
    });
  }

  propose(session: SessionId, batch: Uint8Array): void {
    if (this.isCut) {
      if (this.#cut.fate === 'STOPPED') this.#said.push(batch);
      return;
    }
    for (const { counter } of (JSON.parse(Buffer.from(batch).toString()) as Batch).proposals) this.#open.add(counter);
    this.#inner.propose(session, batch);
    if (this.#cut.at === 0 && this.#phase === 'LIVE') this.#end();
    this.#look();
  }

  beat(session: SessionId, heartbeat: Heartbeat): void {
    if (!this.isCut) this.#inner.beat(session, { ...heartbeat, host: hostname(), pid: this.#pid });
  }

  log(): void {
    // What runs log is nobody's business here.
  }

  async ask(ask: Ask): Promise<unknown> {
    if (ask.type !== 'HELLO') await this.#passable();
    const answer = await this.#inner.ask(ask);
    if (ask.type !== 'HELLO') await this.#passable();
    return answer;
  }

  async putBlob(digest: Digest, text: string): Promise<void> {
    await this.#passable();
    await this.#inner.putBlob(digest, text);
  }

  async getBlob(digest: Digest): Promise<string> {
    await this.#passable();
    return this.#inner.getBlob(digest);
  }

  hold(): void {
    this.#taken();
  }

  release(): void {
    // The test keeps its process alive.
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #passable(): Promise<void> {
    return this.isCut ? this.#woken : Promise.resolve();
  }

  #arrived(message: AnswerMessage): void {
    for (const { counter } of message.answers) this.#open.delete(counter);
    for (const { seq } of [...message.answers, ...message.orders]) this.#lastSeq = Math.max(this.#lastSeq, seq);
    if (this.isCut) {
      if (this.#cut.fate === 'STOPPED') this.#kept.push(message);
    } else if (this.#phase !== 'ENDING') {
      this.#tell(message);
    } else if (this.#cut.fate === 'STOPPED') {
      this.#kept.push(message);
    }
    if (this.#open.size === 0) this.#quiet();
    this.#look();
  }

  /** C1. */
  #tell({ epoch, answers, orders }: AnswerMessage): void {
    this.#epoch = epoch;
    const all: Heard[] = [...answers.map((answer) => ({ answer })), ...orders.map((order) => ({ order }))];
    all.sort((one, other) => compare(placeOf(one), placeOf(other)));
    const room = this.#phase === 'LIVE' ? Math.max(0, this.#cut.at - this.#heard) : all.length;
    const now = all.slice(0, room);
    this.#heard += now.length;
    for (const one of now) {
      if (this.#heardOfRun !== undefined) this.#heardOfRun += 1;
      else if ('answer' in one && one.answer.execution !== undefined) this.#heardOfRun = 0;
    }
    const isEnd = this.#phase === 'LIVE' && this.#heard >= this.#cut.at;
    if (isEnd) this.#end();
    if (isEnd && room < all.length && this.#cut.fate === 'STOPPED') this.#kept.push(this.#message(all.slice(room)));
    if (now.length > 0) this.#listener?.answers(Buffer.from(JSON.stringify(this.#message(now))));
  }

  #message(heard: readonly Heard[]): AnswerMessage {
    return {
      v: 1,
      epoch: this.#epoch,
      answers: heard.flatMap((one) => ('answer' in one ? [one.answer] : [])),
      orders: heard.flatMap((one) => ('order' in one ? [one.order] : [])),
    };
  }

  /** C2: a session proposes at the end of the tick, so the last words are out when two more ticks are over. */
  #end(): void {
    if (!this.#cut.lastWords) {
      this.#phase = 'CUT';
      return;
    }
    this.#phase = 'ENDING';
    setImmediate(() => {
      setImmediate(() => {
        this.#phase = 'CUT';
        this.#look();
      });
    });
  }

  #look(): void {
    for (const watch of [...this.#watches]) {
      if (!watch.isTrue()) continue;
      this.#watches.splice(this.#watches.indexOf(watch), 1);
      watch.tell();
    }
  }
}

const placeOf = (heard: Heard): Position => ('answer' in heard ? heard.answer : heard.order);
const compare = (one: Position, other: Position): number => one.seq - other.seq || one.index - other.index;

/** Above what any system numbers its processes by. */
export const pidOfNobody = (number: number): number => 5_000_000 + number;
