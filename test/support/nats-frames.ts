/**
 * Cuts a stream of NATS protocol bytes into frames: a control line, and the payload if it announces one. It knows just
 * enough to count them and to say what they are about.
 */
export type NatsFrame = {
  /** The frame as it is on the wire. */
  readonly bytes: Buffer;
  /** `PUB`, `HPUB`, `SUB`, `MSG`, `HMSG`, `PING`, `INFO` … */
  readonly operation: string;
  /** What it is published to, or subscribed to. */
  readonly subject: string | undefined;
};

/** Their last word is the size of the payload. */
const WITH_PAYLOAD: ReadonlySet<string> = new Set(['PUB', 'HPUB', 'MSG', 'HMSG']);
const LINE_END = Buffer.from('\r\n');

export class NatsFrames {
  #rest: Buffer = Buffer.alloc(0);

  /** The frames that `chunk` completes. */
  push(chunk: Buffer): NatsFrame[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: NatsFrame[] = [];
    let from = 0;
    for (;;) {
      const lineEnd = this.#rest.indexOf(LINE_END, from);
      if (lineEnd < 0) break;
      const words = this.#rest.toString('latin1', from, lineEnd).split(/\s+/);
      const operation = (words[0] ?? '').toUpperCase();
      const payload = WITH_PAYLOAD.has(operation) ? Number(words.at(-1)) + LINE_END.length : 0;
      const end = lineEnd + LINE_END.length + payload;
      if (end > this.#rest.length) break;
      frames.push({ bytes: this.#rest.subarray(from, end), operation, subject: subjectOf(operation, words) });
      from = end;
    }
    this.#rest = this.#rest.subarray(from);
    return frames;
  }
}

const subjectOf = (operation: string, words: readonly string[]): string | undefined =>
  WITH_PAYLOAD.has(operation) || operation === 'SUB' ? words[1] : undefined;
