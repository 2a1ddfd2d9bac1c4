/**
 * The pages of docs/api/: one for each entry point of the package, made of the doc comments of what it exports.
 *
 * P1 Every export has a section. A type that is not exported has one when an exported signature names it.
 * P2 A name in a type leads to its section; a signature, which is one block, is followed by the links of its names.
 */
import { Sources, type Doc, type Exported, type Kind, type Member } from './api-exports.ts';

type EntryPoint = { readonly name: string; readonly source: string; readonly page: string; readonly about: string };

const ENTRY_POINTS: readonly EntryPoint[] = [
  {
    name: 'assent',
    source: 'sdk/index.ts',
    page: 'assent.md',
    about: 'What flows and tasks are written with. The [tutorial](../guides/tutorial.md) introduces it step by step.',
  },
  {
    name: 'assent/rules',
    source: 'rules/index.ts',
    page: 'assent-rules.md',
    about: 'What rules and policies are written with. [Write a rule](../guides/write-a-rule.md) introduces it.',
  },
  {
    name: 'assent/testing',
    source: 'test/testing/index.ts',
    page: 'assent-testing.md',
    about:
      'Rules and flows under test, without an engine. [Testing rules](../guides/testing-rules.md) and [testing flows](../guides/testing-flows.md) introduce it.',
  },
];

type Page = { readonly path: string; readonly text: string };
/** Where a name in a type leads, seen from one page. */
type Links = ReadonlyMap<string, string>;

/** The pages, before they are formatted. `kinds` are the kinds of errors, which are shown as code. */
export function apiPages(root: string, generatedFrom: string, kinds: readonly string[]): readonly Page[] {
  const sources = new Sources(root);
  const shown = ENTRY_POINTS.map((entry) => ({ entry, exports: sources.exportsOf(entry.source) }));
  const exported = new Set(shown.flatMap(({ exports }) => exports.map(({ name }) => name)));
  const kind = new RegExp(`(?<![\\w\`])(?:${kinds.join('|')})(?![\\w\`])`, 'g');
  const pages = shown.map(({ entry, exports }) => {
    const others = othersIn(sources, exports, exported);
    // What this page has goes before what another has under the same name.
    const elsewhere = shown.flatMap((other) => other.exports.map((one) => linkTo(one, other.entry.page)));
    const here = [...others, ...exports].map((one) => linkTo(one, ''));
    const links = new Map([...elsewhere, ...here]);
    const text = new PageText(links, kind).page(entry, generatedFrom, exports, others);
    return { path: `docs/api/${entry.page}`, text };
  });
  return [overview(generatedFrom), ...pages];
}

function overview(generatedFrom: string): Page {
  const rows = ENTRY_POINTS.map(({ name, page, about }) => `| [\`${name}\`](${page}) | ${about} |`);
  const table = ['| entry point | what it is for |', '| --- | --- |', ...rows].join('\n');
  return { path: 'docs/api/README.md', text: ['# API reference', generatedFrom, table].join('\n\n') };
}

/** The types that signatures of exports name and that no entry point exports. */
function othersIn(sources: Sources, exports: readonly Exported[], exported: ReadonlySet<string>): readonly Exported[] {
  const known = new Set(exported);
  const found: Exported[] = [];
  for (const { file, uses } of exports) {
    for (const name of uses.filter((one) => !known.has(one))) {
      const type = sources.typeUsedIn(file, name);
      if (type === undefined) continue;
      known.add(name);
      found.push(type);
    }
  }
  return found;
}

const HEADINGS: Readonly<Record<Kind, (name: string) => string>> = {
  function: (name) => `\`${name}()\``,
  value: (name) => `Constant \`${name}\``,
  class: (name) => `Class \`${name}\``,
  type: (name) => `Type \`${name}\``,
};
const ANCHORS: Readonly<Record<Kind, string>> = { function: '', value: 'constant-', class: 'class-', type: 'type-' };

/** A function and its type may differ in nothing but the case; the anchors of GitHub know no case. */
const linkTo = ({ kind, name }: Exported, page: string): readonly [string, string] => [
  name,
  `${page}#${ANCHORS[kind]}${name.toLowerCase()}`,
];

class PageText {
  readonly #links: Links;
  readonly #kind: RegExp;

  constructor(links: Links, kind: RegExp) {
    this.#links = links;
    this.#kind = kind;
  }

  page(entry: EntryPoint, generatedFrom: string, exports: readonly Exported[], others: readonly Exported[]): string {
    const code = exports.filter(({ kind }) => kind !== 'type');
    const types = exports.filter(({ kind }) => kind === 'type');
    return [
      `# API: ${entry.name}`,
      generatedFrom,
      `${entry.about} Kinds of errors are explained in [errors](../errors.md). [All entry points](README.md).`,
      this.#contents('function, class or constant', code),
      this.#contents('type', types),
      ...code.map((one) => this.#section(one)),
      '## Types',
      ...types.map((one) => this.#section(one, '###')),
      ...(others.length === 0 ? [] : ['## Types without an export', 'They stand in the signatures above.']),
      ...others.map((one) => this.#section(one, '###')),
    ].join('\n\n');
  }

  #contents(what: string, exports: readonly Exported[]): string {
    const rows = exports.map(
      (one) => `| [\`${one.name}\`](${linkTo(one, '')[1]}) | ${firstSentence(this.#prose(one.doc.text))} |`,
    );
    return [`| ${what} | what it is |`, '| --- | --- |', ...rows].join('\n');
  }

  #section({ name, kind, doc, signatures, extended, members, uses }: Exported, level = '##'): string {
    const inMembers = new Set(members.flatMap(({ type }) => type.match(/\w+/g) ?? []));
    const used = uses.filter((one) => one !== name && this.#links.has(one) && !inMembers.has(one));
    return [
      `${level} ${HEADINGS[kind](name)}`,
      ...(signatures.length === 0 ? [] : [['```ts', ...signatures, '```'].join('\n')]),
      ...(signatures.length === 0 || used.length === 0
        ? []
        : [`Types: ${used.map((one) => this.#link(one)).join(', ')}.`]),
      ...(doc.text === '' ? [] : [this.#prose(doc.text)]),
      ...(extended === undefined ? [] : [`Has all of ${this.#type(extended)}${members.length > 0 ? ', and:' : '.'}`]),
      ...(members.length === 0 ? [] : [members.map((member) => this.#member(member)).join('\n')]),
      ...this.#tags(doc),
    ].join('\n\n');
  }

  #member({ name, type, isCall, doc }: Member): string {
    const typed = type === '' ? '' : `${isCall ? '' : ':'} ${this.#type(type)}`;
    const head = name === '' ? typed.trim() : `**\`${name}\`**${typed}`;
    const rest = doc.tags.map(({ name: tag, text }) => `${tag === 'throws' ? 'Throws: ' : `${tag}: `}${text}`);
    const said = [doc.text, ...rest]
      .filter((text) => text !== '')
      .map((text) => this.#prose(text).replaceAll('\n', ' '));
    return said.length === 0 ? `- ${head}` : `- ${head}<br>${said.join(' ')}`;
  }

  #tags({ tags }: Doc): readonly string[] {
    const of = (name: string): readonly string[] => tags.filter((tag) => tag.name === name).map(({ text }) => text);
    const list = (texts: readonly string[]): string =>
      texts.map((text) => `- ${this.#prose(text).replaceAll('\n', ' ')}`).join('\n');
    const parameters = of('param').map((text) => text.replace(/^(\S+) /, '`$1`: '));
    return [
      ...(parameters.length === 0 ? [] : ['Parameters:', list(parameters)]),
      ...of('returns').map((text) => `Returns ${this.#prose(text)}`),
      ...(of('throws').length === 0 ? [] : ['Throws:', list(of('throws'))]),
      ...of('example').map((code) => ['```ts', code, '```'].join('\n')),
    ];
  }

  #prose(text: string): string {
    return text
      .replaceAll(/\{@link (\w+)[.\w]*\}/g, (_, name: string) => this.#link(name))
      .split(/(`[^`]*`)/)
      .map((part) => (part.startsWith('`') ? part : part.replaceAll(this.#kind, '`$&`')))
      .join('');
  }

  #link(name: string): string {
    const target = this.#links.get(name);
    return target === undefined ? `\`${name}\`` : `[\`${name}\`](${target})`;
  }

  /** A type as code whose names are links: spans of code, one after the other. */
  #type(type: string): string {
    const flat = type
      .replaceAll(/\/\*[\s\S]*?\*\//g, '')
      .replaceAll(/\s+/g, ' ')
      .replaceAll(/readonly (?=\w+[?]?:)/g, '')
      .trim();
    return flat
      .split(/(\b[A-Z]\w*\b)/)
      .filter((part) => part !== '')
      .reduce<string[]>((parts, part) => {
        const last = parts.at(-1);
        if (this.#links.has(part)) return [...parts, this.#link(part)];
        return last === undefined || last.startsWith('[`') ? [...parts, part] : [...parts.slice(0, -1), last + part];
      }, [])
      .map((part) => (part.startsWith('[`') ? part : codeSpan(part)))
      .join('');
  }
}

/** Spaces at the ends of a span of code are not shown, so they stand beside it. */
function codeSpan(text: string): string {
  const [, before = '', code = '', after = ''] = /^(\s*)(.*?)(\s*)$/.exec(text) ?? [];
  if (code === '') return text;
  return `${before}${code.includes('`') ? `\`\` ${code} \`\`` : `\`${code}\``}${after}`;
}

const firstSentence = (text: string): string =>
  (/^[\s\S]*?[.:](?=\s|$)/.exec(text)?.[0] ?? text).replace(/:$/, '.').replaceAll('\n', ' ').replaceAll('|', '\\|');
