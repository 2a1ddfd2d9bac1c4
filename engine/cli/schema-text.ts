/** A JSON Schema in words: the fields of an object with what may stand in each, and an example that fits most schemas. */
import { oneLine } from './style.ts';

/** What is read of a schema; all else is left to whoever checks by it. */
type Schema = {
  readonly type?: unknown;
  readonly format?: unknown;
  readonly description?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly minimum?: unknown;
  readonly maximum?: unknown;
  readonly minLength?: unknown;
  readonly maxLength?: unknown;
  readonly anyOf?: readonly unknown[];
  readonly items?: unknown;
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly required?: readonly unknown[];
};

const DEPTH_MAX = 8;

const schemaOf = (given: unknown): Schema =>
  typeof given === 'object' && given !== null && !Array.isArray(given) ? given : {};

/** A line for each field, in columns of their own: name, what it is, what it is for. Of what is no object, one line. */
export function fieldLines(given: unknown): string[] {
  const { properties, required = [] } = schemaOf(given);
  if (properties === undefined) return [wordsOf(given)];
  const width = Math.max(0, ...Object.keys(properties).map((name) => name.length));
  return Object.entries(properties).map(([name, field]) => {
    const mayBeLeftOut = !required.includes(name) && schemaOf(field).default === undefined;
    return `${name.padEnd(width)}  ${wordsOf(field)}${mayBeLeftOut ? ', may be left out' : ''}`;
  });
}

/** `number from 0 to 0.5, else 0: a share of the price`. */
function wordsOf(given: unknown): string {
  const schema = schemaOf(given);
  const { minimum, maximum, minLength, maxLength, description } = schema;
  // What zod gives every integer bounds nothing that people write.
  const isBound = (bound: unknown): boolean => typeof bound === 'number' && Math.abs(bound) < Number.MAX_SAFE_INTEGER;
  return [
    kindOf(schema),
    isBound(minimum) ? ` from ${String(minimum)}` : '',
    isBound(maximum) ? ` to ${String(maximum)}` : '',
    isBound(minLength) ? ` of ${String(minLength)} characters or more` : '',
    isBound(maxLength) ? ` of at most ${String(maxLength)} characters` : '',
    schema.default === undefined ? '' : `, else ${JSON.stringify(schema.default)}`,
    typeof description === 'string' ? ` (${oneLine(description)})` : '',
  ].join('');
}

function kindOf(schema: Schema, depth = 0): string {
  const { type, format, anyOf, items } = schema;
  if (depth > DEPTH_MAX) return 'a value';
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(' or ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (anyOf !== undefined) return anyOf.map((one) => kindOf(schemaOf(one), depth + 1)).join(' or ');
  if (type === 'array') return `a list of: ${kindOf(schemaOf(items), depth + 1)}`;
  if (type === 'string') return typeof format === 'string' ? `text (${oneLine(format)})` : 'text';
  if (type === 'boolean') return 'true or false';
  return typeof type === 'string' ? oneLine(type) : 'any value';
}

/** What must be said, with something in each place. */
export function exampleOf(given: unknown, depth = 0): unknown {
  const schema = schemaOf(given);
  const { type, anyOf, properties = {}, required = [], items } = schema;
  const known = [schema.default, schema.examples?.[0], schema.const, schema.enum?.[0]].find((one) => one !== undefined);
  if (known !== undefined || depth > DEPTH_MAX) return known ?? '…';
  if (anyOf !== undefined) return exampleOf(anyOf[0], depth + 1);
  switch (type) {
    case 'object': {
      const needed = Object.entries(properties).filter(
        ([name, field]) => required.includes(name) && schemaOf(field).default === undefined,
      );
      return Object.fromEntries(needed.map(([name, field]) => [name, exampleOf(field, depth + 1)]));
    }
    case 'array':
      return [exampleOf(items, depth + 1)];
    case 'boolean':
      return true;
    case 'null':
      return null;
    case 'number':
    case 'integer':
      return numberIn(schema);
    default:
      return textFor(schema);
  }
}

const numberIn = ({ minimum, maximum }: Schema): number =>
  typeof minimum === 'number' && Math.abs(minimum) < Number.MAX_SAFE_INTEGER
    ? minimum
    : typeof maximum === 'number'
      ? Math.min(maximum, 1)
      : 1;

const TEXTS: Readonly<Record<string, string>> = {
  email: 'ada@example.org',
  uri: 'https://example.org',
  'date-time': '2030-01-31T12:00:00Z',
  date: '2030-01-31',
  time: '12:00:00',
  uuid: '7f3a2c4e-5b6d-4e8f-9a0b-1c2d3e4f5a6b',
  ipv4: '192.0.2.1',
};

const textFor = ({ format }: Schema): string => TEXTS[typeof format === 'string' ? format : ''] ?? '…';
