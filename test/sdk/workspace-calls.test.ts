/** Artifacts, variables, names of runs, redaction and result storage, in flows and tasks on the real arbiter in memory. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { ArtifactMade, TransitionProposal, WorkspaceEvent } from '../../protocol/proposals.ts';
import type { Ruling } from '../../protocol/rulings.ts';
import { useClient } from '../../sdk/client/connect.ts';
import type { Secret } from '../../sdk/index.ts';
import {
  completed,
  artifacts,
  fileStorage,
  flow,
  secret,
  setResultStorage,
  task,
  variables,
  type Variables,
} from '../../sdk/index.ts';
import { forgetHidden } from '../../sdk/scrubber.ts';
import { decodeText } from '../../sdk/values.ts';
import { memoryWorkspace, type MemoryWorkspace } from './arbiter-in-memory.ts';

let workspace: MemoryWorkspace;
let folder: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'assent-results-'));
  workspace = await memoryWorkspace();
  useClient((await workspace.connect()).client);
});

afterEach(async () => {
  setResultStorage(undefined);
  forgetHidden();
  useClient(undefined);
  await workspace.stop();
  rmSync(folder, { recursive: true, force: true });
});

const eventsOf = (rulings: readonly Ruling[]): WorkspaceEvent[] =>
  rulings
    .filter(({ outcome }) => outcome === 'accepted')
    .flatMap(({ proposal }) => (proposal.kind === 'workspace' ? proposal.event : (proposal.carries ?? [])));
const artifactsIn = async (): Promise<ArtifactMade[]> =>
  eventsOf(await workspace.rulings()).filter((event) => event.type === 'ARTIFACT_MADE');
const contents = ({ data }: ArtifactMade): unknown => decodeText(data.inline ?? '');
const created = async (): Promise<TransitionProposal[]> =>
  (await workspace.rulings())
    .flatMap(({ proposal }) => (proposal.kind === 'workspace' ? [] : [proposal]))
    .filter(({ create }) => create !== undefined);

describe('variables', () => {
  test('are set, read and removed outside of runs, with any value that can be recorded', async () => {
    await variables.set('since', new Date(0), { tags: ['ops'] });
    expect(await variables.get('since')).toEqual(new Date(0));
    expect(workspace.arbiter.workspace.variables.get('since')).toMatchObject({ tags: ['ops'] });
    await variables.unset('since');
    expect(await variables.get('since')).toBeUndefined();
    expect(await variables.get('since', 'never')).toBe('never');
    await variables.set('large', 'x'.repeat(50_000));
    expect(await variables.get('large', '')).toHaveLength(50_000);
    await expect(variables.set('Rate', 1)).rejects.toThrow(/BAD_OPTION/);
    await expect(variables.set('act', () => 1)).rejects.toThrow(/The variable 'act'.*VALUE_NOT_SERIALIZABLE/);
  });

  test('that a flow has read are the same when it runs again, and those that it set are not set again', async () => {
    const seen: unknown[] = [];
    let attempts = 0;
    await variables.set('rate', 1);
    const reads = flow({ name: 'reads', retries: 1 }, async () => {
      attempts += 1;
      seen.push(await variables.get('rate', 0));
      await variables.set('rate', 100);
      if (attempts === 1) {
        await (variables satisfies Variables).unset('nothing');
        throw new Error('again');
      }
      return variables.get('rate');
    });
    expect(await reads()).toBe(100);
    expect(seen).toEqual([1, 1]);
    const sets = eventsOf(await workspace.rulings()).filter(({ type }) => type === 'VARIABLE_SET');
    expect(sets).toHaveLength(2);
  });

  test('that a task sets are set in each attempt, in the task’s own name', async () => {
    let attempts = 0;
    const counting = task({ name: 'counting', retries: 1 }, async () => {
      attempts += 1;
      await variables.set('attempts', attempts);
      if (attempts === 1) throw new Error('again');
      return variables.get('attempts', 0);
    });
    expect(await flow({ name: 'outer' }, () => counting())()).toBe(2);
  });
});

describe('artifacts', () => {
  test('of a flow are made once, however often it runs again; those of a task in each attempt', async () => {
    let attempts = 0;
    const load = task({ name: 'load' }, async () => {
      await artifacts.table('rows', [{ region: 'eu', rows: 1 }]);
    });
    const nightly = flow({ name: 'nightly', retries: 1 }, async () => {
      attempts += 1;
      await artifacts.markdown('summary', '# Summary', { description: 'What was loaded' });
      await artifacts.link('board', new URL('https://example.org/'), { text: 'Board' });
      await artifacts.image('chart', 'https://example.org/chart.png');
      await load();
      if (attempts === 1) throw new Error('again');
    });
    await nightly();
    const made = await artifactsIn();
    expect(made.map(({ key, kind }) => [key, kind])).toEqual([
      ['summary', 'markdown'],
      ['board', 'link'],
      ['chart', 'image'],
      ['rows', 'table'],
    ]);
    expect(made.map(contents)).toEqual([
      '# Summary',
      { url: 'https://example.org/', text: 'Board' },
      { url: 'https://example.org/chart.png' },
      [{ region: 'eu', rows: 1 }],
    ]);
    expect(made[0]).toMatchObject({ description: 'What was loaded' });
    expect(made[0]?.run).toMatch(/^[a-z0-9]{16}$/);
    expect(made[3]?.run).toContain('.load-');
  });

  test('of progress are told seldom, and the last one always, before the run ends', async () => {
    const working = flow({ name: 'working' }, () => {
      const progress = artifacts.progress('work', { total: 1000, description: 'Working' });
      for (let done = 1; done <= 1000; done += 1) progress.update(done);
    });
    await working();
    const made = await artifactsIn();
    expect(made.map(contents)).toEqual([
      { done: 1, total: 1000 },
      { done: 1000, total: 1000 },
    ]);
    const end = (await workspace.rulings()).findIndex(
      ({ proposal }) => proposal.kind === 'flow' && proposal.to.type === 'COMPLETED',
    );
    const last = (await workspace.rulings()).findLastIndex(({ proposal }) => proposal.kind === 'workspace');
    expect(last).toBeLessThan(end);
  });

  test('need a key that can be asked for, and a run', async () => {
    await expect(artifacts.markdown('key', 'text')).rejects.toThrow(/OUTSIDE_RUN/);
    const odd = flow({ name: 'odd' }, () => artifacts.markdown('a/b', 'text'));
    await expect(odd()).rejects.toThrow(/a key has letters.*BAD_OPTION/);
    const classy = flow({ name: 'classy' }, () => artifacts.table('t', [{ f: () => 1 }]));
    await expect(classy()).rejects.toThrow(/The artifact 't' cannot be recorded at \[0\]\.f.*VALUE_NOT_SERIALIZABLE/);
  });
});

describe('the name of a run', () => {
  test('is made of what it was called with', async () => {
    const load = task(
      { name: 'load', runName: 'load {inputs[0].id} for {parameters.customer}' },
      (_: { id: number }) => 1,
    );
    const etl = flow(
      { name: 'etl', runName: 'etl {date} of {parameters.customer}', parameters: z.object({ customer: z.string() }) },
      () => load({ id: 7 }),
    );
    await etl({ customer: 'ACME' });
    const [of, call] = await created();
    expect(of?.create?.title).toMatch(/^etl \d{4}-\d\d-\d\d of ACME$/);
    expect(call?.create?.title).toBe('load 7 for ACME');
  });

  test('may be a function, sees nothing that is redacted, and is cut', async () => {
    const named = flow(
      {
        name: 'named',
        redact: ['key'],
        runName: ({ parameters, name }) => `${name} ${String((parameters as { key: Secret }).key)} ${'x'.repeat(300)}`,
      },
      (_: { key: string }) => 1,
    );
    await named({ key: '4111-1111' });
    const [of] = await created();
    expect(of?.create?.title).toMatch(/^named \*\*\* x+$/);
    expect(of?.create?.title).toHaveLength(200);
  });

  test('is refused at once if it names what there is not', () => {
    expect(() => flow({ name: 'f', runName: 'of {customer}' }, () => 1)).toThrow(/runName: \{customer\} is none of/);
    expect(() => task({ name: 't', redact: ['a..b'] }, () => 1)).toThrow(/redact\.0: expected a path/);
  });
});

describe('what is confidential', () => {
  test('is not on the ledger: parameters, inputs, results, errors and log lines', async () => {
    const seen: unknown[] = [];
    const charge = task(
      { name: 'charge', redact: ['number', 'receipt'], key: () => 'charge' },
      (card: { number: string }) => {
        seen.push(card.number);
        return { receipt: `receipt for ${card.number}`, ok: true };
      },
    );
    const declined = task({ name: 'declined', redact: ['number'] }, (card: { number: string }): string => {
      throw new Error(`card ${card.number} was declined`);
    });
    const pay = flow(
      { name: 'pay', redact: ['card.number', 'key', 'receipt'] },
      async ({ card, key }: { card: { number: string }; key: Secret }) => {
        seen.push(key.reveal());
        const paid = await charge(card);
        const error = await declined(card).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        seen.push((error as Error).message);
        return { ...paid, said: `the key is ${key.reveal()}` };
      },
    );
    const result = await pay({ card: { number: '4111-1111' }, key: secret.literal('hunter2!') });
    expect(result).toMatchObject({ receipt: 'receipt for 4111-1111', said: 'the key is hunter2!' });
    expect(seen).toEqual(['hunter2!', '4111-1111', 'card *** was declined']);
    const ledger = JSON.stringify(await workspace.rulings());
    expect(ledger).not.toMatch(/4111|hunter2/);
    expect(ledger).toContain('the key is ***');
  });
});

test('what was revealed is in no key, tag or name of a state either, and keys stay apart', async () => {
  const [one, other] = [secret.literal('hunter2!'), secret.literal('swordfish')];
  let computed = 0;
  const look = task(
    {
      name: 'look',
      key: (key: string) => `key ${key}`,
      cacheKey: (key: string) => `of ${key}`,
      limits: { host: { by: (key: string) => key } },
    },
    (key: string) => {
      computed += 1;
      return key.length;
    },
  );
  const ends = task({ name: 'ends', tags: ['hunter2!'] }, (name: string) => completed({ name: `Seen ${name}` }));
  const looks = flow({ name: 'looks' }, async () => {
    const keys = [one.reveal(), other.reveal()];
    await ends(keys[0] ?? '');
    return [...(await look.map(keys).results()), ...(await look.with({ key: 'again' }).map(keys).results())];
  });
  expect(await looks()).toEqual([8, 9, 8, 9]);
  expect(computed).toBe(2);
  expect(JSON.stringify(await workspace.rulings())).not.toMatch(/hunter2|swordfish/);
});

describe('large values', () => {
  test('that cannot be stored are a failure like others: of the attempt, and on the ledger', async () => {
    let puts = 0;
    const full = new Error('the disk is full');
    setResultStorage({
      put: () => ((puts += 1) <= 2 ? Promise.reject(full) : Promise.resolve()),
      get: () => Promise.resolve(undefined),
    });
    const large = task({ name: 'large', retries: 1 }, (n: number) => String(n).repeat(50_000));
    const report = flow({ name: 'report' }, async () => {
      await expect(large(1)).rejects.toBe(full);
      return (await large(2)).length;
    });
    expect(await report()).toBe(50_000);
    const ends = (await workspace.rulings()).flatMap(({ proposal, outcome }) =>
      proposal.kind === 'task' && proposal.report === true ? [`${proposal.to.type} ${outcome}`] : [],
    );
    expect(ends).toEqual(['FAILED rewritten', 'FAILED accepted', 'COMPLETED accepted']);
  });

  test('lie in the storage that is set, by digest, and are found there by whoever runs again', async () => {
    setResultStorage(fileStorage(folder));
    let attempts = 0;
    const large = task({ name: 'large' }, () => 'x'.repeat(50_000));
    const report = flow({ name: 'report', retries: 1 }, async () => {
      attempts += 1;
      const text = await large();
      if (attempts === 1) throw new Error('again');
      return text.length;
    });
    expect(await report()).toBe(50_000);
    const files = readdirSync(folder, { recursive: true }).filter((name) => String(name).length > 60);
    expect(files).toHaveLength(1);
  });

  test('that are gone are missed by name', async () => {
    setResultStorage({ put: () => Promise.resolve(), get: () => Promise.resolve('something else') });
    let attempts = 0;
    const large = task({ name: 'large' }, () => 'x'.repeat(50_000));
    const report = flow({ name: 'report', retries: 1 }, async () => {
      attempts += 1;
      await large();
      if (attempts === 1) throw new Error('again');
    });
    await expect(report()).rejects.toThrow(/is not what was stored there.*VALUE_MISSING/);
  });
});
