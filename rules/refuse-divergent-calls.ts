/**
 * | the call                                                       | opinion          |
 * | -------------------------------------------------------------- | ---------------- |
 * | has a key of its own, and was made before with the same inputs | PASS             |
 * | has a key of its own, and was made before with other inputs    | REJECT DIVERGED  |
 * | is made for the first time, in place of one that was expected  | REJECT DIVERGED  |
 * | anything else                                                  | PASS             |
 *
 * What its key answered for would be the outcome of other inputs. A call is expected of a strict flow run only: one that it
 * made in an earlier execution, in this round, and has not made again in this one. Whoever runs a flow anew in another
 * round, or from a call on, expects nothing of what came then.
 */
import { defineRule, pass, reject } from './rule.ts';
import { FROM_ANY } from './state-sets.ts';

/** Digits of a digest that tell two apart for people. */
const DIGITS = 12;

export const refuseDivergentCalls = defineRule({
  name: 'refuse-divergent-calls',
  summary: 'A flow run that is executed again makes the calls that it made before, where it promised to.',
  on: ['task', 'subflow'],
  from: FROM_ANY,
  to: ['SCHEDULED', 'PENDING', 'RUNNING'],
  needs: ['call'],
  may: ['reject'],
  judge: (_, { call }) => {
    if (call === undefined) return pass();
    const { key, inputs, recorded, expected } = call;
    if (recorded !== undefined && recorded.inputs !== inputs) {
      return reject(
        'DIVERGED',
        `call '${key}' was made with ${inputsText(recorded.inputs)}, and is made now with ${inputsText(inputs)}`,
      );
    }
    if (recorded !== undefined || expected === undefined) return pass();
    return reject(
      'DIVERGED',
      `expected was call '${expected.key}' (${expected.run}), as before; made was a new call, '${key}'`,
    );
  },
});

const inputsText = (digest: string | undefined): string =>
  digest === undefined ? 'inputs without a digest' : `inputs ${digest.slice(0, DIGITS)}`;
