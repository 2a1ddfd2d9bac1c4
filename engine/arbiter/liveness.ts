/**
 * Which processes are silent for too long. Processes beat, runs do not; a beat never enters the ledger, only the death
 * that follows from its absence does, with the last beat as evidence.
 *
 * V1 All deadlines begin anew at a takeover, at a reconnect, whenever this loop itself was late, and as long as not even
 *    the arbiter's own beats come back: a pause of the arbiter, or of the network, is nobody else's death.
 * V2 Nobody is declared dead at first sight: a suspect must still be silent at the next look, when waiting beats have
 *    been read.
 */
import type { Heartbeat } from '../../protocol/messages.ts';

type Beat = { readonly heartbeat: Heartbeat; readonly atMs: number };

export class Liveness {
  readonly #limitMs: number;
  readonly #beats = new Map<string, Beat>();
  #suspects = new Set<string>();
  #baseMs: number;
  #lookedMs: number;

  constructor(limitMs: number, monotonicMs: number) {
    this.#limitMs = limitMs;
    this.#baseMs = monotonicMs;
    this.#lookedMs = monotonicMs;
  }

  /** How often to look. */
  get intervalMs(): number {
    return Math.max(50, Math.min(1000, this.#limitMs / 10));
  }

  beat(session: string, heartbeat: Heartbeat, monotonicMs: number): void {
    this.#beats.set(session, { heartbeat, atMs: monotonicMs });
    this.#suspects.delete(session);
  }

  beginAnew(monotonicMs: number): void {
    this.#baseMs = monotonicMs;
    this.#suspects.clear();
  }

  /** Milliseconds since the last beat; undefined when none was heard. */
  of(session: string, monotonicMs: number): { readonly heartbeat: Heartbeat; readonly silentMs: number } | undefined {
    const beat = this.#beats.get(session);
    return beat === undefined ? undefined : { heartbeat: beat.heartbeat, silentMs: monotonicMs - beat.atMs };
  }

  /** Of `sessions`, those whose silence is now beyond the limit, and was at the last look. */
  dead(sessions: Iterable<string>, monotonicMs: number): readonly string[] {
    const lateMs = monotonicMs - this.#lookedMs - this.intervalMs;
    this.#lookedMs = monotonicMs;
    if (lateMs > this.#limitMs / 4) this.beginAnew(monotonicMs);
    const silent = new Set<string>();
    for (const session of sessions) {
      const since = Math.max(this.#beats.get(session)?.atMs ?? 0, this.#baseMs);
      if (monotonicMs - since > this.#limitMs) silent.add(session);
    }
    const dead = [...silent].filter((session) => this.#suspects.has(session));
    this.#suspects = silent;
    return dead;
  }

  forget(session: string): void {
    this.#beats.delete(session);
    this.#suspects.delete(session);
  }
}
