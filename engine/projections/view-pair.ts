/**
 * The view that answers and, while that one is of an earlier version, the one that is being made in its place.
 *
 * W1 There is always one to answer from.
 * W2 The new one takes the old one's place and name in one step, when it has caught up; a crash in between leaves the
 *    old one, and the new one goes on where it was.
 */
import { mkdirSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { removeView, ViewFile } from './view-file.ts';

export class ViewPair {
  readonly #path: string;
  readonly #say: (line: string) => void;
  #serving: ViewFile;
  #building: ViewFile | undefined;

  constructor(path: string, say: (line: string) => void) {
    this.#path = path;
    this.#say = say;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#serving = ViewFile.open(path, say);
    if (this.#serving.isOld) {
      say('the view is of an earlier version: it serves until a new one is made');
      this.#building = this.#openNext();
    } else removeView(this.#nextPath);
  }

  get serving(): ViewFile {
    return this.#serving;
  }

  get building(): ViewFile | undefined {
    return this.#building;
  }

  /** The one that is folded into. */
  get target(): ViewFile {
    return this.#building ?? this.#serving;
  }

  /** Neither is of any use: the ledger is another one. */
  startAnew(): void {
    this.#building?.close();
    this.#building = undefined;
    removeView(this.#nextPath);
    this.#serving.close();
    removeView(this.#path);
    this.#serving = ViewFile.open(this.#path, this.#say);
  }

  /** W2: the new one has caught up. False when there was none. */
  promote(): boolean {
    if (this.#building === undefined) return false;
    this.#building.close();
    this.#serving.close();
    removeView(this.#path);
    renameSync(this.#nextPath, this.#path);
    this.#building = undefined;
    this.#serving = ViewFile.open(this.#path, this.#say);
    this.#say('the new view is made and serves');
    return true;
  }

  close(): void {
    this.#building?.close();
    this.#serving.close();
  }

  get #nextPath(): string {
    return this.#path.replace(/(\.sqlite)?$/, '.next.sqlite');
  }

  #openNext(): ViewFile {
    const next = ViewFile.open(this.#nextPath, this.#say);
    if (!next.isOld) return next;
    next.close();
    removeView(this.#nextPath);
    return ViewFile.open(this.#nextPath, this.#say);
  }
}
