/** Errors as whoever called us sees them. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { receive } from '../../sdk/waits/mail.ts';
import type { showCallers as Callers } from '../../protocol/callers.ts';
import { AssentError } from '../../protocol/errors.ts';

const thrown = (): AssentError => new AssentError('USAGE', 'so not');

test('a stack shows who called, and none of our own frames', async () => {
  const callsReceive = async (): Promise<unknown> => receive('order');
  const error = await callsReceive().then(
    () => undefined,
    (reason: unknown) => reason as AssentError,
  );
  expect(error?.kind).toBe('OUTSIDE_FLOW');
  expect(error?.stack).toContain('callsReceive');
  expect(error?.stack).not.toMatch(/[/]sdk[/]|[/]protocol[/]\w+\.ts/);
});

test('a stack is as long as was asked for, and whole for whoever looks for a fault of ours', async () => {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 1;
  expect(thrown().stack?.match(/^ +at /gm)).toHaveLength(1);
  Error.stackTraceLimit = 0;
  expect(thrown().stack).not.toMatch(/^ +at /m);
  Error.stackTraceLimit = limit;
  process.env['ASSENT_DEBUG'] = '1';
  const error = await receive('order').catch((reason: unknown) => reason as AssentError);
  delete process.env['ASSENT_DEBUG'];
  expect((error as AssentError).stack).toMatch(/[/]sdk[/]/);
});

test('what stands in the message is not printed twice', () => {
  const text = inspect(thrown());
  expect(text.match(/so not/g)).toHaveLength(1);
  expect(text).toContain("kind: 'USAGE'");
});

test('a bundler that leaves the file without an address does no harm', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'assent-callers-'));
  const source = await readFile(new URL('../../protocol/callers.ts', import.meta.url), 'utf8');
  const file = join(folder, 'bundle.mjs');
  await writeFile(file, stripTypeScriptTypes(source.replaceAll('import.meta.url', 'undefined')));
  const { showCallers } = (await import(pathToFileURL(file).href)) as { showCallers: typeof Callers };
  const error = new Error('so not');
  showCallers(error, thrown);
  expect(error.stack).toMatch(/^Error: so not/);
  await rm(folder, { recursive: true });
});
