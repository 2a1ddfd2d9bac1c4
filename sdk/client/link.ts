/**
 * The port between the SDK and its workspace: what a session needs of a connection. There are two: NATS, and one in
 * memory for tests. A link keeps itself up; whoever publishes while it is down must be ready to publish again.
 */
import type { Digest, RunId, SessionId } from '../../protocol/ids.ts';
import type { Ask, Heartbeat } from '../../protocol/messages.ts';

export interface LinkListener {
  /** Bytes of an AnswerMessage for this session. Must not throw. */
  answers(bytes: Uint8Array): void;
  /** The link is up again after it was down: what was published may be lost, and so may answers and orders. */
  restored(): void;
}

export interface Link {
  /** False while publishing is in vain. */
  readonly up: boolean;
  /** From now on `listener` hears what is sent to the session. Resolves when that is sure. */
  listen(session: SessionId, listener: LinkListener): Promise<void>;
  /** One batch of proposals. */
  propose(session: SessionId, batch: Uint8Array): void;
  beat(session: SessionId, heartbeat: Heartbeat): void;
  /** Lines of a run's log, as JSON Lines. */
  log(run: RunId, lines: Uint8Array): void;
  /** The active arbiter's answer, waited for; undefined says that it has none. Rejects with ENGINE_UNAVAILABLE. */
  ask(ask: Ask): Promise<unknown>;
  /** Stores a text under its digest, unless it is there. */
  putBlob(digest: Digest, text: string): Promise<void>;
  getBlob(digest: Digest): Promise<string>;
  /** The process must not exit for want of anything to do until `release` was called as often. */
  hold(): void;
  release(): void;
  /** Resolves when all that was published has reached the server, or cannot. */
  flush(): Promise<void>;
  close(): Promise<void>;
}
