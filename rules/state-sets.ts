/** The sets of states that rules govern by. */
import { STATE_TYPES, TERMINAL_TYPES, type StateType } from '../protocol/states.ts';
import type { FromType } from './rule.ts';

export const ANY_STATE: readonly StateType[] = STATE_TYPES;
export const FROM_ANY: readonly FromType[] = ['NONE', ...STATE_TYPES];
export const TERMINAL: readonly StateType[] = TERMINAL_TYPES;
