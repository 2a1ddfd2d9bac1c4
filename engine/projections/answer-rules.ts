/** The answer about the rules: how often each was asked, and what it said. */
import type { RuleRow } from '../../protocol/query.ts';
import type { ViewFile } from './view-file.ts';

export const ruleRows = (view: ViewFile): RuleRow[] =>
  view.all('SELECT * FROM rules ORDER BY rule, kind').map((row) => {
    const of = (column: string): number => Number(row[column]);
    const [passed, rewrote, rejected] = [of('passed'), of('rewrote'), of('rejected')];
    const [held, errors] = [of('held'), of('errors')];
    return {
      rule: String(row['rule']),
      kind: row['kind'] as RuleRow['kind'],
      asked: passed + rewrote + rejected + held + errors,
      passed,
      rewrote,
      rejected,
      held,
      errors,
      overridden: of('overridden'),
    };
  });
