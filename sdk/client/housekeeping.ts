/**
 * What a client does again and again, and what changes nothing by itself: beating, asking again after what may be lost.
 * It keeps no process alive.
 */

/** On the functions that are called; in virtual time (`assent/testing`) repetitions of them are left out. */
export const HOUSEKEEPING: unique symbol = Symbol.for('assent.housekeeping') as never;

export const housekeep = (run: () => void, everyMs: number): NodeJS.Timeout =>
  setInterval(Object.assign(run, { [HOUSEKEEPING]: true }), everyMs).unref();
