/**
 * Reads what an entry point exports, with the doc comments, from the sources' syntax trees. Owned here: finding a name's
 * declaration through re-exports and imports. How it looks on a page is in api-pages.ts.
 *
 * X1 Nothing is type-checked: a signature is what the source says, and the lint rules see to it that it says all.
 * X2 A name that an entry point exports and that cannot be found is an error, never left out.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';

export type Tag = { readonly name: string; readonly text: string };
export type Doc = { readonly text: string; readonly tags: readonly Tag[] };
/** Of a method, the type is its parameters and what it returns. */
export type Member = {
  readonly name: string;
  readonly type: string;
  readonly isCall: boolean;
  readonly doc: Doc;
};
export type Kind = 'function' | 'value' | 'class' | 'type';

/** One export: its signatures as TypeScript text, and its members where it has some to tell apart. */
export type Exported = {
  readonly name: string;
  readonly kind: Kind;
  readonly file: string;
  readonly doc: Doc;
  readonly signatures: readonly string[];
  readonly extended: string | undefined;
  readonly members: readonly Member[];
  /** Every name that stands in a type position. */
  readonly uses: readonly string[];
};

type Declared = { readonly file: string; readonly nodes: readonly ts.Declaration[] };

/** Sources by their path from the root; each is read and parsed once. */
export class Sources {
  readonly #root: string;
  readonly #parsed = new Map<string, ts.SourceFile>();

  constructor(root: string) {
    this.#root = root;
  }

  /** The exports of a file, in the order in which it names them. */
  exportsOf(entry: string): readonly Exported[] {
    return this.#parse(entry).statements.flatMap((statement) => {
      if (!ts.isExportDeclaration(statement) || statement.exportClause === undefined) return [];
      if (!ts.isNamedExports(statement.exportClause)) throw new Error(`${entry} exports without names`);
      const from = pathOf(entry, statement.moduleSpecifier);
      return statement.exportClause.elements.map((one) => {
        const found = from === undefined ? undefined : this.#find(from, (one.propertyName ?? one.name).text);
        if (found === undefined) throw new Error(`${entry}: there is no ${one.name.text} in ${String(from)}`);
        return exported(one.name.text, found);
      });
    });
  }

  /** A type that stands in a signature, as it is declared in the project; undefined if it is a package's or the language's. */
  typeUsedIn(file: string, name: string): Exported | undefined {
    const found = this.#find(file, name);
    const isType = found?.nodes.every((node) => ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node));
    return found === undefined || isType !== true ? undefined : exported(name, found);
  }

  #parse(path: string): ts.SourceFile {
    const known = this.#parsed.get(path);
    if (known !== undefined) return known;
    const text = readFileSync(join(this.#root, path), 'utf8');
    const made = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
    this.#parsed.set(path, made);
    return made;
  }

  #find(path: string, name: string): Declared | undefined {
    const { statements } = this.#parse(path);
    const nodes = statements.flatMap((statement) => declarationsIn(statement, name));
    if (nodes.length > 0) return { file: path, nodes };
    for (const statement of statements) {
      const [from, original] = importedAs(path, statement, name);
      if (from !== undefined) return this.#find(from, original);
    }
    return undefined;
  }
}

/** The file of a relative module; undefined for a package. */
function pathOf(from: string, specifier: ts.Expression | undefined): string | undefined {
  if (specifier === undefined || !ts.isStringLiteral(specifier) || !specifier.text.startsWith('.')) return undefined;
  return join(dirname(from), specifier.text);
}

function importedAs(path: string, statement: ts.Statement, name: string): [from: string | undefined, name: string] {
  const isImport = ts.isImportDeclaration(statement);
  if (!isImport && !ts.isExportDeclaration(statement)) return [undefined, name];
  const named = isImport ? statement.importClause?.namedBindings : statement.exportClause;
  if (named === undefined || (!ts.isNamedImports(named) && !ts.isNamedExports(named))) return [undefined, name];
  const elements: readonly (ts.ImportSpecifier | ts.ExportSpecifier)[] = named.elements;
  const found = elements.find((one) => one.name.text === name);
  if (found === undefined) return [undefined, name];
  return [pathOf(path, statement.moduleSpecifier), (found.propertyName ?? found.name).text];
}

function declarationsIn(statement: ts.Statement, name: string): readonly ts.Declaration[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.filter((one) => ts.isIdentifier(one.name) && one.name.text === name);
  }
  const isNamed =
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement);
  return isNamed && statement.name?.text === name ? [statement] : [];
}

function exported(name: string, { file, nodes }: Declared): Exported {
  const shown = withoutImplementation(nodes);
  const docs = nodes.map(docOf);
  const [first] = shown;
  if (first === undefined) throw new Error(`${file}: ${name} has no declaration`);
  return {
    name,
    file,
    kind: kindOf(first),
    doc: docs.find(({ text, tags }) => text !== '' || tags.length > 0) ?? { text: '', tags: [] },
    signatures: shown.map(signatureOf).filter((signature) => signature !== ''),
    extended: extendedBy(first),
    members: shown.flatMap(membersOf),
    uses: [...new Set(shown.flatMap(namesUsedIn))],
  };
}

/** Of an overloaded function, the signature of its body is nobody's to call. */
function withoutImplementation(nodes: readonly ts.Declaration[]): readonly ts.Declaration[] {
  const bodiless = nodes.filter((node) => ts.isFunctionDeclaration(node) && node.body === undefined);
  return bodiless.length > 0 ? bodiless : nodes;
}

function kindOf(node: ts.Declaration): Kind {
  if (ts.isClassDeclaration(node)) return 'class';
  if (functionIn(node) !== undefined) return 'function';
  return ts.isVariableDeclaration(node) ? 'value' : 'type';
}

type Function = ts.FunctionDeclaration | ts.ArrowFunction | ts.MethodDeclaration | ts.FunctionExpression;

function functionIn(node: ts.Node): Function | undefined {
  if (ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node)) return node;
  const isHolder = ts.isVariableDeclaration(node) || ts.isPropertyAssignment(node);
  const value = isHolder ? node.initializer : undefined;
  if (value === undefined || (ts.isVariableDeclaration(node) && node.type !== undefined)) return undefined;
  return ts.isArrowFunction(value) || ts.isFunctionExpression(value) ? value : undefined;
}

const textOf = (node: ts.Node | undefined): string => node?.getText() ?? '';

function callText(fn: ts.SignatureDeclaration): string {
  const types = fn.typeParameters === undefined ? '' : `<${fn.typeParameters.map(textOf).join(', ')}>`;
  const result = fn.type === undefined ? '' : `: ${textOf(fn.type)}`;
  return `${types}(${fn.parameters.map(textOf).join(', ')})${result}`;
}

/** As TypeScript would declare it; empty where the members say it all. */
function signatureOf(node: ts.Declaration): string {
  const fn = functionIn(node);
  const name = textOf((node as ts.NamedDeclaration).name);
  if (fn !== undefined) return `function ${name}${callText(fn)};`;
  if (ts.isVariableDeclaration(node)) {
    if (node.type !== undefined) return `const ${name}: ${textOf(node.type)};`;
    if (objectIn(node) !== undefined) return '';
    const { initializer } = node;
    const made = initializer !== undefined && ts.isNewExpression(initializer) ? initializer.expression : undefined;
    return `const ${made === undefined ? textOf(node) : `${name}: ${textOf(made)}`};`;
  }
  if (!ts.isTypeAliasDeclaration(node) || membersOf(node).length > 0) return '';
  const types = node.typeParameters === undefined ? '' : `<${node.typeParameters.map(textOf).join(', ')}>`;
  return `type ${name}${types} = ${literalsOf(node.type) ?? textOf(node.type)};`;
}

/** `(typeof NAMES)[number]`: the names themselves, where the list stands in the same file. */
function literalsOf(type: ts.TypeNode): string | undefined {
  if (!ts.isIndexedAccessTypeNode(type)) return undefined;
  const [, list = ''] = /^\(typeof (\w+)\)\[number\]$/.exec(textOf(type)) ?? [];
  const source = type.getSourceFile();
  const found = source.statements.flatMap((statement) => declarationsIn(statement, list));
  const [values] = found.map((one) => (ts.isVariableDeclaration(one) ? withoutAssertion(one.initializer) : undefined));
  if (values === undefined || !ts.isArrayLiteralExpression(values)) return undefined;
  return values.elements.every(ts.isStringLiteral) ? values.elements.map(textOf).join(' | ') : undefined;
}

/** Of `… as const` and `… satisfies T`, what comes before. */
function withoutAssertion(value: ts.Expression | undefined): ts.Expression | undefined {
  let bare = value;
  while (bare !== undefined && (ts.isAsExpression(bare) || ts.isSatisfiesExpression(bare))) bare = bare.expression;
  return bare;
}

function extendedBy(node: ts.Declaration): string | undefined {
  if (ts.isInterfaceDeclaration(node) || ts.isClassDeclaration(node)) {
    const bases = (node.heritageClauses ?? []).flatMap(({ types }) => types.map(textOf));
    return bases.length === 0 ? undefined : bases.join(', ');
  }
  if (!ts.isTypeAliasDeclaration(node) || !ts.isIntersectionTypeNode(node.type)) return undefined;
  const bases = node.type.types.filter((part) => !ts.isTypeLiteralNode(part));
  return membersOf(node).length === 0 || bases.length === 0 ? undefined : bases.map(textOf).join(' & ');
}

/** `{ … }`, also `{ … } as const` and `Object.freeze({ … })`. */
function objectIn(node: ts.VariableDeclaration): ts.ObjectLiteralExpression | undefined {
  let value = withoutAssertion(node.initializer);
  if (value !== undefined && ts.isCallExpression(value)) value = value.arguments[0];
  return value !== undefined && ts.isObjectLiteralExpression(value) ? value : undefined;
}

function membersOf(node: ts.Declaration): readonly Member[] {
  if (ts.isInterfaceDeclaration(node)) return node.members.flatMap(memberOf);
  if (ts.isClassDeclaration(node)) return node.members.filter(isPublic).flatMap(memberOf);
  if (ts.isVariableDeclaration(node)) {
    if (node.type !== undefined) return [];
    return (objectIn(node)?.properties ?? []).filter((one) => functionIn(one) !== undefined).flatMap(memberOf);
  }
  if (!ts.isTypeAliasDeclaration(node)) return [];
  if (ts.isTypeLiteralNode(node.type)) return node.type.members.flatMap(memberOf);
  if (!ts.isIntersectionTypeNode(node.type)) return [];
  return node.type.types.flatMap((part) => (ts.isTypeLiteralNode(part) ? part.members.flatMap(memberOf) : []));
}

/** How every value is turned into text; said of the class where it matters. */
const OF_EVERY_OBJECT: readonly string[] = ['toString', 'toJSON', 'valueOf'];

function isPublic(node: ts.ClassElement): boolean {
  if (docOf(node).tags.some(({ name }) => name === 'internal') || OF_EVERY_OBJECT.includes(textOf(node.name)))
    return false;
  if (node.name !== undefined && (ts.isPrivateIdentifier(node.name) || ts.isComputedPropertyName(node.name)))
    return false;
  // What overrides something and says nothing about it is what the base says; who makes it is said of the class.
  const isOverride = ts.canHaveModifiers(node) && hasModifier(node, ts.SyntaxKind.OverrideKeyword);
  if ((isOverride || ts.isConstructorDeclaration(node)) && docOf(node).text === '') return false;
  if (!ts.canHaveModifiers(node)) return true;
  return !hasModifier(node, ts.SyntaxKind.PrivateKeyword) && !hasModifier(node, ts.SyntaxKind.ProtectedKeyword);
}

const hasModifier = (node: ts.HasModifiers, wanted: ts.SyntaxKind): boolean =>
  ts.getModifiers(node)?.some(({ kind }) => kind === wanted) === true;

function memberOf(node: ts.TypeElement | ts.ClassElement | ts.ObjectLiteralElementLike): readonly Member[] {
  const isStatic = ts.canHaveModifiers(node) && hasModifier(node, ts.SyntaxKind.StaticKeyword);
  const name = `${isStatic ? 'static ' : ''}${textOf(node.name)}${mark(node)}`;
  const member = (type: string, isCall: boolean, named = name): readonly Member[] => [
    { name: named, type, isCall, doc: docOf(node) },
  ];
  const fn = functionIn(node);
  if (fn !== undefined) return member(callText(fn), true);
  if (ts.isMethodSignature(node)) return member(callText(node), true);
  if (ts.isCallSignatureDeclaration(node)) return member(callText(node), true, '');
  if (ts.isConstructorDeclaration(node)) return member(callText(node), true, 'new');
  if (ts.isGetAccessorDeclaration(node) || ts.isPropertySignature(node)) return member(textOf(node.type), false);
  return ts.isPropertyDeclaration(node) ? member(textOf(node.type), false) : [];
}

const mark = (node: ts.Node): string =>
  (node as { readonly questionToken?: ts.Node }).questionToken === undefined ? '' : '?';

function docOf(node: ts.Node): Doc {
  // A variable's comment stands at its statement.
  const holder = ts.isVariableDeclaration(node) ? node.parent.parent : node;
  const comment = ts.getJSDocCommentsAndTags(holder).find((one) => ts.isJSDoc(one));
  if (comment === undefined) return { text: '', tags: [] };
  const tags = (comment.tags ?? []).map((tag) => {
    const parameter = ts.isJSDocParameterTag(tag) ? `${textOf(tag.name)} ` : '';
    return { name: tag.tagName.text, text: `${parameter}${proseOf(tag.comment)}`.trim() };
  });
  return {
    text: proseOf(comment.comment),
    tags: tags.map((tag) => (tag.name === 'example' ? exampleIn(tag, comment) : tag)),
  };
}

/** `{@link X}` stays as it is written, for the page to make a link of. */
function proseOf(comment: string | ts.NodeArray<ts.JSDocComment> | undefined): string {
  if (comment === undefined || typeof comment === 'string') return comment ?? '';
  return comment.map((part) => (ts.isJSDocLink(part) ? `{@link ${textOf(part.name)}}` : part.text)).join('');
}

/** As it is written: the parser would take what begins with an `@` for a tag, and `{@link}` apart. */
function exampleIn(tag: Tag, comment: ts.JSDoc): Tag {
  const [, written = ''] = /\* @example\n([\s\S]*?)\n? *\*\/$/.exec(comment.getText()) ?? [];
  return { ...tag, text: written.replace(/^ *\* ?/gm, '') };
}

function namesUsedIn(node: ts.Declaration): readonly string[] {
  const names: string[] = [];
  const visit = (one: ts.Node): void => {
    // What is not shown is not used.
    if (ts.isClassElement(one) && ts.isClassDeclaration(one.parent) && !isPublic(one)) return;
    if (ts.isBlock(one) || (ts.isArrowFunction(one.parent) && one === one.parent.body)) return;
    if (ts.isTypeReferenceNode(one) && ts.isIdentifier(one.typeName)) names.push(one.typeName.text);
    if (ts.isExpressionWithTypeArguments(one) && ts.isIdentifier(one.expression)) names.push(one.expression.text);
    ts.forEachChild(one, visit);
  };
  visit(node);
  const own = new Set(typeParametersIn(node));
  return names.filter((name) => !own.has(name));
}

function typeParametersIn(node: ts.Node): readonly string[] {
  const names: string[] = [];
  const visit = (one: ts.Node): void => {
    if (ts.isTypeParameterDeclaration(one)) names.push(one.name.text);
    ts.forEachChild(one, visit);
  };
  visit(node);
  return names;
}
