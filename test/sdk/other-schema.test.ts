/** What a run's parameters are to code that has another schema than the code with which it began. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { useClient } from '../../sdk/client/connect.ts';
import { flow, secret, startRun, task } from '../../sdk/index.ts';
import { memoryWorkspace, type MemoryWorkspace } from './arbiter-in-memory.ts';
import { workersOf, type Workers } from './workers-in-memory.ts';

let workspace: MemoryWorkspace;
let workers: Workers | undefined;

beforeEach(async () => {
  workspace = await memoryWorkspace();
  useClient((await workspace.connect()).client);
});

afterEach(async () => {
  workers?.stop();
  workers = undefined;
  useClient(undefined);
  await workspace.stop();
});

const seen: unknown[] = [];
const withSchema = (parameters: z.ZodType, redact: readonly string[] = []) =>
  flow({ name: 'report', parameters, redact }, (given) => {
    seen.push(given);
    return 'done';
  });

/** What the flow's function gets in a worker with `now`, of a run that was started with `before`. */
async function later(
  before: z.ZodType | undefined,
  given: object,
  now: z.ZodType,
  redact?: string[],
): Promise<unknown> {
  seen.length = 0;
  const first = before === undefined ? flow({ name: 'report' }, (any: object) => any) : withSchema(before, redact);
  const run = await startRun(first as never, given);
  workers = workersOf(workspace, withSchema(now, redact));
  await run.result();
  return seen[0];
}

const DAY = z.object({ day: z.string() });
const CENTS = z.object({ cents: z.string().transform(Number) });

describe('a worker whose flow has another schema', () => {
  test('does not call it with parameters that do not fit', async () => {
    const failing = later(DAY, { day: 'mon' }, z.object({ month: z.string() }));
    await expect(failing).rejects.toMatchObject({ kind: 'BAD_PARAMETERS' });
    await expect(failing).rejects.toThrow(
      "The parameters of flow 'report', with which the run began under another schema, are wrong: month: ",
    );
    expect(seen).toEqual([]);
    const ended = (await workspace.rulings()).findLast(({ proposal }) => proposal.kind === 'flow');
    expect(ended?.proposal).toMatchObject({ to: { type: 'FAILED', retriable: false } });
  });

  test.each([
    {
      what: 'has its defaults',
      before: DAY,
      given: { day: 'mon' },
      now: DAY.extend({ rows: z.number().default(9) }),
      gets: { day: 'mon', rows: 9 },
    },
    {
      what: 'is asked of runs that began without one',
      before: undefined,
      given: { day: 'mon', no: 1 },
      now: DAY,
      gets: { day: 'mon' },
    },
    {
      what: 'transforms what was given, and not what became of it',
      before: CENTS,
      given: { cents: '7' },
      now: CENTS.extend({ by: z.string().default('me') }),
      gets: { cents: 7, by: 'me' },
    },
    {
      what: 'may transform where the first one did not',
      before: z.object({ cents: z.string() }),
      given: { cents: '7' },
      now: CENTS,
      gets: { cents: 7 },
    },
    {
      what: 'takes dates, that were coerced at first',
      before: z.object({ at: z.coerce.date() }),
      given: { at: '2026-01-01' },
      now: z.object({ at: z.coerce.date(), n: z.int().default(1) }),
      gets: { at: new Date('2026-01-01'), n: 1 },
    },
    {
      what: 'has what was given in it that the first one took out',
      before: CENTS,
      given: { cents: '7', day: 'mon' },
      now: CENTS.extend({ day: z.string() }),
      gets: { cents: 7, day: 'mon' },
    },
  ])('$what', async ({ before, given, now, gets }) => {
    expect(await later(before, given, now)).toEqual(gets);
  });

  test('fails a run of whose parameters something is confidential, and was not recorded', async () => {
    const more = DAY.extend({ rows: z.number().default(9) });
    await expect(later(DAY, { day: 'mon' }, more, ['day'])).rejects.toThrow('day: Invalid input');
  });
});

describe('the schema that made the parameters', () => {
  const clock = (): z.ZodType =>
    z.object({ cents: z.string().transform(Number), by: z.string().default(() => (workers ? 'worker' : 'starter')) });
  const first = clock();

  test.each([
    { where: 'in the same process', now: first },
    { where: 'in another, from the same code', now: clock() },
  ])('is not asked again $where: they stay what they were', async ({ now }) => {
    expect(await later(first, { cents: '7' }, now)).toEqual({ cents: 7, by: 'starter' });
  });
});

describe('what was given is recorded', () => {
  const parsed = async (): Promise<unknown> => {
    const [created] = (await workspace.rulings()).filter(({ proposal }) => 'create' in proposal);
    return created?.proposal.kind === 'flow' ? created.proposal.create?.parsed : undefined;
  };

  test.each([
    {
      what: 'a schema that only checks, fills in and leaves out',
      schema: DAY.extend({ n: z.int().default(1) }),
      given: { day: 'mon', card: 4 },
    },
    {
      what: 'one that transforms nothing of this',
      schema: z.object({ cents: CENTS.shape.cents.optional() }),
      given: {},
    },
    {
      what: 'one that makes secrets',
      schema: z.object({ token: z.string().transform((text) => secret.literal(text)) }),
      given: { token: 'hunter2-hunter2' },
    },
  ])('not for $what', async ({ schema, given }) => {
    await startRun(withSchema(schema), given);
    expect(await parsed()).toEqual({ schema: expect.stringMatching(/^[0-9a-f]{64}$/) as string });
  });

  test('not where something of it is confidential, which may have another name in it', async () => {
    const schema = z.object({ card: z.string() }).transform(({ card }) => ({ number: card }));
    await startRun(withSchema(schema, ['number']), { card: '4111' });
    expect(JSON.stringify(await workspace.rulings())).not.toContain('4111');
  });

  test('where the schema makes something else of it', async () => {
    await startRun(withSchema(CENTS), { cents: '7' });
    expect(await parsed()).toMatchObject({ input: { inline: '[{"cents":1},"7"]' } });
  });
});

test('a script that goes on with a run by its id has it checked too', async () => {
  const step = task({ name: 'step' }, () => 1);
  const first = flow({ name: 'report', parameters: DAY }, async () => {
    await step();
    throw new Error('no');
  });
  await first({ day: 'mon' }).catch(() => undefined);
  const [created] = (await workspace.rulings()).filter(({ proposal }) => 'create' in proposal);
  process.env['ASSENT_RESUME'] = created?.proposal.kind === 'flow' ? created.proposal.run : '';
  seen.length = 0;
  const now = withSchema(DAY.extend({ rows: z.number().default(9) }));
  expect(await now({})).toBe('done');
  expect(seen).toEqual([{ day: 'mon', rows: 9 }]);
});
