/** What is asked of a thread is heard in its order: none of it gets lost while the thread begins, none of it overtakes. */

/** Does what it is given one after the other. */
export class Turns {
  #last: Promise<void> = Promise.resolve();

  /** Does this when all that was added before is done, whether or not that went well. */
  add(act: () => Promise<void>): void {
    this.#last = this.#last.then(act).catch(() => undefined);
  }
}

/** Keeps messages until somebody hears them. */
export class Words<Message> {
  readonly #early: Message[] = [];
  #hear: (message: Message) => void = (message) => this.#early.push(message);

  constructor(listen: (hear: (message: Message) => void) => void) {
    listen((message) => {
      this.#hear(message);
    });
  }

  /** The first one that nobody has heard. */
  next(): Promise<Message> {
    const early = this.#early.shift();
    if (early !== undefined) return Promise.resolve(early);
    return new Promise((resolve) => {
      this.#hear = (message) => {
        this.#hear = (later) => this.#early.push(later);
        resolve(message);
      };
    });
  }

  /** From here on, all of them. */
  hear(hear: (message: Message) => void): void {
    this.#hear = hear;
    for (const message of this.#early.splice(0)) hear(message);
  }
}
