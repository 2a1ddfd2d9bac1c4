/**
 * Makes one self-contained source of a policy module and all that it imports, the core rules included (esbuild).
 *
 * U1 The same files give the same bytes wherever they lie: the digest is that of what the rules are.
 * U2 `assent/rules` is this engine's own, whatever version of the package lies beside the module.
 * U3 What reads a clock, chance, timers or the machine is found here, by its name, in the author's own files; what hides
 *    from that is met by the realm (realm.ts) when it is asked.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { basename, dirname, extname, isAbsolute, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BuildOptions, BuildResult, Message, Plugin } from 'esbuild';
import type { Digest } from '../../protocol/ids.ts';
import { sha256 } from '../../protocol/segment.ts';
import { declaredRules, describeProblem, formatOf } from '../declared/index.ts';
import { BUNDLE_FILE } from './load-bundle.ts';
import { PolicyProblem } from './shape.ts';

export type Bundle = {
  readonly source: string;
  readonly digest: Digest;
  /** The files that it was made of, absolute; those of the engine and of packages are not among them. */
  readonly files: readonly string[];
  /** What went wrong in it, with the place in the author's files. */
  readonly explain: (error: unknown) => string;
};

const SCRIPTS: readonly string[] = ['.ts', '.mts', '.js', '.mjs'];
const DECLARED = '.yaml, .yml, .toml';

const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const own = (path: string): string => fileURLToPath(new URL(`../../${path}${extension}`, import.meta.url));
const RULES = own('rules/index');
const ENGINE_ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** @throws PolicyProblem, with a line for each thing that is wrong. */
export async function bundlePolicy(file: string): Promise<Bundle> {
  const path = resolve(file);
  const kind = extname(path);
  if (!existsSync(path) || !statSync(path).isFile())
    throw new PolicyProblem(`${shownPath(path)}: there is no such file`);
  if (SCRIPTS.includes(kind)) return bundleOf(moduleEntry(path), dirname(path));
  if (formatOf(path) !== undefined) {
    const bundle = await bundleOf(declaredEntry(path), dirname(path));
    return { ...bundle, files: [path], explain: (error) => `${shownPath(path)}: ${messageOf(error)}` };
  }
  throw new PolicyProblem(`${shownPath(path)}: a policy is a file ${SCRIPTS.join(', ')}, ${DECLARED}`);
}

/** The engine's own rules as a bundle. */
export const bundleCore = (): Promise<Bundle> => bundleOf(entryOf('', '{}'), ENGINE_ROOT);

const entryOf = (imports: string, policies: string): string => `${imports}
import { completePolicies } from 'assent/rules';
export const format = 1;
export const policies = completePolicies(${policies});
`;

const moduleEntry = (path: string): string =>
  entryOf(
    `import * as module from ${JSON.stringify(path)};
const given = Reflect.get(module, 'default') ?? Reflect.get(module, 'policies');
if (given === undefined) throw new Error('it exports no policies: say "export default definePolicies({ … })"');`,
    'given',
  );

/** Rules without code: what they say is checked here, and compiled where they are asked. */
function declaredEntry(path: string): string {
  const read = declaredRules(readFileSync(path, 'utf8'), formatOf(path) ?? 'yaml', shownPath(path));
  if (!read.ok) throw new PolicyProblem(read.problems.map(describeProblem).join('\n'));
  return entryOf(
    `import { declaredPolicies } from ${JSON.stringify(own('engine/declared/compile'))};`,
    `declaredPolicies(${JSON.stringify(read.value.specs)})`,
  );
}

async function bundleOf(contents: string, folder: string): Promise<Bundle> {
  const options = optionsFor(contents, folder);
  const { result, impure } = await alone(async (build) => ({
    result: await build(options),
    impure: await build({ ...options, define: { ...options.define, ...MARKS } }),
  }));
  const problems = impureUses(outputOf(impure), folder);
  if (problems.length > 0) throw new PolicyProblem(problems.join('\n'));
  const { code, map } = outputOf(result);
  const inputs = Object.keys(result.metafile?.inputs ?? {});
  // U1: the names of files stand in comments, one to a line.
  const named = new Set(inputs.map((input) => `// ${input}`));
  const source = code
    .split('\n')
    .map((line) => (named.has(line.trim()) ? '//' : line))
    .join('\n');
  const files = inputs.map((input) => resolve(folder, input)).filter((file) => existsSync(file) && isAuthors(file));
  return { source, digest: sha256(source), files, explain: (error) => explained(error, map, folder) };
}

const GLOBAL = '__assentPolicy';

function optionsFor(contents: string, folder: string): BuildOptions {
  return {
    stdin: { contents, resolveDir: folder, sourcefile: 'policy-entry', loader: 'js' },
    absWorkingDir: folder,
    bundle: true,
    write: false,
    metafile: true,
    sourcemap: 'external',
    outfile: BUNDLE_FILE,
    format: 'iife',
    globalName: GLOBAL,
    banner: { js: "'use strict';" },
    footer: { js: `${GLOBAL};` },
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['import'],
    target: 'es2023',
    charset: 'utf8',
    legalComments: 'none',
    logLevel: 'silent',
    define: { 'process.env.NODE_ENV': '"production"' },
    supported: { 'dynamic-import': false },
    plugins: [OWN_RULES],
  };
}

/** U2. */
const OWN_RULES: Plugin = {
  name: 'own-rules',
  setup: (build) => {
    build.onResolve({ filter: /^assent(\/|$)/ }, ({ path }) =>
      path === 'assent/rules'
        ? { path: RULES }
        : { errors: [{ text: `a policy imports 'assent/rules', and not '${path}': rules know no engine and no SDK` }] },
    );
    build.onResolve({ filter: /^node:/ }, ({ path }) => ({
      errors: [{ text: `a rule knows no I/O: '${path}' cannot be imported` }],
    }));
  },
};

/** One bundling at a time, because its process is ended after it: nothing of it stays. */
let last: Promise<unknown> = Promise.resolve();

async function alone<T>(act: (build: (options: BuildOptions) => Promise<BuildResult>) => Promise<T>): Promise<T> {
  const turn = last.then(async () => {
    const esbuild = await import('esbuild');
    try {
      return await act((options) => esbuild.build(options));
    } catch (error) {
      const messages = (error as { errors?: readonly Message[] }).errors;
      if (messages === undefined) throw error;
      throw new PolicyProblem(messages.map(problemOf).join('\n'));
    } finally {
      await esbuild.stop();
    }
  });
  last = turn.catch(() => undefined);
  return turn;
}

const problemOf = ({ text, location }: Message): string =>
  location === null || location.file === 'policy-entry'
    ? text
    : `${shownPath(resolve(location.file))}:${String(location.line)}:${String(location.column + 1)}: ${text}`;

type Output = { readonly code: string; readonly map: SourceMap };

function outputOf({ outputFiles = [] }: BuildResult): Output {
  const text = (end: string): string => outputFiles.find(({ path }) => path.endsWith(end))?.text ?? '';
  return {
    code: text('.js'),
    map: new SourceMap(JSON.parse(text('.map')) as ConstructorParameters<typeof SourceMap>[0]),
  };
}

const CLOCK = 'the time is among the facts, as nowMs';
const CHANCE = 'ask for the fact chance';
const OUTSIDE = 'a rule neither waits nor reaches outside';
const IMPURE: Readonly<Record<string, string>> = {
  'Date.now': CLOCK,
  'performance.now': CLOCK,
  'Math.random': CHANCE,
  'crypto.randomUUID': CHANCE,
  'crypto.getRandomValues': CHANCE,
  'process.env': OUTSIDE,
  'process.hrtime': CLOCK,
  setTimeout: OUTSIDE,
  setInterval: OUTSIDE,
  setImmediate: OUTSIDE,
  queueMicrotask: OUTSIDE,
  fetch: OUTSIDE,
  require: OUTSIDE,
  eval: OUTSIDE,
};
/** A name for each, which esbuild puts wherever the global is meant, and not where something else has the same name. */
const MARKS = Object.fromEntries(Object.keys(IMPURE).map((name, index) => [name, `ASSENT_IMPURE_${String(index)}`]));

function impureUses({ code, map }: Output, folder: string): string[] {
  const names = Object.keys(IMPURE);
  return code.split('\n').flatMap((line, row) =>
    [...line.matchAll(/ASSENT_IMPURE_(\d+)/g)].flatMap((found) => {
      const place = placeOf(map, folder, row, found.index);
      const name = names[Number(found[1])] ?? '';
      return place === undefined ? [] : [`${place}: a rule may not use ${name}: ${IMPURE[name] ?? ''}`];
    }),
  );
}

/** The place in an author's file; undefined for what the engine or a package brings along. */
function placeOf(map: SourceMap, folder: string, row: number, column: number): string | undefined {
  const found = map.findEntry(row, column);
  if (!('originalSource' in found)) return undefined;
  const file = resolve(folder, found.originalSource);
  if (!isAuthors(file)) return undefined;
  return `${shownPath(file)}:${String(found.originalLine + 1)}:${String(found.originalColumn + 1)}`;
}

function isAuthors(file: string): boolean {
  const inEngine = ['rules', 'protocol', 'engine'].some((part) => isInside(file, join(ENGINE_ROOT, part)));
  return basename(file) !== 'policy-entry' && !inEngine && !file.split(/[\\/]/).includes('node_modules');
}

function isInside(file: string, folder: string): boolean {
  const way = relative(folder, file);
  return !way.startsWith('..') && !isAbsolute(way);
}

const FRAME = new RegExp(`${BUNDLE_FILE.replace('.', '\\.')}:(\\d+):(\\d+)`, 'g');

/** The first place of the stack that is in an author's file, and what was said. */
function explained(error: unknown, map: SourceMap, folder: string): string {
  const stack = stackOf(error);
  for (const [, row, column] of stack.matchAll(FRAME)) {
    const place = placeOf(map, folder, Number(row) - 1, Number(column) - 1);
    if (place !== undefined) return `${place}: ${messageOf(error)}`;
  }
  return messageOf(error);
}

const stackOf = (error: unknown): string => {
  const stack = (error as { stack?: unknown } | null | undefined)?.stack;
  return typeof stack === 'string' ? stack : '';
};

function messageOf(error: unknown): string {
  const message = (error as { message?: unknown } | null | undefined)?.message;
  return typeof message === 'string' ? message : String(error);
}

export function shownPath(path: string): string {
  const way = relative(process.cwd(), path);
  return way.startsWith('..') ? path : way;
}
