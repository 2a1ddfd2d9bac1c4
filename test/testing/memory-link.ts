/** A client's connection to an arbiter in the same process: every message arrives, at once, in the order of sending. */
import type { Digest, RunId, SessionId } from '../../protocol/ids.ts';
import type { AnswerMessage, Ask, Heartbeat } from '../../protocol/messages.ts';
import { subjects } from '../../protocol/subjects.ts';
import type { Link, LinkListener } from '../../sdk/client/link.ts';

export type MemoryLinkParts = {
  readonly store: (subject: string, bytes: Uint8Array) => void;
  readonly ask: (ask: Ask) => Promise<unknown>;
  readonly beat: (session: SessionId, heartbeat: Heartbeat) => void;
  readonly log: (run: RunId, lines: Uint8Array) => void;
  /** Later, but at the same moment. */
  readonly soon: (run: () => void) => void;
};

export class MemoryLink implements Link {
  up = true;
  readonly #parts: MemoryLinkParts;
  readonly #listeners = new Map<SessionId, LinkListener>();
  readonly #blobs = new Map<Digest, string>();

  constructor(parts: MemoryLinkParts) {
    this.#parts = parts;
  }

  deliver(session: SessionId, message: AnswerMessage): void {
    const listener = this.#listeners.get(session);
    if (listener === undefined || !this.up) return;
    const bytes = Buffer.from(JSON.stringify(message));
    this.#parts.soon(() => {
      listener.answers(bytes);
    });
  }

  listen(session: SessionId, listener: LinkListener): Promise<void> {
    this.#listeners.set(session, listener);
    return Promise.resolve();
  }

  propose(session: SessionId, batch: Uint8Array): void {
    if (this.up) this.#parts.store(subjects.propose(WORKSPACE, 'sdk', session), batch);
  }

  beat(session: SessionId, heartbeat: Heartbeat): void {
    if (this.up) this.#parts.beat(session, heartbeat);
  }

  log(run: RunId, lines: Uint8Array): void {
    this.#parts.log(run, lines);
  }

  async ask(ask: Ask): Promise<unknown> {
    return JSON.parse(JSON.stringify(await this.#parts.ask(ask))) as unknown;
  }

  putBlob(digest: Digest, text: string): Promise<void> {
    this.#blobs.set(digest, text);
    return Promise.resolve();
  }

  getBlob(digest: Digest): Promise<string> {
    const text = this.#blobs.get(digest);
    return text === undefined
      ? Promise.reject(new Error(`the value ${digest} was never stored`))
      : Promise.resolve(text);
  }

  hold(): void {
    // Virtual time ends when its runner says so, not when the process has nothing to do.
  }

  release(): void {
    // As hold.
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.up = false;
    return Promise.resolve();
  }
}

const WORKSPACE = 'default';
