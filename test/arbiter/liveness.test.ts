import { describe, expect, test } from 'vitest';
import { Liveness } from '../../engine/arbiter/liveness.ts';

const LIMIT_MS = 1000;
const heartbeat = { v: 1, pid: 7, host: 'h' } as const;

/** Looks every interval from `fromMs` to `toMs`; when each session was first found dead. */
function deaths(
  liveness: Liveness,
  fromMs: number,
  toMs: number,
  each: (nowMs: number) => void = () => undefined,
): Map<string, number> {
  const found = new Map<string, number>();
  for (let nowMs = fromMs; nowMs <= toMs; nowMs += liveness.intervalMs) {
    each(nowMs);
    for (const session of liveness.dead(['a', 'b'], nowMs)) if (!found.has(session)) found.set(session, nowMs);
  }
  return found;
}

describe('a process', () => {
  test('that beats lives', () => {
    const liveness = new Liveness(LIMIT_MS, 0);
    const found = deaths(liveness, 0, 10_000, (nowMs) => {
      liveness.beat('a', heartbeat, nowMs);
    });
    expect(found.has('a')).toBe(false);
    expect(found.has('b')).toBe(true);
  });

  test('that is silent is dead soon after the limit, and not before', () => {
    const liveness = new Liveness(LIMIT_MS, 0);
    liveness.beat('a', heartbeat, 500);
    const found = deaths(liveness, 0, 5000);
    expect(found.get('b')).toBeGreaterThan(LIMIT_MS);
    expect(found.get('a')).toBeGreaterThan(500 + LIMIT_MS);
    expect(found.get('a')).toBeLessThanOrEqual(500 + LIMIT_MS + 3 * liveness.intervalMs);
  });

  test('is not declared dead at first sight: a beat that waits to be read saves it', () => {
    const liveness = new Liveness(LIMIT_MS, 0);
    deaths(liveness, 0, LIMIT_MS);
    expect(liveness.dead(['a'], LIMIT_MS + 50)).toEqual([]);
    liveness.beat('a', heartbeat, LIMIT_MS + 60);
    expect(liveness.dead(['a'], LIMIT_MS + 150)).toEqual([]);
  });
});

describe('all deadlines begin anew', () => {
  test('when the loop itself was late by more than a quarter of the limit', () => {
    const liveness = new Liveness(LIMIT_MS, 0);
    deaths(liveness, 0, 500);
    // It stood still for an hour; nobody else is to blame for that.
    const late = 3_600_000;
    expect(liveness.dead(['a', 'b'], late)).toEqual([]);
    const found = deaths(liveness, late + liveness.intervalMs, late + 5000);
    expect(Math.min(...found.values())).toBeGreaterThan(late + LIMIT_MS);
  });

  test('when somebody says so: at a takeover, or a reconnect', () => {
    const liveness = new Liveness(LIMIT_MS, 0);
    deaths(liveness, 0, 900);
    liveness.beginAnew(900);
    expect(Math.min(...deaths(liveness, 1000, 4000).values())).toBeGreaterThan(900 + LIMIT_MS);
  });

  test('and who was suspected before is not dead at the next look', () => {
    const liveness = new Liveness(LIMIT_MS, 0);
    deaths(liveness, 0, LIMIT_MS + 50);
    liveness.beginAnew(LIMIT_MS + 60);
    expect(liveness.dead(['a', 'b'], LIMIT_MS + 150)).toEqual([]);
  });
});

test('of a process its last beat and its silence are known', () => {
  const liveness = new Liveness(LIMIT_MS, 0);
  expect(liveness.of('a', 10)).toBeUndefined();
  liveness.beat('a', heartbeat, 100);
  expect(liveness.of('a', 350)).toEqual({ heartbeat, silentMs: 250 });
});
