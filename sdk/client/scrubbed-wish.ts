/** The texts in a proposal, before it leaves: those for people, and keys; values in it are scrubbed where they are recorded. */
import type { RunDefinition, WorkspaceEvent } from '../../protocol/proposals.ts';
import type { State } from '../../protocol/states.ts';
import { scrubbed, scrubbedKey, withoutRevealed } from '../scrubber.ts';
import type { Wish } from './session.ts';

/** The proposal itself, if there is nothing to take out of it. */
export function scrubbedWish(wish: Wish): Wish {
  const reason = clean(wish.reason);
  const onBehalfOf = clean(wish.onBehalfOf);
  const asked = {
    ...(reason === undefined ? {} : { reason }),
    ...(onBehalfOf === undefined ? {} : { onBehalfOf }),
  };
  if (wish.kind === 'workspace') {
    const event = cleanEvent(wish.event);
    return event === wish.event && Object.keys(asked).length === 0 ? wish : { ...wish, ...asked, event };
  }
  const to = cleanState(wish.to);
  const create = wish.create === undefined ? undefined : cleanDefinition(wish.create);
  const carries = wish.carries === undefined ? undefined : cleanEvent(wish.carries);
  const isClean = to === wish.to && create === wish.create && carries === wish.carries;
  if (isClean && Object.keys(asked).length === 0) return wish;
  return {
    ...wish,
    ...asked,
    to,
    ...(create === undefined ? {} : { create }),
    ...(carries === undefined ? {} : { carries }),
  };
}

/** The event itself, if there is nothing to take out of it. */
function cleanEvent<E extends WorkspaceEvent>(event: E): E {
  if (event.type === 'ARTIFACT_MADE') {
    const description = clean(event.description);
    return description === undefined ? event : { ...event, description };
  }
  if (event.type === 'VARIABLE_SET') {
    const tags = event.tags?.map(withoutRevealed);
    return tags?.some((tag, index) => tag !== event.tags?.[index]) === true ? { ...event, tags } : event;
  }
  return event;
}

function cleanState(state: State): State {
  const message = clean(state.message);
  const name = withoutRevealed(state.name);
  if (message === undefined && name === state.name) return state;
  return { ...state, name, ...(message === undefined ? {} : { message }) };
}

function cleanDefinition(definition: RunDefinition): RunDefinition {
  const { call, cache, limits, tags } = definition;
  const title = clean(definition.title);
  const parts: Partial<RunDefinition> = {
    ...(title === undefined ? {} : { title }),
    ...(call === undefined || scrubbedKey(call.key) === call.key
      ? {}
      : { call: { ...call, key: scrubbedKey(call.key) } }),
    ...(cache === undefined || scrubbedKey(cache.key) === cache.key
      ? {}
      : { cache: { ...cache, key: scrubbedKey(cache.key) } }),
    ...(limits?.some(({ by }) => by !== undefined && scrubbedKey(by) !== by) === true
      ? { limits: limits.map((wish) => (wish.by === undefined ? wish : { ...wish, by: scrubbedKey(wish.by) })) }
      : {}),
    ...(tags?.some((tag) => withoutRevealed(tag) !== tag) === true ? { tags: tags.map(withoutRevealed) } : {}),
  };
  return Object.keys(parts).length === 0 ? definition : { ...definition, ...parts };
}

/** Undefined: there was nothing to take out. */
function clean(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const rest = scrubbed(text);
  return rest === text ? undefined : rest;
}
