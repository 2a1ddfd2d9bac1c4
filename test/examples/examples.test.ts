/** Each example runs for real, as its reader would run it: a process of its own, an engine, a nats-server. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { watch } from 'node:fs';
import { open, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newPlace, PROJECT, type ExampleProcess, type Place } from './example-process.ts';

let place: Place;
beforeAll(async () => {
  place = await newPlace();
});
afterAll(() => place.leave());

test('every example is in the table of the README, and is run by a test', async () => {
  const examples = (await readdir(join(PROJECT, 'examples'))).filter((file) => /^\d\d-.*\.ts$/.test(file));
  expect(examples.map((file) => file.slice(0, 2))).toEqual(examples.map((_, at) => String(at + 1).padStart(2, '0')));
  const readme = await readFile(join(PROJECT, 'examples/README.md'), 'utf8');
  const files = (await readdir(import.meta.dirname)).filter((file) => file.endsWith('.test.ts'));
  const tests = await Promise.all(files.map((file) => readFile(join(import.meta.dirname, file), 'utf8')));
  for (const file of examples) {
    expect(readme).toContain(`| [${file.replace('.ts', '')}](${file}) `);
    expect(tests.join(''), file).toContain(`'examples/${file}'`);
  }
});

describe('01-github-stars', () => {
  const example = 'examples/01-github-stars.ts';
  let api: Server;
  let asked: string[];
  let failures: number;
  beforeAll(async () => {
    api = createServer((request, response) => {
      asked.push(request.url ?? '');
      if (asked.length <= failures) response.writeHead(503).end();
      else response.end(JSON.stringify({ full_name: 'nodejs/node', stargazers_count: 4321 }));
    });
    await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => api.close());

  const apiUrl = (): string => `http://127.0.0.1:${String((api.address() as AddressInfo).port)}`;
  const run = (repository: string, apiFailures: number): ReturnType<Place['start']>['ended'] => {
    asked = [];
    failures = apiFailures;
    return place.startWith({ GITHUB_API_URL: apiUrl() }, example, repository).ended;
  };

  test('has its answer although the API fails twice first', async () => {
    expect(await run('nodejs/node', 2)).toEqual({ code: 0, stdout: 'nodejs/node has 4321 stars\n', stderr: '' });
    expect(asked).toEqual(['/repos/nodejs/node', '/repos/nodejs/node', '/repos/nodejs/node']);
  });

  test('gives up after three retries, with the error of the last attempt', async () => {
    const { code, stderr } = await run('nodejs/node', 4);
    expect(code).toBe(1);
    expect(stderr).toContain('Error: GitHub answered 503');
    expect(asked).toHaveLength(4);
  });

  test('runs by the command line too, its parameters from there and its result on standard output', async () => {
    asked = [];
    failures = 1;
    const { code, stdout } = await place.start(
      'bin/assent.js',
      ...['run', example, '--param', 'repository=nodejs/node', '--param', `api=${apiUrl()}`],
    ).ended;
    expect({ code, stdout }).toEqual({ code: 0, stdout: '4321\n' });
    expect(asked).toHaveLength(2);
  });

  test('refuses a wrong parameter before anything is asked', async () => {
    const { code, stderr } = await run('nonsense', 0);
    expect(code).toBe(1);
    expect(stderr).toMatch(/'github-stars' are wrong: repository: expected owner\/name.*BAD_PARAMETERS/);
    expect(asked).toEqual([]);
  });
});

test('02-parallel-with-a-limit hashes every file of a folder, and never more than four at once', async () => {
  const folder = 'node_modules/vega-datasets/data';
  const { code, stdout } = await place.start('examples/02-parallel-with-a-limit.ts', folder).ended;
  expect(code).toBe(0);
  const files = (await readdir(join(PROJECT, folder))).sort();
  const lines = stdout.trimEnd().split('\n');
  expect(lines.at(-1)).toBe(`${String(files.length)} files, at most 4 at once`);
  expect(lines.slice(0, -1).map((line) => line.split(' ')[1])).toEqual(files.map((file) => join(folder, file)));
  const [first = ''] = files;
  const sha256 = createHash('sha256')
    .update(await readFile(join(PROJECT, folder, first)))
    .digest('hex');
  expect(lines[0]).toBe(`${sha256.slice(0, 16)} ${join(folder, first)}`);
});

test('02-parallel-with-a-limit says which folder is not there', async () => {
  const { code, stdout, stderr } = await place.start('examples/02-parallel-with-a-limit.ts', 'no-such-folder').ended;
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toContain("ENOENT: no such file or directory, scandir 'no-such-folder'");
});

describe('03-resume-after-a-crash', () => {
  const example = 'examples/03-resume-after-a-crash.ts';
  const linesOf = async (file: string): Promise<string[]> => (await readFile(file, 'utf8')).trimEnd().split('\n');

  /** Resolves when the file has so many lines; rejects if the example ends before. */
  const hasLines = async (file: string, count: number, { ended }: ExampleProcess): Promise<void> => {
    await writeFile(file, '', { flag: 'a' });
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const look = async (): Promise<void> => {
      if ((await linesOf(file)).length >= count) resolve(undefined);
    };
    const watcher = watch(file, () => void look().catch(reject));
    void ended.then(({ stdout, stderr }) => {
      reject(new Error(`it ended too soon:\n${stdout}${stderr}`));
    });
    await look();
    await promise.finally(() => {
      watcher.close();
    });
  };

  test('killed in the middle and run again, it finishes the same run and repeats nothing that was finished', async () => {
    const outbox = join(place.folder, 'outbox.txt');
    const first = place.start(example, outbox);
    // The fourth is at its end: three are finished for certain, and recorded before the fourth could begin.
    await hasLines(outbox, 4, first);
    first.child.kill('SIGKILL');
    const run = /Run (\S+) begins/.exec((await first.ended).stdout)?.[1] ?? 'none';

    const second = await place.start(example, outbox).ended;
    expect(second).toMatchObject({ code: 0, stderr: '' });
    expect(second.stdout).toContain(`Run ${run} goes on, attempt 2.`);
    expect(second.stdout).toContain('8 invoices are sent.');

    const lines = await linesOf(outbox);
    const timesByName = Map.groupBy(lines, (line) => line.split(' ')[0] ?? '');
    expect([...timesByName.keys()]).toHaveLength(8);
    for (const name of ['Ada', 'Barbara', 'Edsger']) expect(timesByName.get(name), name).toHaveLength(1);
    // Whatever was cut off and done again, the outside world can tell by the key.
    expect(new Set(lines).size).toBe(8);
    expect(lines.length).toBeLessThanOrEqual(9);
  });

  test('a run that has finished is not resumed: the next one is new', async () => {
    const outbox = join(place.folder, 'outbox.txt');
    const { stdout } = await place.start(example, outbox).ended;
    expect(stdout).toMatch(/^Run \S+ begins\.\n/);
  });
});

test('04-validate-and-quarantine sums up the good lines and sets the others aside with reasons', async () => {
  const { code, stdout } = await place.start('examples/04-validate-and-quarantine.ts').ended;
  expect(code).toBe(0);
  expect(stdout).toMatch(/orders: 5,\s+cents: 14058,\s+malformed: 5/);
  const lines = (await readFile(join(place.folder, 'quarantined-orders.jsonl'), 'utf8')).trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { line: 3, reasons: ['placed: Invalid ISO date'] },
    { line: 4, reasons: ['cents: Invalid input: expected number, received string'] },
    { line: 6, reasons: ['id: expected A- and a number'] },
    { line: 7, reasons: ['not JSON'], text: '{"id":"A-1007","placed":"2026-03-04","cents":3' },
    { line: 10, reasons: ['cents: Invalid input: expected number, received undefined'] },
  ]);
});

test('05-timeout-and-cancel falls back after the time-out, and cleans up after the cancel', async () => {
  const { code, stdout, stderr } = await place.start('examples/05-timeout-and-cancel.ts').ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(
    /^the answer of the second mirror\nCleaned up\.\nFlow 'watch' \(run \w+\) was cancelled: seen enough\./,
  );
});

test('06-worker: a run waits for a worker, a worker does it, and Ctrl-C ends the worker', async () => {
  const example = 'examples/06-worker.ts';
  const counting = place.start(example, 'count', 'LICENSE');
  await counting.said('is waiting for a worker.');
  const worker = place.start(example, 'worker');
  await worker.said('is ready');
  const { code, stdout } = await counting.ended;
  const words = (await readFile(join(PROJECT, 'LICENSE'), 'utf8')).split(/\s+/).filter((word) => word !== '').length;
  expect({ code, stdout }).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(`LICENSE has ${String(words)} words`) as string,
  });
  worker.child.kill('SIGINT');
  expect(await worker.ended).toMatchObject({ code: 0, stderr: '' });
});

test('06-worker: a worker is killed while it reads, and another one does the run', async () => {
  const example = 'examples/06-worker.ts';
  // Who opens a pipe to write to it waits until somebody has opened it to read.
  const pipe = join(place.folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const counting = place.start(example, 'count', pipe);
  const first = place.start(example, 'worker');
  const unwritten = await open(pipe, 'w');
  first.child.kill('SIGKILL');
  await first.ended;
  await unwritten.close();
  const second = place.start(example, 'worker');
  await writeFile(pipe, 'one two three');
  const { code, stdout } = await counting.ended;
  expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('has 3 words') as string });
  second.child.kill('SIGINT');
  expect(await second.ended).toMatchObject({ code: 0 });
});
