/**
 * The line of those who have something to prepare before they begin. A flow run that has to make the same calls again, before
 * it makes others, begins them in the order in which it makes them, however long it takes to store what they say.
 */
type Place = { isReady: boolean; readonly go: () => void };

export class Line {
  readonly #places: Place[] = [];

  /** Calls `go` when `prepared` is there, and all before have gone or failed; now, if there is nothing to wait for. */
  begin<T>(
    prepared: Promise<T> | undefined,
    go: (prepared: T | undefined) => void,
    failed: (error: unknown) => void,
  ): void {
    if (prepared === undefined) {
      this.#places.push({
        isReady: true,
        go: () => {
          go(undefined);
        },
      });
      this.#move();
      return;
    }
    let act: () => void = () => undefined;
    const place: Place = {
      isReady: false,
      go: () => {
        act();
      },
    };
    this.#places.push(place);
    const ready = (then: () => void): void => {
      act = then;
      place.isReady = true;
      this.#move();
    };
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
    while (this.#places[0]?.isReady === true) this.#places.shift()?.go();
  }
}
