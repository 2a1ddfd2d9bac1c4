/** An error as `runs inspect` shows it: where the user's code was, and what was at the bottom of it. */
import { expect, test } from 'vitest';
import { errorLines } from '../../engine/cli/values.ts';
import { encodeError } from '../../sdk/values.ts';
import { sha256 } from '../../protocol/segment.ts';

const linesOf = (error: unknown): string[] => {
  const inline = encodeError(error);
  return errorLines({ digest: sha256(inline), size: inline.length, inline });
};

test('frames of Node and of Assent are left out, causes are told with their codes', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:443'), { code: 'ECONNREFUSED' });
  const error = new TypeError('fetch failed', { cause: new Error('no route', { cause: refused }) });
  error.stack = [
    'TypeError: fetch failed',
    '    at node:internal/deps/undici/undici:14902:13',
    '    at async file:///home/ada/fetch.ts:3:26',
    '    at async gaveOf (file:///home/ada/node_modules/assent/dist/sdk/flow-function.js:13:23)',
  ].join('\n');
  expect(linesOf(error)).toEqual([
    'TypeError: fetch failed',
    '    at async file:///home/ada/fetch.ts:3:26',
    'caused by Error: no route',
    'caused by Error: connect ECONNREFUSED 127.0.0.1:443 (ECONNREFUSED)',
  ]);
});

test('of several errors in one, each is told', () => {
  const all = new AggregateError([new Error('one'), new RangeError('two')], 'none was good');
  all.stack = 'AggregateError: none was good';
  expect(linesOf(all)).toEqual(['AggregateError: none was good', 'caused by Error: one', 'caused by RangeError: two']);
});
