/**
 * Keeps a process alive while it waits for something, and only then: an idle connection must not keep a script from
 * exiting. nats.js has no such switch, so this reaches for its socket and its ping timer, and checks that they are there.
 */
import type { NatsConnection } from '@nats-io/transport-node';

type Refable = { ref(): unknown; unref(): unknown };
type Inside = {
  readonly protocol?: {
    readonly transport?: { readonly socket?: Partial<Refable> };
    readonly heartbeats?: { readonly timer?: Partial<Refable> };
  };
};

const isRefable = (thing: Partial<Refable> | undefined): thing is Refable =>
  typeof thing?.ref === 'function' && typeof thing.unref === 'function';

export class Refs {
  #holders = 0;

  get free(): boolean {
    return this.#holders === 0;
  }

  hold(connection: NatsConnection): void {
    this.#holders += 1;
    if (this.#holders === 1) this.apply(connection);
  }

  /** False if the connection would keep the process alive all the same: then it has to be closed. */
  release(connection: NatsConnection): boolean {
    this.#holders -= 1;
    return this.#holders > 0 || this.apply(connection);
  }

  /** To be repeated whenever the connection may have a new socket or a new timer. */
  apply(connection: NatsConnection): boolean {
    const inside = (connection as unknown as Inside).protocol;
    const socket = inside?.transport?.socket;
    const timer = inside?.heartbeats?.timer;
    if (!isRefable(socket)) return false;
    const act = this.free ? 'unref' : 'ref';
    socket[act]();
    // Between two pings there may be none.
    if (isRefable(timer)) timer[act]();
    return true;
  }
}
