import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LedgerClock } from '../../engine/arbiter/ledger-clock.ts';

class Watch {
  wall = 1_700_000_000_000;
  monotonic = 12_345.678;
  wallMs = (): number => this.wall;
  monotonicMs = (): number => this.monotonic;
  /** Time passes; the wall clock may be set meanwhile. */
  pass(ms: number, setBy = 0): void {
    this.monotonic += ms;
    this.wall += ms + setBy;
  }
}

describe('the ledger’s time', () => {
  test('begins with the wall clock, or with the ledger’s last time if that is later', () => {
    const watch = new Watch();
    expect(new LedgerClock(watch, 0).nowMs()).toBe(watch.wall);
    expect(new LedgerClock(watch, watch.wall + 5000).nowMs()).toBe(watch.wall + 5000);
  });

  test('never goes back, not even by the error of a sum, however often a new clock goes on from the last time', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1000, noNaN: true }), { maxLength: 50 }), (passing) => {
        const watch = new Watch();
        let last = new LedgerClock(watch, 0).nowMs();
        for (const ms of passing) {
          watch.pass(ms, -ms);
          const now = new LedgerClock(watch, last).nowMs();
          expect(now).toBeGreaterThanOrEqual(last);
          last = now;
        }
      }),
    );
  });

  test.each([-3_600_000, 3_600_000])('goes on as before when the wall clock is set by %i ms', (setBy) => {
    const watch = new Watch();
    const clock = new LedgerClock(watch, 0);
    const before = clock.nowMs();
    watch.pass(250, setBy);
    expect(clock.nowMs()).toBe(before + 250);
  });

  test('goes on from what others have written, if that is later, and else from its own', () => {
    const watch = new Watch();
    const clock = new LedgerClock(watch, 0);
    const before = clock.nowMs();
    watch.pass(100);
    clock.notBefore(before + 50);
    expect(clock.nowMs()).toBe(before + 100);
    clock.notBefore(before + 500);
    expect(clock.nowMs()).toBe(before + 500);
    watch.pass(7);
    expect(clock.nowMs()).toBe(before + 507);
  });
});

describe('a step of the wall clock', () => {
  test('of more than a second is said once', () => {
    const watch = new Watch();
    const clock = new LedgerClock(watch, 0);
    expect(clock.stepped()).toBeUndefined();
    watch.pass(10, 1500);
    expect(clock.stepped()).toBe(watch.wall);
    expect(clock.stepped()).toBeUndefined();
    watch.pass(10, -1500);
    expect(clock.stepped()).toBe(watch.wall);
  });
  test('of less is not worth a word', () => {
    const watch = new Watch();
    const clock = new LedgerClock(watch, 0);
    watch.pass(10, 900);
    expect(clock.stepped()).toBeUndefined();
  });
});
