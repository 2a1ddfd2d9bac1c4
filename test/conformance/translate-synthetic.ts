/**
 * Rules that Prefect's own tests of its rule engine make up: they let pass, refuse, replace, wait, or raise, whatever the
 * run. What they decide is compared; their hooks are not, for our rules have none: an opinion that loses leaves nothing
 * to clean up.
 */
import { later } from '../../protocol/ids.ts';
import { DEFAULT_NAMES, STATE_TYPES, type State, type StateType } from '../../protocol/states.ts';
import { hold, pass, reject, rewrite, RUN_KINDS, type Opinion, type Rule } from '../../rules/rule.ts';
import { ANY_STATE, FROM_ANY } from '../../rules/state-sets.ts';
import { NOW, ourState } from './translate-state.ts';

const PREFIX = 'synthetic:';
const NARROW = /^narrow:([A-Z]+):/;

export const isSynthetic = (name: string): boolean => name.startsWith(PREFIX);

type Deed = {
  readonly judge: () => Opinion;
  readonly does: 'pass' | 'end' | 'replace';
  readonly to: readonly StateType[];
};

/** Undefined: a kind that is not known here. */
function deedOf(name: string): Deed | undefined {
  const described = name.slice(PREFIX.length);
  const narrow = NARROW.exec(described)?.[1];
  const to = narrow === undefined ? ANY_STATE : STATE_TYPES.filter((type) => type === narrow);
  const [kind, detail] = described.replace(NARROW, '').split(':');
  const replacement = STATE_TYPES.find((type) => type === detail);
  switch (kind) {
    case 'noop':
      return { judge: () => pass(), does: 'pass', to };
    case 'null-reject':
    case 'abort':
      return { judge: () => reject('SYNTHETIC', 'made up'), does: 'end', to };
    case 'wait':
      return {
        judge: () => hold({ type: 'TIME', dueAtMs: later(NOW, Number(detail) * 1000) }, 'made up'),
        does: 'end',
        to,
      };
    case 'raise':
      return { judge: raising, does: 'end', to };
    case 'reject':
      if (replacement === undefined) return undefined;
      return { judge: () => rewrite(stateOf(replacement), 'made up'), does: 'replace', to };
    case undefined:
    default:
      return undefined;
  }
}

const raising = (): Opinion => {
  throw new Error('made up');
};

const stateOf = (type: StateType): State => ourState({ type, name: DEFAULT_NAMES[type] });

/** A rule of this kind; each is one of its own, also when there are two alike. */
export function syntheticRule(name: string, index: number): Rule | undefined {
  const deed = deedOf(name);
  if (deed === undefined) return undefined;
  const { judge, to } = deed;
  const summary = 'A rule that is made up.';
  const may = ['rewrite', 'reject', 'hold'] as const;
  return { name: `synthetic-${String(index)}`, summary, on: RUN_KINDS, from: FROM_ANY, to, needs: [], may, judge };
}

/** Why a list of them cannot be compared; undefined when it can. */
export function synthesisProblem(names: readonly string[]): string | undefined {
  const deeds = names.filter(isSynthetic).map(deedOf);
  if (deeds.includes(undefined)) return 'a made-up rule of an unknown kind';
  const acting = deeds.filter((deed) => deed?.does !== 'pass');
  return acting[0]?.does === 'replace' && acting.length > 1
    ? "after a replacement Prefect's engine passes later rules over; ours asks every rule about it again"
    : undefined;
}
