/** Examples 14, 22 to 27, 29 and 30: work in other processes and threads, and what people see and change from outside. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { linesWith, newPlace, timesOf, type Place } from './example-process.ts';
import { ranAgain, rulingsIn } from './ledger.ts';
import { startOutside } from './outside.ts';

let place: Place;
beforeAll(async () => {
  place = await newPlace();
});
afterAll(async () => {
  const rulings = rulingsIn(await place.ledger());
  await place.leave();
  // What was to be done again was said: `assent runs retry --from transform`.
  const again = ranAgain(rulings).filter((run) => !/\.(transform|publish)-/.test(run));
  expect(again, 'ran again though it had completed').toEqual([]);
});

describe('22-worker-processes', () => {
  const example = 'examples/22-worker-processes.ts';
  const picture = (stdout: string): string[] => stdout.split('\n').filter((line) => /^[ .:=+*#%@-]{46}$/.test(line));

  test('a worker is killed, and the picture is painted; no line twice but the one that it was at', async () => {
    const painting = place.start(example, '2');
    await painting.said('line 4 ');
    const [pid = 'none'] = /(?<=worker )\d+(?= is ready)/.exec(painting.saidSoFar()) ?? [];
    process.kill(Number(pid), 'SIGKILL');
    const { code, stdout } = await painting.ended;
    expect(code).toBe(0);
    expect(picture(stdout)).toHaveLength(18);
    const times = timesOf(linesWith(stdout, 'is painted by').map((line) => line.replace(/ by .*/, '')));
    expect(times.size).toBe(18);
    expect(linesWith(stdout, 'is painted by').length).toBeLessThanOrEqual(19);
  });

  test('the process of the flow is killed, the workers go on, and it has what they painted when it is back', async () => {
    const worker = place.start('bin/assent.js', 'worker', example, '--queue', 'pictures', '--slots', '2');
    const first = place.start(example, '0');
    await worker.said('line 3 ');
    first.child.kill('SIGKILL');
    await first.ended;
    const { code, stdout } = await place.start(example, '0').ended;
    expect(code).toBe(0);
    expect(picture(stdout)).toHaveLength(18);
    worker.child.kill('SIGINT');
    const painted = timesOf(
      linesWith((await worker.ended).stdout, 'is painted').map((line) => line.replace(/ by .*/, '')),
    );
    expect([...painted.values()]).toEqual(Array.from({ length: 18 }, () => 1));
  });
});

test('23-threads-for-computing, killed in the middle, counts no range again that it had, and ends the endless search', async () => {
  const example = 'examples/23-threads-for-computing.ts';
  const first = place.start(example);
  await first.said('500000 to 750000');
  first.child.kill('SIGKILL');
  const before = linesWith((await first.ended).stdout, ' primes');
  const { code, stdout, stderr } = await place.start(example).ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain("{ primesBelowAMillion: 78498, search: 'TimedOut' }");
  expect(stdout).toContain('the main thread had time for other things.');
  // Two threads: all but the last two were on the ledger when the process died.
  for (const line of before.slice(0, -2)) expect(stdout).not.toContain(line);
});

test('24-report-with-artifacts, killed while it publishes, has made each artifact once', async () => {
  const example = 'examples/24-report-with-artifacts.ts';
  const first = place.start(example);
  await first.said('publishing 4 years');
  first.child.kill('SIGKILL');
  await first.ended;
  const { code, stdout } = await place.start(example).ended;
  expect(code).toBe(0);
  expect(stdout).not.toContain('summed up');
  const listed = (await place.assent('artifacts', 'ls')).stdout;
  for (const key of ['/years ', '/report ', '/source ', '/reading '])
    expect(linesWith(listed, key), key).toHaveLength(1);
  const report = (await place.assent('artifacts', 'show', 'report')).stdout;
  expect(report).toContain('- 2015: 55.9 mm on 2015-03-15');
  expect((await place.assent('artifacts', 'show', 'reading')).stdout).toMatch(/\d+ of 1461/);
  const made = (await place.ledger()).filter((line) =>
    /"type":"ARTIFACT_MADE","run":"[^"]*","key":"report"/.test(line),
  );
  expect(made).toHaveLength(1);
});

test('25-variables-and-secrets keeps its variable through a crash, and its key to itself', async () => {
  const example = 'examples/25-variables-and-secrets.ts';
  const key = 'hunter2-hunter2-hunter2';
  const api = await startOutside(({ headers }, nth) => {
    if (nth === 1) return { status: 500, body: `no answer for ${headers.authorization ?? ''}` };
    return nth === 2 ? 'NEVER' : { body: '{"celsius":21}' };
  });
  await place.assent('variables', 'set', 'city', '"Ghent"');
  const first = place.startWith({ WEATHER_KEY: key }, example, api.url);
  await api.wasAsked(2);
  first.child.kill('SIGKILL');
  await first.ended;
  await place.assent('variables', 'set', 'city', '"Bruges"');
  const { code, stdout } = await place.startWith({ WEATHER_KEY: key }, example, api.url).ended;
  await api.close();
  expect(code).toBe(0);
  expect(stdout).toContain('with the key ***');
  expect(stdout).toContain('Ghent: 21 °C');
  expect(api.asked.map(({ path }) => path)).toEqual(['/forecast/Ghent', '/forecast/Ghent', '/forecast/Ghent']);
  expect(api.asked.map(({ headers }) => headers.authorization)).toEqual(Array(3).fill(`Bearer ${key}`));

  const [newest] = JSON.parse((await place.assent('runs', 'ls', '--name', 'weather', '-o', 'json')).stdout) as {
    run: string;
  }[];
  const logged = (await place.assent('runs', 'logs', newest?.run ?? 'none')).stdout;
  expect(logged).toContain('asking for Ghent');
  expect(logged).not.toContain(key);
  const ledger = (await place.ledger()).join('\n');
  expect(ledger).toContain('no answer for Bearer ***');
  expect(ledger).not.toContain(key);
  for (const file of await readdir(place.data, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue;
    const bytes = await readFile(join(file.parentPath, file.name)).catch(() => Buffer.alloc(0));
    expect(bytes.includes(key), file.name).toBe(false);
  }
});

test('26-fix-and-retry goes on where it failed, and from where it is told', async () => {
  const { code, stdout, stderr } = await place.start('examples/26-fix-and-retry.ts').ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout.trimEnd().split('\n')).toEqual([
    'extract: an hour of work',
    'transform: another hour',
    'FAILED: the settings do not say to whom',
    'Somebody names the board in the settings.',
    'publish: 570 to the board',
    '570',
    'Somebody finds that the factor was wrong.',
    'transform: another hour',
    'publish: 855 to the board',
    '855',
  ]);
});

test('27-strict-replay: new code goes on after a crash, and a strict flow is refused where it differs', async () => {
  const { code, stdout } = await place.start('examples/27-strict-replay.ts').ended;
  expect(code).toBe(0);
  const [careless = '', careful = ''] = stdout.split('careful\n');
  expect(careless).toContain('version 2 packs the red vase');
  expect(careless).toContain('the books,the red vase');
  expect(careful).toContain('version 1 packs the blue vase');
  expect(careful).toMatch(/expected .*pack/);
  expect(careful).not.toContain('version 2 packs');
  expect(stdout).not.toContain('version 2 packs the books');
  const run = /Flow 'careful' \(run (\w+)\)/.exec(careful)?.[1] ?? 'none';
  expect((await place.assent('diff', run)).stdout).toContain('"the blue vase" → "the red vase"');
});

test('29-compute-it-once: the process that computes is killed, and one that waits for the result computes it', async () => {
  const example = 'examples/29-compute-it-once.ts';
  const first = place.start(example, 'Ghent');
  await first.said('planning Antwerp to Ghent');
  const second = place.start(example, 'Ghent');
  first.child.kill('SIGKILL');
  expect(linesWith((await first.ended).stdout, 'planning')).toHaveLength(1);
  const { code, stdout } = await second.ended;
  expect(code).toBe(0);
  expect(linesWith(stdout, 'planning')).toHaveLength(1);
  for (const who of ['Ada', 'Grace', 'Barbara']) expect(stdout).toContain(`${who} is in Ghent in 120 minutes`);
  expect((await place.start(example, 'Ghent').ended).stdout).not.toContain('planning');
});

test('30-work-in-the-background: who asked is killed, and a worker does what was asked for', async () => {
  const example = 'examples/30-work-in-the-background.ts';
  const asking = place.start(example, 'ken@example.org');
  await asking.said('ken@example.org: 202');
  asking.child.kill('SIGKILL');
  await asking.ended;
  const worker = place.start('bin/assent.js', 'worker', example, '--queue', 'mail');
  // Its first attempt fails.
  await worker.said('a mail to ken@example.org is sent');
  worker.child.kill('SIGINT');
  const { code, stdout } = await worker.ended;
  expect(code).toBe(0);
  expect(linesWith(stdout, 'is sent')).toEqual(['a mail to ken@example.org is sent']);
});

test('14-final-states: what a flow returns is how it ends', async () => {
  const { code, stdout, stderr } = await place.start('examples/14-final-states.ts').ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(linesWith(stdout, 'holiday')).toEqual(['holiday: COMPLETED Skipped, nothing to check']);
  expect(linesWith(stdout, 'monday')).toEqual(['monday: COMPLETED, All states completed.']);
  expect(linesWith(stdout, 'friday')[0]).toMatch(/^friday: FAILED, 1\/3 states failed\./);
  expect(linesWith(stdout, 'sunday')[0]).toMatch(/^sunday: FAILED, 1\/1 states failed\./);
  expect(linesWith(stdout, 'someday')[0]).toMatch(/^someday: FAILED, there is no plan for someday/);
});
