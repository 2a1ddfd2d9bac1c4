/**
 * A file of declared rules as text: parsed into plain data, with the lines on which its parts stand, so that a mistake is
 * named where it was made. YAML 1.2 and TOML 1.0.
 */
import { parse as parseToml, TomlError } from 'smol-toml';
import { isMap, isNode, isScalar, LineCounter, parseDocument, type Document } from 'yaml';

export type DeclaredFormat = 'yaml' | 'toml';
export type DataPath = readonly PropertyKey[];

export type Source = {
  readonly data: unknown;
  /** The line of what a path leads to, or of the nearest thing around it that has one. */
  readonly lineOf: (path: DataPath) => number;
};
export type SourceProblem = { readonly line: number; readonly detail: string };
export type ReadSource =
  { readonly ok: true; readonly source: Source } | { readonly ok: false; readonly problems: readonly SourceProblem[] };

/** The format that the name of a file says; undefined if it is none of a declared file. */
export function formatOf(file: string): DeclaredFormat | undefined {
  if (/\.ya?ml$/i.test(file)) return 'yaml';
  return /\.toml$/i.test(file) ? 'toml' : undefined;
}

export const readSource = (text: string, format: DeclaredFormat): ReadSource =>
  format === 'yaml' ? readYaml(text) : readToml(text);

function readYaml(text: string): ReadSource {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, version: '1.2', logLevel: 'silent', prettyErrors: false });
  const problems = [...document.errors, ...document.warnings].map(({ pos, message }) => ({
    line: lines.linePos(pos[0]).line,
    detail: message,
  }));
  if (problems.length > 0) return { ok: false, problems };
  try {
    const data: unknown = document.toJS({ maxAliasCount: 100 });
    return { ok: true, source: { data, lineOf: (path) => lines.linePos(yamlOffset(document, path)).line } };
  } catch (error) {
    return { ok: false, problems: [{ line: 1, detail: messageOf(error) }] };
  }
}

/** Where the deepest known part of the path begins; of a field, where its name stands. */
export function yamlOffset(document: Document, path: DataPath): number {
  let offset = 0;
  for (let depth = 1; depth <= path.length; depth += 1) {
    const parent: unknown = depth === 1 ? document.contents : document.getIn(path.slice(0, depth - 1), true);
    const step = path[depth - 1];
    const key = isMap(parent)
      ? parent.items.find(({ key }) => isScalar(key) && key.value === step)?.key
      : document.getIn(path.slice(0, depth), true);
    if (!isNode(key) || key.range == null) break;
    offset = key.range[0];
  }
  return offset;
}

function readToml(text: string): ReadSource {
  try {
    const data: unknown = parseToml(text);
    return { ok: true, source: { data, lineOf: (path) => tomlLine(text, path) } };
  } catch (error) {
    const line = error instanceof TomlError ? error.line : 1;
    const [detail = ''] = messageOf(error).split('\n');
    return { ok: false, problems: [{ line, detail: detail.replace(/^Invalid TOML document: /, '') }] };
  }
}

/** The parser keeps no places: a rule begins at its `[[rules]]`, and a field of it where its name begins a line. */
function tomlLine(text: string, [first, index, ...rest]: DataPath): number {
  if (first !== 'rules' || typeof index !== 'number') return 1;
  const { begin, end } = tomlTable(text, index);
  const lines = text.split('\n').slice(begin, end);
  let found = 0;
  for (const field of rest) {
    const at = lines.findIndex((line, i) => i >= found && begins(line, String(field)));
    if (at < 0) break;
    found = at;
  }
  return begin + found + 1;
}

const begins = (line: string, field: string): boolean => {
  const start = line.trimStart();
  if (/^\[rules\./.test(start)) return start.startsWith(`[rules.${field}]`);
  const name = start.startsWith('"') ? start.slice(1) : start;
  return name.startsWith(field) && /^"?\s*[=.]/.test(name.slice(field.length));
};

/** The lines of the rule with this index: from its header to the next one's, or to the end. */
export function tomlTable(text: string, index: number): { readonly begin: number; readonly end: number } {
  const lines = text.split('\n');
  const headers = [...lines.keys()].filter((i) => /^\s*\[\[\s*rules\s*\]\]/.test(lines[i] ?? ''));
  const begin = headers[index] ?? 0;
  return { begin, end: headers[index + 1] ?? lines.length };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
