/** The entry point `assent/engine`: running an engine within a process of one's own. */
export { startEngine, type Engine, type EngineOptions } from './main.ts';
export { AssentError } from '../protocol/errors.ts';
