/** Examples 17 to 21, and 28: whatever waits, or has to be undone, survives the death of its process. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { linesWith, newPlace, timesOf, type Place } from './example-process.ts';
import { ranAgain, rulingsIn, type Ruled } from './ledger.ts';

let place: Place;
beforeAll(async () => {
  place = await newPlace();
});
afterAll(async () => {
  const rulings = rulingsIn(await place.ledger());
  await place.leave();
  expect(ranAgain(rulings), 'ran again though it had completed').toEqual([]);
});

/** So many calls of this name are known to the ledger. */
const called =
  (name: string, times = 1) =>
  (rulings: readonly Ruled[]): boolean =>
    new Set(rulings.filter(({ run }) => new RegExp(`\\.${name}-[^.]*$`).test(run)).map(({ run }) => run)).size >= times;

describe('17-saga-with-rollback', () => {
  const example = 'examples/17-saga-with-rollback.ts';
  const told = async (file: string): Promise<string[]> => (await readFile(file, 'utf8')).trimEnd().split('\n');

  test('with no cabin left, all that was booked is given back in reverse order', async () => {
    const book = join(place.folder, 'none-left.txt');
    const { code, stdout, stderr } = await place.start(example, 'none', book).ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('not booked: there is no cabin left');
    expect(await told(book)).toEqual([
      'book the train',
      'book the hotel',
      'book the museum',
      'give back the museum, number 6',
      'give back the hotel, number 5',
      'give back the train, number 5',
    ]);
  });

  test('killed in the middle of giving back, it gives back the rest, and nothing twice that was given back', async () => {
    const book = join(place.folder, 'killed-in-rollback.txt');
    const first = place.start(example, 'none', book);
    await first.said('give back the hotel');
    first.child.kill('SIGKILL');
    await first.ended;
    const { code, stdout } = await place.start(example, 'none', book).ended;
    expect(code).toBe(0);
    expect(stdout).toContain('not booked: there is no cabin left');
    const lines = await told(book);
    const times = timesOf(lines);
    // Giving back the hotel was at its end when the process died: nobody can know. All else is certain.
    for (const [line, count] of times) if (!line.startsWith('give back the hotel')) expect(count, line).toBe(1);
    expect(times.size).toBe(6);
    expect(lines.at(-1)).toBe('give back the train, number 5');
  });

  test('killed while the tickets are sent, it sends the others', async () => {
    const book = join(place.folder, 'killed-in-commit.txt');
    const first = place.start(example, 'cabin', book);
    await first.said('send the ticket for the hotel');
    first.child.kill('SIGKILL');
    await first.ended;
    const { code, stdout } = await place.start(example, 'cabin', book).ended;
    expect(code).toBe(0);
    expect(stdout).toContain('booked\n');
    const times = timesOf(await told(book));
    expect(times.size).toBe(8);
    for (const [line, count] of times) if (!line.includes('hotel')) expect(count, line).toBe(1);
  });
});

describe('18-human-approval', () => {
  const example = 'examples/18-human-approval.ts';

  test('an answer that does not fit is refused, and one that does is heard by the process that waits by then', async () => {
    const first = place.start(example, '2000');
    await first.said('Somebody has to decide');
    await place.ruled((rulings) => rulings.some(({ type }) => type === 'PAUSED'));
    first.child.kill('SIGKILL');
    const run = /resume (\w+) /.exec((await first.ended).stdout)?.[1] ?? 'none';

    const second = place.start(example, '2000');
    await second.said(`resume ${run}`);
    await place.ruled((rulings) => rulings.filter(({ type }) => type === 'PAUSED').length === 2);
    const resume = (input: object): ReturnType<Place['assent']> =>
      place.assent('runs', 'resume', run, '--input', JSON.stringify(input));
    const refused = await resume({ approver: 'Ada', cents: 'all of it' });
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/cents/);
    expect(await resume({ approver: 'Ada', cents: 1500 })).toMatchObject({ code: 0 });
    const { code, stdout, stderr } = await second.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).not.toContain('assessing the risk');
    expect(linesWith(stdout, 'paying out')).toEqual(['paying out 1500 cents, as Ada said']);
    expect(stdout).toContain('1500 cents are paid back.');
  });

  test('when nobody answers in time, nothing is paid', async () => {
    const { code, stdout } = await place.start(example, '3000', '300ms').ended;
    expect(code).toBe(0);
    expect(stdout).not.toContain('paying out');
    expect(stdout).toContain('never resumed');
  });

  test('cancelled while it waits, it pays nothing', async () => {
    const waiting = place.start(example, '4000');
    await waiting.said('Somebody has to decide');
    const run = /resume (\w+) /.exec(waiting.saidSoFar())?.[1] ?? 'none';
    expect(await place.assent('runs', 'cancel', run, '--reason', 'the goods came back broken')).toMatchObject({
      code: 0,
    });
    const { code, stdout } = await waiting.ended;
    expect(code).toBe(0);
    expect(stdout).not.toContain('paying out');
    expect(stdout).toContain('the goods came back broken');
  });

  test('nobody is asked for small change', async () => {
    const { stdout } = await place.start(example, '500').ended;
    expect(stdout).not.toContain('Somebody has to decide');
    expect(stdout).toContain('500 cents are paid back.');
  });
});

describe('19-sleep-for-days', () => {
  const example = 'examples/19-sleep-for-days.ts';

  test('three days take no time in virtual time', async () => {
    const { code, stdout, stderr } = await place.start(example).ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/\{ tookMs: 259200000 \} in \d+ ms/);
  });

  test('killed in the middle, it sleeps only what is left', async () => {
    const first = place.start(example, '4s');
    await first.said('the trial begins');
    await place.ruled(called('sleep'));
    first.child.kill('SIGKILL');
    const began = Date.parse(linesWith((await first.ended).stdout, 'the trial begins')[0]?.slice(0, 24) ?? '');
    const second = place.start(example, '4s');
    const { code, stdout } = await second.ended;
    expect(code).toBe(0);
    expect(stdout).not.toContain('the trial begins');
    const ended = Date.parse(linesWith(stdout, 'the trial is over')[0]?.slice(0, 24) ?? '');
    expect(ended - began).toBeGreaterThanOrEqual(4000);
    // What the trial says it took is what it took in truth: its beginning is of the process that died.
    expect(stdout).toContain(`{ tookMs: ${/tookMs: (\d+)/.exec(stdout)?.[1] ?? ''} }`);
  });
});

test('20-orders-and-payments: both go on where they were when their process dies, and a message that makes no sense is left out', async () => {
  const example = 'examples/20-orders-and-payments.ts';
  const first = place.start(example, '7');
  await first.said('order 7 waits for its money');
  const runs = JSON.parse((await place.assent('runs', 'ls', '--name', 'order', '-o', 'json')).stdout) as {
    run: string;
  }[];
  await place.assent('runs', 'send', runs[0]?.run ?? 'none', 'paid', '{"cents":"a lot"}');
  await first.said('is packed');
  first.child.kill('SIGKILL');
  await first.ended;
  const { code, stdout, stderr } = await place.start(example, '7').ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain("[ 4200, 'parcel 7' ]");
  expect(stdout).not.toContain('waits for its money');
  expect(stdout).not.toContain('the card is charged');
});

describe('21-wait-for-an-event', () => {
  const example = 'examples/21-wait-for-an-event.ts';

  test('what happens while the process is dead is heard by the one that goes on', async () => {
    const first = place.start(example, 'listen');
    await first.said('the shops are waiting');
    await place.ruled(called('wait-for-event', 3));
    const emit = (town: string, at: unknown): ReturnType<Place['assent']> =>
      place.assent('events', 'emit', 'market-open', JSON.stringify({ at }), '--key', town);
    expect(await emit('Bruges', '8:00')).toMatchObject({ code: 0 });
    await first.said('The butcher in Bruges opens at 8:00');
    first.child.kill('SIGKILL');
    await first.ended;
    expect(await emit('Ghent', '9:00')).toMatchObject({ code: 0 });
    const { code, stdout } = await place.start(example, 'listen').ended;
    expect(code).toBe(0);
    expect(stdout).toContain('The baker in Ghent opens at 9:00');
    expect(stdout).toContain('The florist in Ghent opens at 9:00');
    for (const shop of ['baker', 'florist', 'butcher']) expect(stdout).toContain(`The ${shop}: Completed`);
  });

  test('shops whose patience ends do not open', async () => {
    const { code, stdout } = await place.start(example, 'listen', '300ms').ended;
    expect(code).toBe(0);
    expect(stdout).not.toContain('opens at');
    for (const shop of ['baker', 'florist', 'butcher']) expect(stdout).toContain(`The ${shop}: Failed`);
  });
});

test('28-let-go-of-the-process: the worker that began is killed while all sleep, and another one goes on', async () => {
  const example = 'examples/28-let-go-of-the-process.ts';
  const starter = place.start(example, '4s', 'starter');
  const first = place.start(example, '4s', 'worker');
  await Promise.all(['Ada', 'Grace', 'Barbara'].map((who) => first.said(`${who}: your trial begins`)));
  const suspended = (rulings: readonly Ruled[]): boolean =>
    rulings.filter(({ kind, type, name }) => kind === 'flow' && type === 'PAUSED' && name === 'Sleeping').length >= 3;
  await place.ruled(suspended);
  first.child.kill('SIGKILL');
  expect(linesWith((await first.ended).stdout, 'is over')).toEqual([]);
  const second = place.start(example, '4s', 'worker');
  const { code, stdout } = await starter.ended;
  expect({ code, stdout }).toEqual({ code: 0, stdout: "[ 'Ada', 'Grace', 'Barbara' ]\n" });
  second.child.kill('SIGTERM');
  const told = await second.ended;
  expect(told.code).toBe(0);
  expect(linesWith(told.stdout, 'your trial').toSorted()).toEqual([
    'Ada: your trial is over',
    'Barbara: your trial is over',
    'Grace: your trial is over',
  ]);
});
