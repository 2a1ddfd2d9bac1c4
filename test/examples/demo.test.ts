/** The demo as a whole, as `npm run demo` runs it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { allEnded, newPlace, type ExampleProcess, type Place } from './example-process.ts';

const DEMO = 'examples/demo/main.ts';

let place: Place;
beforeEach(async () => {
  place = await newPlace();
});
afterEach(() => place.leave());

const startDemo = (...more: string[]): ExampleProcess =>
  place.start(DEMO, '--report', join(place.folder, 'report'), ...more);

test('it ends well within a minute, shows a retry and a refusal from the ledger, and leaves no process behind', async () => {
  const beganMs = performance.now();
  const demo = startDemo();
  await demo.said('3  The flow');
  const engine = await place.engineProcesses();
  expect(engine).toHaveLength(2);

  const { code, stdout, stderr } = await demo.ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(performance.now() - beganMs).toBeLessThan(60_000);
  await allEnded(engine);

  // The pipeline itself: the numbers are those of the data set, less the ten rows that seed 7 damages.
  expect(stdout).toContain('48 of 48 pages, 7 failed attempts, 10 rows set aside');
  for (const why of ['failed: answer 500', 'failed: no answer in time', 'failed: the answer was cut off']) {
    expect(stdout).toContain(why);
  }
  expect(stdout).toContain('attempt 3 succeeded');
  expect(stdout).toContain('1,451 used, 10 in quarantine');
  expect(stdout).toContain('July 2015');
  expect(stdout).toContain('December 2015');

  // What the ledger says of it.
  const run = /\$ npx assent events (\S+)/.exec(stdout)?.[1] ?? 'none';
  expect(after(stdout, `$ npx assent why ${run}.fetch-page-`)).toContain('retry-failed-task');
  expect(after(stdout, `$ npx assent runs cancel ${run} --reason "too late"`)).toContain('ALREADY_ENDED');
  expect(after(stdout, `$ npx assent why ${run}\n`)).toContain('keep-terminal-states');
  expect(after(stdout, '$ npx assent audit verify')).toMatch(/\d+ rulings in \d+ segments verified/);
  expect(stdout).not.toContain('\u001b');

  const page = await readFile(join(place.folder, 'report', 'index.html'), 'utf8');
  expect(page).toContain(`Written by flow run <code>${run}</code>`);
  const rows = (await readFile(join(place.folder, 'report', 'quarantine.jsonl'), 'utf8')).trimEnd().split('\n');
  expect(rows).toHaveLength(10);

  // Another engine starts on what the first one left, and knows it all.
  const logs = await place.start('bin/assent.js', 'runs', 'logs', run).ended;
  expect(logs.code).toBe(0);
  expect(logs.stdout.match(/a row goes to quarantine/g)).toHaveLength(10);
});

test('Ctrl-C in the middle of the flow ends it at once, and leaves no process behind', async () => {
  const demo = startDemo();
  await demo.said('attempt 1 failed');
  const engine = await place.engineProcesses();
  expect(engine).toHaveLength(2);
  process.kill(-(demo.child.pid ?? 0), 'SIGINT');
  const { code, stdout } = await demo.ended;
  expect(code).toBe(130);
  expect(stdout).toMatch(/Stopped\.\nWhat the ledger knows of the run: npx assent why \S+\n$/);
  await allEnded(engine);
});

test('Ctrl-C while the ledger is asked ends that, too', async () => {
  const demo = startDemo();
  await demo.said('$ npx assent events');
  process.kill(-(demo.child.pid ?? 0), 'SIGINT');
  expect((await demo.ended).code).toBe(130);
});

/** The part of a text that follows a mark, up to the next command or heading. */
function after(text: string, mark: string): string {
  const rest = text.slice(text.indexOf(mark) + mark.length);
  return text.includes(mark)
    ? (/^[^]*?(?=\n +\$ |\n\d {2}|$(?![^]))/.exec(rest)?.[0] ?? rest)
    : `nothing after ${mark}`;
}
