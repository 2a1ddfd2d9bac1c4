import { expect, test } from 'vitest';
import { readText } from './markdown.ts';

test('docs/dependencies.md has a line for each dependency, under its heading, and for nothing else', () => {
  const { dependencies, devDependencies } = JSON.parse(readText('package.json')) as {
    readonly dependencies: Readonly<Record<string, string>>;
    readonly devDependencies: Readonly<Record<string, string>>;
  };
  const [atRunTime = '', forDevelopment = ''] = readText('docs/dependencies.md').split('## For development');
  const listed = (text: string): readonly string[] =>
    [...text.matchAll(/^\| `([^`]+)`/gm)].map(([, name = '']) => name).sort();
  expect(listed(atRunTime)).toEqual(Object.keys(dependencies).sort());
  expect(listed(forDevelopment)).toEqual(Object.keys(devDependencies).sort());
});
