/** Anything that can be said on the wire, for properties: what `assent/testing` makes of our own fast-check. */
import fc from 'fast-check';
import { arbitraries } from '../testing/arbitraries.ts';

const any = arbitraries(fc);

export const anyDigest = any.digest;
export const anyName = any.name;
export const anyRootId = any.rootId;
export const anyRunId = any.runId;
export const anyValue = any.value;
export const anyTime = any.time;
export const anyState = any.state;
export const anyDefinition = any.definition;
export const anyDraft = any.draft;
export const anyStateOf = any.stateOf.bind(any);
export const anyTransition = any.transition.bind(any);
export const anyFacts = any.facts.bind(any);
