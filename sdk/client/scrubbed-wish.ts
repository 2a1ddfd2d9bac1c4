/** The texts for people in a proposal, before it leaves: values in it are scrubbed where they are recorded. */
import { scrubbed } from '../scrubber.ts';
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
    const { event } = wish;
    const description = event.type === 'ARTIFACT_MADE' ? clean(event.description) : undefined;
    const said = description === undefined ? event : { ...event, description };
    return said === event && Object.keys(asked).length === 0 ? wish : { ...wish, ...asked, event: said };
  }
  const message = clean(wish.to.message);
  const title = clean(wish.create?.title);
  if (message === undefined && title === undefined && Object.keys(asked).length === 0) return wish;
  return {
    ...wish,
    ...asked,
    ...(message === undefined ? {} : { to: { ...wish.to, message } }),
    ...(title === undefined || wish.create === undefined ? {} : { create: { ...wish.create, title } }),
  };
}

/** Undefined: there was nothing to take out. */
function clean(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const rest = scrubbed(text);
  return rest === text ? undefined : rest;
}
