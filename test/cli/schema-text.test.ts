/** What a pause asks for, in words and as an example: made of the JSON Schema that the flow's zod schema gives. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { exampleOf, fieldLines } from '../../engine/cli/schema-text.ts';

const jsonOf = (schema: z.ZodType): unknown => z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });

const decision = z.object({
  approve: z.boolean().describe('ship it?'),
  by: z.email(),
  count: z.int(),
  discount: z.number().min(0).max(0.5).default(0),
  due: z.coerce.date().optional(),
  size: z.enum(['s', 'm']),
  tags: z.array(z.string().max(9)).optional(),
  note: z.string().min(3).nullable(),
});

test('each field has its name, what may stand there, and what it is for', () => {
  expect(fieldLines(jsonOf(decision))).toEqual([
    'approve   true or false (ship it?)',
    'by        text (email)',
    'count     integer',
    'discount  number from 0 to 0.5, else 0',
    'due       any value, may be left out',
    'size      "s" or "m"',
    'tags      a list of: text, may be left out',
    'note      text or null',
  ]);
  expect(fieldLines(jsonOf(z.string()))).toEqual(['text']);
});

test('the example has what must be said, and meets the schema', () => {
  const example = exampleOf(jsonOf(decision.extend({ note: z.string().nullable() })));
  expect(example).toEqual({ approve: true, by: 'ada@example.org', count: 1, size: 's', note: '…' });
  expect(decision.extend({ note: z.string().nullable() }).safeParse(example).success).toBe(true);
});

test('whatever stands in the place of a schema, there are words', () => {
  for (const odd of [undefined, null, 7, [], {}, { properties: { a: null } }, { type: 'array' }, { anyOf: [] }]) {
    expect(fieldLines(odd).every((line) => typeof line === 'string')).toBe(true);
    expect(() => JSON.stringify(exampleOf(odd))).not.toThrow();
  }
});
