/** The house style, as far as a machine can see it (architecture 9, style 3, 6 and 7). */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { corePolicies } from '../rules/policy.ts';

const LINES_MAX = 400;
const FOLDERS = ['protocol', 'rules', 'engine', 'sdk', 'test/testing'] as const;
type Folder = (typeof FOLDERS)[number];

/** Which folder may import what: `sdk -> protocol <- engine -> rules -> protocol`, and the packages of each. */
const MAY_IMPORT: Readonly<Record<Folder, readonly RegExp[]>> = {
  protocol: [/^protocol\//],
  rules: [/^rules\//, /^protocol\/(ids|states|rulings|proposals|values)\.ts$/],
  engine: [
    /^engine\//,
    /^rules\//,
    /^protocol\//,
    /^node:/,
    /^@nats-io\//,
    /^(commander|devalue|esbuild|immer|pino|tinyqueue)$/,
  ],
  // The entry point `assent/testing`: it may know everything, and the runner of tests least of all.
  'test/testing': [
    /^(test\/testing|sdk|engine|rules|protocol)\//,
    /^test\/support\/(seeded|worlds)\.ts$/,
    /^node:/,
    /^(fast-check|immer|tinyqueue)$/,
  ],
  sdk: [/^sdk\//, /^protocol\//, /^node:/, /^@nats-io\//, /^(devalue|pino|tinyqueue|zod)$/],
};
/** What single files may import besides. */
const ALSO: Readonly<Record<string, readonly RegExp[]>> = {
  // The door is the only place of protocol/ and engine/ that knows schemas.
  'protocol/wire.ts': [/^zod$/],
  'protocol/wire-query.ts': [/^zod$/],
  'protocol/segment.ts': [/^node:(crypto|zlib)$/],
  // A file that people write is checked at its own door.
  'engine/declared/conditions.ts': [/^@marcbachmann\/cel-js$/],
  'engine/declared/file-schema.ts': [/^zod$/],
  'engine/declared/promote.ts': [/^yaml$/],
  'engine/declared/source.ts': [/^(smol-toml|yaml)$/],
  'engine/metrics/families.ts': [/^prom-client$/],
  'engine/metrics/server.ts': [/^prom-client$/],
  // `assent run` and `assent worker` execute a user's flows: there, the command line is a client like any other.
  'engine/cli/run.ts': [/^sdk\//],
  'engine/cli/worker.ts': [/^sdk\//],
  'engine/cli/run-file.ts': [/^sdk\//],
  'sdk/runners/threads.ts': [/^piscina$/],
  // What a pause asks for is a schema of the user's.
  'engine/cli/pause-input.ts': [/^zod$/],
};
/** Helpers of rules, which are no rules themselves. */
const NO_RULES = [
  'compose.ts',
  'index.ts',
  'judge.ts',
  'opinions.ts',
  'policy.ts',
  'retry.ts',
  'rule.ts',
  'shadow.ts',
  'slots.ts',
  'state-sets.ts',
];
const IMPURE =
  /\b(Date\.now|new Date|performance\.|Math\.random|crypto|process\.|globalThis|setTimeout|setInterval|setImmediate|queueMicrotask|fetch\(|console\.|async |await |Promise|require\(|import\()/;

const root = posix.join(import.meta.dirname.replaceAll('\\', '/'), '..');
const files = (folder: string): string[] =>
  !existsSync(posix.join(root, folder))
    ? []
    : readdirSync(posix.join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts'))
        .map((name) => posix.join(folder, name.replaceAll('\\', '/')))
        .sort();
const source = (file: string): string => readFileSync(posix.join(root, file), 'utf8');
const code = (file: string): string => source(file).replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');

/** What a file imports: its neighbours by their path from the root, packages by their name. */
const importsOf = (file: string): string[] =>
  ts
    .preProcessFile(source(file), true, true)
    .importedFiles.map(({ fileName }) =>
      fileName.startsWith('.') ? posix.normalize(posix.join(posix.dirname(file), fileName)) : fileName,
    );

describe.each(FOLDERS)('%s', (folder) => {
  test('imports only what its layer may', () => {
    const strays = files(folder).flatMap((file) =>
      importsOf(file)
        .filter((target) => ![...MAY_IMPORT[folder], ...(ALSO[file] ?? [])].some((allowed) => allowed.test(target)))
        .map((target) => `${file} -> ${target}`),
    );
    expect(strays).toEqual([]);
  });

  test('has no file that hands on everything of another', () => {
    expect(files(folder).filter((file) => /^export \* /m.test(code(file)))).toEqual([]);
  });
});

test('no folder needs, by way of others, itself', () => {
  const needs = new Map<string, Set<string>>();
  for (const file of FOLDERS.flatMap(files)) {
    const from = posix.dirname(file);
    for (const target of importsOf(file)) {
      const to = posix.dirname(target);
      // A file at the top of a layer wires together what lies in its folders.
      if (!target.endsWith('.ts') || to === from || FOLDERS.includes(from as Folder)) continue;
      needs.set(from, (needs.get(from) ?? new Set()).add(to));
    }
  }
  const reaches = (from: string, to: string, seen = new Set<string>()): boolean =>
    [...(needs.get(from) ?? [])].some((next) => {
      if (next === to) return true;
      if (seen.has(next)) return false;
      seen.add(next);
      return reaches(next, to, seen);
    });
  expect([...needs.keys()].filter((folder) => reaches(folder, folder))).toEqual([]);
});

test('rules know no clock, no chance, no I/O and no waiting', () => {
  expect(files('rules').filter((file) => IMPURE.test(code(file)))).toEqual([]);
});

describe('each rule', () => {
  const names = new Set(Object.values(corePolicies).flatMap((policy) => policy.rules.map(({ name }) => name)));

  test('has the file, and the test, of its name', () => {
    const paths = [...names].flatMap((name) => [`rules/${name}.ts`, `test/rules/${name}.test.ts`]);
    expect(paths.filter((path) => !existsSync(posix.join(root, path)))).toEqual([]);
  });

  test('is in a policy', () => {
    const kept = new Set([...NO_RULES, ...[...names].map((name) => `${name}.ts`)]);
    expect(files('rules').filter((file) => !kept.has(posix.basename(file)))).toEqual([]);
  });

  test('begins with its table', () => {
    expect([...names].filter((name) => !/^\/\*\*\n \* \|/.test(source(`rules/${name}.ts`)))).toEqual([]);
  });
});

test(`no file is longer than ${String(LINES_MAX)} lines`, () => {
  const all = [...FOLDERS, 'examples', 'scripts', 'test'].flatMap(files);
  expect(all.filter((file) => source(file).trimEnd().split('\n').length > LINES_MAX)).toEqual([]);
});
