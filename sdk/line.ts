/**
 * The line of those who have something to prepare before they begin. A flow run that has to make the same calls again, before
 * it makes others, begins them in the order in which it makes them, however long it takes to store what they say.
 */
type Place = { act?: () => void };

export class Line {
  readonly #places: Place[] = [];

  /** Calls `go` when `prepared` is there, and all before have gone or failed; now, if there is nothing to wait for. */
  begin<T>(
    prepared: Promise<T> | undefined,
    go: (prepared: T | undefined) => void,
    failed: (error: unknown) => void,
  ): void {
    const place: Place = {};
    this.#places.push(place);
    const ready = (act: () => void): void => {
      place.act = act;
      this.#move();
    };
    if (prepared === undefined) {
      ready(() => {
        go(undefined);
      });
      return;
    }
    prepared.then(
      (value) => {
        ready(() => {
          go(value);
        });
      },
      (error: unknown) => {
        ready(() => {
          failed(error);
        });
      },
    );
  }

  #move(): void {
    for (let act = this.#places[0]?.act; act !== undefined; act = this.#places[0]?.act) {
      this.#places.shift();
      act();
    }
  }
}
