/** What the rest of the engine uses of policies. */
export { loadBundle } from './load-bundle.ts';
export { corePolicy, loadedPolicy, type LoadedPolicy, type PolicySets, type Selectable } from './loaded-policy.ts';
export { coreDigest, coreSource } from './core.ts';
export { loadFound, policyFinder, storeBundle, storedSource, type PolicyOf } from './store.ts';
