/** The entry point `assent/testing`: rules and flows, tested in memory and in virtual time, with no engine and any runner. */
export { given, type Given, type Proposed } from './given.ts';
export type { Under } from './under.ts';
export { asked, limitSet, timePassed, type How, type Step } from './hearing.ts';
export { failed, pending, running, scheduled, type StateGiven } from './states.ts';
export { plainFacts, type FactsGiven } from './facts.ts';
export { arbitraries, type Arbitraries } from './arbitraries.ts';
export type { FastCheck } from './arbitrary-facts.ts';
export { checkRule } from './check-rule.ts';
export { runInVirtualTime } from './run-in-virtual-time.ts';
export type { Meanwhile, VirtualRun, VirtualTimeOptions } from './virtual-run.ts';
export type { RunAtEnd } from './virtual-world.ts';
