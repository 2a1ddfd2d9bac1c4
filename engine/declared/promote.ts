/**
 * Takes a rule of a file out of the shadow by the smallest change of its text: the line that says so goes. Comments and
 * the layout stay. Pure.
 *
 * G1 Nothing else is changed: the new text, read again, says the same as the old one but for this.
 */
import { isMap, isPair, isScalar, isSeq, parseDocument, type Pair } from 'yaml';
import { declaredRules } from './declared-rules.ts';
import { tomlTable, type DeclaredFormat } from './source.ts';

export type Promotion =
  | { readonly type: 'PROMOTED'; readonly text: string; readonly line: number }
  /** Nothing is to be done, or cannot be done by a machine; `detail` says why. */
  | { readonly type: 'NO_RULE' | 'IN_FORCE' | 'UNREADABLE'; readonly detail: string };

/** `file` is for what is said only. */
export function promoted(text: string, format: DeclaredFormat, rule: string, file: string): Promotion {
  const before = declaredRules(text, format, file);
  if (!before.ok) return { type: 'UNREADABLE', detail: `${file} has a mistake: see assent policy check ${file}` };
  const { specs } = before.value;
  const index = specs.findIndex(({ name }) => name === rule);
  const shadows = specs.filter(({ shadow }) => shadow).map(({ name }) => name);
  if (index < 0) {
    const there = shadows.length === 0 ? 'none is in the shadow' : `in the shadow: ${shadows.join(', ')}`;
    return { type: 'NO_RULE', detail: `${file} has no rule '${rule}'; ${there}` };
  }
  if (specs[index]?.shadow !== true) return { type: 'IN_FORCE', detail: `the rule '${rule}' is in force already` };
  const change = format === 'yaml' ? yamlChange(text, index) : tomlChange(text, index);
  if (change === undefined) return { type: 'UNREADABLE', detail: `${file}: take 'shadow' away by hand` };
  const after = declaredRules(change.text, format, file);
  const wanted = specs.map((spec) => (spec.name === rule ? { ...spec, shadow: false } : spec));
  const isRight = after.ok && JSON.stringify(after.value.specs) === JSON.stringify(wanted);
  return isRight
    ? { type: 'PROMOTED', ...change }
    : { type: 'UNREADABLE', detail: `${file}: take 'shadow' away by hand` };
}

type Change = { readonly text: string; readonly line: number };

function yamlChange(text: string, index: number): Change | undefined {
  const rules: unknown = parseDocument(text).get('rules');
  const item: unknown = isSeq(rules) ? rules.items[index] : undefined;
  const pair = isMap(item) ? item.items.find(({ key }) => isScalar(key) && key.value === 'shadow') : undefined;
  const [begin, end] = pairRange(pair) ?? [];
  if (begin === undefined || end === undefined) return undefined;
  const lineBegin = text.lastIndexOf('\n', begin - 1) + 1;
  const line = text.slice(0, begin).split('\n').length;
  const rest = /^[ \t]*(?:#[^\n]*)?(?:\r?\n|$)/.exec(text.slice(end))?.[0];
  const isAlone = rest !== undefined && text.slice(lineBegin, begin).trim() === '';
  // On a line with others, or as the first word of the rule: said, rather than taken away.
  if (!isAlone) return { text: `${text.slice(0, begin)}shadow: false${text.slice(end)}`, line };
  return { text: text.slice(0, lineBegin) + text.slice(end + rest.length), line };
}

/** From the name's first character to the value's last. */
function pairRange(pair: Pair | undefined): readonly [number, number] | undefined {
  if (!isPair(pair) || !isScalar(pair.key) || !isScalar(pair.value)) return undefined;
  const begin = pair.key.range?.[0];
  const end = pair.value.range?.[1];
  return begin === undefined || end === undefined ? undefined : [begin, end];
}

function tomlChange(text: string, index: number): Change | undefined {
  const { begin, end } = tomlTable(text, index);
  const lines = text.split('\n');
  const at = lines.findIndex((line, i) => i > begin && i < end && /^\s*"?shadow"?\s*=\s*true\s*(#.*)?$/.test(line));
  return at < 0 ? undefined : { text: lines.toSpliced(at, 1).join('\n'), line: at + 1 };
}
