/** A declared file as a bundle: self-contained, the same bytes for the same text, and of the same opinions as the file. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { withDeclaredRules } from '../../engine/declared/compile.ts';
import { declaredRules } from '../../engine/declared/declared-rules.ts';
import { bundlePolicy } from '../../engine/policy/bundle.ts';
import { loadBundle } from '../../engine/policy/load-bundle.ts';
import { court, judge, type Court } from '../../rules/judge.ts';
import { corePolicies } from '../../rules/policy.ts';
import { FROM_TYPES, MANY_FACTS, NOW_MS, RUN_KINDS, stateOf, transition } from '../rules/fixtures.ts';

const TEXT = `
rules:
  - name: quiet-weekends
    summary: Starts no flow on a weekend.
    on: flow
    when: now.getDayOfWeek("Europe/Berlin") in [0, 6] && now > timestamp("1970-01-01T00:00:00Z")
    hold: { until: 'Monday 08:00 Europe/Berlin' }
  - name: not-twice
    summary: Nothing is retried twice.
    when: run.tags.size() == 0 || run.name.like("w*")
    retries: { max: 1 }
  - name: reasons
    summary: Who cancels says why.
    shadow: true
    require: reason
`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assent-declared-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('judges in its realm as the file’s rules do here, and is the same wherever the file lies', async () => {
  const [one, other] = [join(folder, 'rules.yaml'), join(folder, 'other.yml')];
  await Promise.all([writeFile(one, TEXT), writeFile(other, TEXT)]);
  const bundle = await bundlePolicy(one);
  expect((await bundlePolicy(other)).digest).toBe(bundle.digest);
  expect(bundle.files).toEqual([one]);
  const bundled = loadBundle(bundle.source, { trusted: true }).courtOf() as Court;
  const read = declaredRules(TEXT, 'yaml', one);
  const here = court(withDeclaredRules(corePolicies, read.ok ? read.value.specs : []));
  const hours = fc.integer({ min: 0, max: 24 * 14 }).map((hour) => NOW_MS + hour * 3_600_000);
  fc.assert(
    fc.property(
      fc.constantFrom(...RUN_KINDS),
      fc.constantFrom(...FROM_TYPES),
      fc.constantFrom('RUNNING', 'FAILED', 'CANCELLING', 'SCHEDULED'),
      fc.constantFrom(...MANY_FACTS),
      hours,
      (kind, from, to, known, nowMs) => {
        const asked = transition(from, stateOf(to), { kind });
        const facts = { ...known, nowMs: nowMs as typeof NOW_MS };
        expect(judge(bundled, asked, () => facts)).toEqual(judge(here, asked, () => facts));
      },
    ),
    { numRuns: 500 },
  );
});

test('a file with mistakes is not bundled, and all of them are said', async () => {
  const file = join(folder, 'wrong.toml');
  await writeFile(file, '[[rules]]\nname = "a"\nsummary = "s"\nwhen = "run.nam"\nreject = { code = "STALE" }\n');
  await expect(bundlePolicy(file)).rejects.toThrow(/wrong\.toml:5: rule 'a': reject\.code/);
});
