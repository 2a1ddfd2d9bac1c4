/** Answers about the variables of the workspace. */
import type { RunId } from '../../protocol/ids.ts';
import type { Answers, QueryOf } from '../../protocol/query.ts';
import type { VariableRow } from '../../protocol/query-workspace.ts';
import type { Value } from '../../protocol/values.ts';
import { cutPage, PAGE_ROWS } from './pages.ts';
import type { Bound, Row, ViewFile } from './view-file.ts';

export function answerVariables(
  view: ViewFile,
  { name, after = '', limit = PAGE_ROWS }: QueryOf<'VARIABLES'>,
): Answers['VARIABLES'] {
  const isNamed = name === undefined ? '' : ' AND name = ?';
  const values: Bound[] = name === undefined ? [after] : [after, name];
  const found = view.all(
    `SELECT * FROM variables WHERE name > ?${isNamed} ORDER BY name LIMIT ?`,
    ...values,
    limit + 1,
  );
  const { rows, more } = cutPage(found.map(variableRow), limit);
  const last = rows.at(-1);
  return { variables: rows, ...(more && last !== undefined ? { next: last.variable } : {}) };
}

const variableRow = (row: Row): VariableRow => ({
  variable: String(row['name']),
  value: JSON.parse(String(row['value'])) as Value,
  ...(row['tags'] === null ? {} : { tags: JSON.parse(String(row['tags'])) as string[] }),
  by: String(row['set_by']),
  ...(row['run'] === null ? {} : { run: row['run'] as RunId }),
  atMs: Number(row['at_ms']),
  at: { seq: Number(row['seq']), index: Number(row['idx']) },
});
