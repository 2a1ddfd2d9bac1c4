/** What a seed makes of the frames of one proxy: at the n-th one in a direction something happens, and then at a later one. */
import type { Seeded } from '../support/seeded.ts';
import type { Direction, Fate, Frame } from '../support/tcp-proxy.ts';

export type FramePlan = {
  readonly fateOf: (frame: Frame) => Fate;
  /** From now on everything passes. */
  calm(): void;
};

/** Frames between two faults of a direction: an arbiter's connection carries more of them than a client's. */
export type Gap = { readonly least: number; readonly most: number };

const MESSAGES: ReadonlySet<string> = new Set(['PUB', 'HPUB', 'MSG', 'HMSG']);

export function framePlan(dice: Seeded, gap: Gap): FramePlan {
  const ways: Record<Direction, Way> = {
    TO_SERVER: new Way(dice.branch(), gap),
    TO_CLIENT: new Way(dice.branch(), gap),
  };
  let calm = false;
  return {
    fateOf: (frame) => (calm ? 'PASS' : ways[frame.direction].fateOf(frame)),
    calm: () => {
      calm = true;
    },
  };
}

class Way {
  readonly #dice: Seeded;
  readonly #gap: Gap;
  #next: number;
  #fate: Fate;

  constructor(dice: Seeded, gap: Gap) {
    this.#dice = dice;
    this.#gap = gap;
    this.#next = dice.whole(gap.least, gap.most);
    this.#fate = this.#draw();
  }

  fateOf({ number, operation }: Frame): Fate {
    if (number < this.#next) return 'PASS';
    // Only a message can be lost alone; what is not one passes, and the next message is lost.
    if (this.#fate === 'DROP' && !MESSAGES.has(operation)) return 'PASS';
    const fate = this.#fate;
    this.#next = number + this.#dice.whole(this.#gap.least, this.#gap.most);
    this.#fate = this.#draw();
    return fate;
  }

  #draw(): Fate {
    const drawn = this.#dice.unit();
    if (drawn < 0.35) return 'DROP';
    if (drawn < 0.75) return { delayMs: this.#dice.whole(5, 150) };
    return drawn < 0.88 ? 'CUT' : 'HALF_CLOSE';
  }
}
