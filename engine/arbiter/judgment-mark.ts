/**
 * What the arbiter's thread is judging, written where the main thread sees it while the arbiter's does not answer.
 *
 * Numbers: whether it judges, the place in PROPOSALS (0: not a client's), how often this changed, the rule that is asked
 * (-1: none), and the length of the id that follows; an id is written only for what has no place in PROPOSALS.
 */
import type { Position } from '../../protocol/rulings.ts';
import { LIMITS } from '../../protocol/limits.ts';

export type Mark = {
  readonly changes: number;
  readonly at?: Position;
  readonly proposal?: string;
  /** The number of the rule, among those of the policy in force. */
  readonly rule?: number;
};

const NUMBERS = 6;
const [BUSY, SEQ, INDEX, CHANGES, RULE, LENGTH] = [0, 1, 2, 3, 4, 5];
/** An engine's own ids are made of a run's. */
const ID_BYTES = LIMITS.runIdMax + 200;

export const markBuffer = (): SharedArrayBuffer =>
  new SharedArrayBuffer(NUMBERS * Float64Array.BYTES_PER_ELEMENT + ID_BYTES);

export class JudgmentMark {
  readonly #numbers: Float64Array;
  readonly #id: Uint8Array;
  readonly #encoder = new TextEncoder();

  constructor(buffer: SharedArrayBuffer) {
    this.#numbers = new Float64Array(buffer, 0, NUMBERS);
    this.#id = new Uint8Array(buffer, NUMBERS * Float64Array.BYTES_PER_ELEMENT);
  }

  clear(): void {
    this.#numbers.fill(0);
    this.#numbers[RULE] = -1;
  }

  /** Without either, nothing is being judged. */
  judging(at: Position | undefined, proposal?: string): void {
    const numbers = this.#numbers;
    numbers[SEQ] = at?.seq ?? 0;
    numbers[INDEX] = at?.index ?? 0;
    numbers[LENGTH] =
      at === undefined && proposal !== undefined ? this.#encoder.encodeInto(proposal, this.#id).written : 0;
    numbers[RULE] = -1;
    numbers[BUSY] = at === undefined && proposal === undefined ? 0 : 1;
    numbers[CHANGES] = (numbers[CHANGES] ?? 0) + 1;
  }

  asking(rule: number): void {
    this.#numbers[RULE] = rule;
  }

  /** What is being judged; undefined: nothing. */
  read(): Mark | undefined {
    const [busy = 0, seq = 0, index = 0, changes = 0, rule = -1, length = 0] = this.#numbers;
    if (busy === 0) return undefined;
    return {
      changes,
      ...(seq === 0 ? {} : { at: { seq, index } }),
      ...(length === 0 ? {} : { proposal: Buffer.from(this.#id.slice(0, length)).toString('utf8') }),
      ...(rule < 0 ? {} : { rule }),
    };
  }
}
