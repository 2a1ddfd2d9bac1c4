import { describe, expect, test } from 'vitest';
import { STATE_TYPES } from '../../protocol/states.ts';
import { fenceStaleExecutions } from '../../rules/fence-stale-executions.ts';
import type { RunKind } from '../../rules/rule.ts';
import { facts, FROM_TYPES, RUN_KINDS, testReach, transition } from './fixtures.ts';

testReach(fenceStaleExecutions, {
  on: RUN_KINDS,
  from: FROM_TYPES,
  to: STATE_TYPES,
});

type Row = {
  readonly asked: number | undefined;
  readonly kind: RunKind;
  readonly report?: boolean;
  readonly by?: string;
  readonly opinion: 'PASS' | 'REJECT';
};

const rows: readonly Row[] = [
  // The current execution, anybody.
  ...RUN_KINDS.flatMap((kind): Row[] => [
    { asked: 2, kind, opinion: 'PASS' },
    { asked: 2, kind, report: true, opinion: 'PASS' },
  ]),
  // Another execution, whoever it is.
  ...RUN_KINDS.flatMap((kind): Row[] => [
    { asked: 1, kind, opinion: 'REJECT' },
    { asked: 3, kind, report: true, opinion: 'REJECT' },
    { asked: 0, kind, opinion: 'REJECT' },
    { asked: 1, kind, by: 'engine', opinion: 'REJECT' },
  ]),
  // None, the engine.
  { asked: undefined, kind: 'flow', by: 'engine', opinion: 'PASS' },
  { asked: undefined, kind: 'task', by: 'engine', opinion: 'PASS' },
  { asked: undefined, kind: 'subflow', by: 'engine', report: true, opinion: 'PASS' },
  // None, a wish on a run that is handed out.
  { asked: undefined, kind: 'flow', opinion: 'PASS' },
  { asked: undefined, kind: 'subflow', opinion: 'PASS' },
  { asked: undefined, kind: 'background', opinion: 'PASS' },
  // None, a task or a report.
  { asked: undefined, kind: 'flow', report: true, opinion: 'REJECT' },
  { asked: undefined, kind: 'subflow', report: true, opinion: 'REJECT' },
  { asked: undefined, kind: 'background', report: true, opinion: 'REJECT' },
  { asked: undefined, kind: 'task', opinion: 'REJECT' },
  { asked: undefined, kind: 'task', report: true, opinion: 'REJECT' },
];

describe('while execution 2 is current', () => {
  test.each(rows)(
    'execution $asked on a $kind (report: $report, by: $by) gets $opinion',
    ({ asked, kind, report = false, by = 'sdk', opinion }) => {
      const execution = { current: 2, ...(asked === undefined ? {} : { asked }) };
      const got = fenceStaleExecutions.judge(
        transition('RUNNING', 'COMPLETED', { kind, report, by }),
        facts({ execution }),
      );
      expect(got.type).toBe(opinion);
      if (got.type === 'REJECT') expect(got.code).toBe('FENCED');
    },
  );
});
