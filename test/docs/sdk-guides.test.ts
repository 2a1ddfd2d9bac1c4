/** The guides about the SDK, followed from the first line to the last by a reader who has nothing. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Folder } from './guide-folder.ts';
import { ROOT } from './markdown.ts';
import { follow, stepsOf } from './walkthrough.ts';

const GUIDES = ['tutorial', 'durable-execution', 'coming-from-prefect', 'coming-from-temporal', 'testing-flows'];
const pathOf = (guide: string): string => `docs/guides/${guide}.md`;

test.each(GUIDES)('%s: what it shows is what comes', (guide) => follow(pathOf(guide)), 240_000);

test('their code is well typed', async () => {
  const folder = new Folder(['zod', '@types/node']);
  for (const guide of GUIDES) {
    mkdirSync(join(folder.path, guide));
    for (const step of stepsOf(pathOf(guide))) {
      // A file's first version is replaced by its second; both are checked.
      if (step.type === 'FILE')
        folder.write(join(guide, folder.has(join(guide, step.name)) ? `2-${step.name}` : step.name), step.text);
    }
  }
  const compilerOptions = {
    target: 'ES2024',
    lib: ['ES2024', 'ESNext.Disposable', 'DOM.AsyncIterable'],
    module: 'NodeNext',
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    allowImportingTsExtensions: true,
    erasableSyntaxOnly: true,
    noEmit: true,
    skipLibCheck: true,
    types: ['node'],
  };
  folder.write('tsconfig.json', JSON.stringify({ compilerOptions, include: GUIDES }));
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
  const { code, stdout } = await folder.start(compiler, '--pretty', 'false').ended;
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
});
