/** A file with one flow, under two names. */
import { flow } from 'assent';

export const only = flow({ name: 'the-only-one' }, ({ who = 'world' }: { who?: string }) => `Hello ${who}`);
export default only;
