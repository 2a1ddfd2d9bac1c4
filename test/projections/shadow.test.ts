/** What the view holds of shadow rules, on random histories that were ruled on beside some. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { withDeclaredRules } from '../../engine/declared/compile.ts';
import { declaredRules } from '../../engine/declared/declared-rules.ts';
import { answerShadow } from '../../engine/projections/answer-shadow.ts';
import { Bodies } from '../../engine/projections/bodies.ts';
import { Projector } from '../../engine/projections/projector.ts';

import type { Ruling } from '../../protocol/rulings.ts';
import type { FlipPosition, FlipRow } from '../../protocol/shadow.ts';
import { court } from '../../rules/judge.ts';
import { corePolicies } from '../../rules/policy.ts';
import { replayProblems } from '../support/replayed.ts';
import { History } from './history.ts';

const folder = mkdtempSync(join(tmpdir(), 'assent-view-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const SHADOWS = declaredRules(
  `
rules:
  - name: by-chance
    summary: Refuses some.
    when: chance < 0.3 && run.attempt < 5
    reject: { code: UNLUCKY }
    shadow: true
  - name: not-now
    summary: Holds flow runs.
    on: flow
    hold: { for: 1h }
    shadow: true
  - name: never-again
    summary: Ends what failed.
    from: RUNNING
    to: FAILED
    rewrite: { to: CANCELLED }
    shadow: true
  - name: by-zero
    summary: Cannot be judged.
    when: 1 / (run.attempt - run.attempt) == 0
    reject: {}
    shadow: true
`,
  'yaml',
  'shadows.yaml',
);
if (!SHADOWS.ok) throw new Error(JSON.stringify(SHADOWS.problems));
const { specs } = SHADOWS.value;
const besides = court(withDeclaredRules(corePolicies, specs));

type Row = { asked: number; flips: number; errors: number };

/** Counted from the rulings by what the words mean: what came out otherwise, of what was not refused anyway. */
function countedOf(rulings: readonly Ruling[], sinceMs: number): Map<string, Row> {
  const rows = new Map<string, Row>();
  const would = { reject: 'rejected', error: 'rejected', hold: 'held', rewrite: 'another', pass: '' };
  for (const { shadow = [], outcome, atMs } of rulings) {
    if (atMs < sinceMs) continue;
    for (const entry of shadow) {
      const { rule, opinion } = typeof entry === 'string' ? { rule: entry, opinion: 'pass' as const } : entry;
      const row = rows.get(rule) ?? { asked: 0, flips: 0, errors: 0 };
      rows.set(rule, row);
      row.asked += 1;
      if (opinion === 'error') row.errors += 1;
      if (opinion !== 'pass' && outcome !== 'rejected' && outcome !== would[opinion]) row.flips += 1;
    }
  }
  return rows;
}

test.each([1, 2, 3])('history %i: counts and flips are those of the rulings, and the ledger replays', async (seed) => {
  const history = new History(seed, besides).grow(400);
  const projector = new Projector({
    ledger: history.log,
    path: join(folder, `${String(seed)}.sqlite`),
    say: () => undefined,
    flushMs: 1,
  });
  projector.start();
  await projector.reached(history.seq, 10_000);
  const bodies = new Bodies(history.log);
  const ask = (rest: object) => answerShadow(projector.serving, bodies, { v: 1, type: 'SHADOW', ...rest });

  const all = await ask({ limit: 1000 });
  const counted = countedOf(history.rulings, 0);
  expect(counted.size).toBe(4);
  for (const { rule, asked, flips, errors, passed, rewrote, rejected, held } of all.rules) {
    expect({ asked, flips, errors }).toEqual(counted.get(rule));
    expect(passed + rewrote + rejected + held + errors).toBe(asked);
  }
  expect(all.flips).toHaveLength([...counted.values()].reduce((sum, { flips }) => sum + flips, 0));
  expect(new Set(all.flips.map(({ opinion }) => opinion))).toEqual(new Set(['reject', 'hold', 'rewrite', 'error']));
  expect(all.flips.every(({ why }) => why !== '')).toBe(true);

  const paged: FlipRow[] = [];
  for (let before: FlipPosition | undefined, more = true; more;) {
    const page: Awaited<ReturnType<typeof ask>> = await ask({ limit: 7, ...(before === undefined ? {} : { before }) });
    paged.push(...page.flips);
    before = page.next;
    more = before !== undefined;
  }
  expect(paged).toEqual(all.flips);

  const one = await ask({ rule: 'not-now', limit: 1000 });
  expect(one.rules.map(({ rule }) => rule)).toEqual(['not-now']);
  expect(one.flips).toEqual(all.flips.filter(({ shadow }) => shadow === 'not-now'));
  const sinceMs = history.rulings[200]?.atMs ?? 0;
  expect((await ask({ sinceMs, limit: 1000 })).flips).toEqual(all.flips.filter(({ ruling }) => ruling.atMs >= sinceMs));

  expect(await replayProblems(history.log, besides)).toEqual([]);
  await projector.stop();
});
