/**
 * Finds dynamic imports in a source, before it is run: what such a call answers with belongs to the process, and by its
 * constructor leads out of the realm (realm.ts), whether the import is refused or not.
 *
 * I1 No call is missed. It is looked for in the text, for `import` is a keyword, which cannot be written otherwise; so
 *    `import (` in a string is found, too. Bundles have none: esbuild takes them out.
 */

/** White space, or a whole comment in one of the ways in which scripts may have them. Each part can match in one way only. */
const GAP = String.raw`(?:\s|/\*(?:[^*]|\*(?!/))*\*/|(?://|<!--|-->)[^\n\r\u2028\u2029]*(?=[\n\r\u2028\u2029]|$))*`;
/** `import(…)`, and what newer engines know besides: `import.source(…)`, `import.defer(…)`. */
const IMPORT = new RegExp(String.raw`(?<![\w$])import${GAP}(?:\.${GAP}[\w\\{}]+${GAP})?\(`);

/** The line of the first dynamic import. */
export function importIn(source: string): number | undefined {
  const found = IMPORT.exec(source);
  return found === null ? undefined : source.slice(0, found.index).split('\n').length;
}
