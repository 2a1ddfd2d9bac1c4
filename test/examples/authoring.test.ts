/** Examples 07 to 16, each with something going wrong; what they did is counted where they did it. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { linesWith, newPlace, PROJECT, timesOf, type Place } from './example-process.ts';
import { hasEntered, ranAgain, rulingsIn } from './ledger.ts';
import { startOutside, type Asked } from './outside.ts';

let place: Place;
beforeAll(async () => {
  place = await newPlace();
});
afterAll(async () => {
  const rulings = rulingsIn(await place.ledger());
  await place.leave();
  expect(rulings.filter(({ type }) => type === 'COMPLETED')).not.toEqual([]);
  expect(ranAgain(rulings), 'ran again though it had completed').toEqual([]);
});

test('07-retry-an-api-that-is-down asks until the API is back, and once where no retry can help', async () => {
  const downFor = 4;
  const api = await startOutside(({ path }, nth) => {
    if (nth <= downFor) return nth % 2 === 0 ? 'LOST' : { status: 503 };
    return path.endsWith('unicorn') ? { status: 404 } : { body: '{"cents":123}' };
  });
  const { code, stdout, stderr } = await place.start('examples/07-retry-an-api-that-is-down.ts', api.url).ended;
  await api.close();
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/'apple' +│ 123 /);
  expect(stdout).toMatch(/'pear' +│ 123 /);
  expect(stdout).toContain('there is no unicorn');
  const answered = api.asked.slice(downFor).map(({ path }) => path);
  expect(answered.toSorted()).toEqual(['/prices/apple', '/prices/pear', '/prices/unicorn']);
});

test('08-fan-out-over-files, killed in the middle, does not read again what was read', async () => {
  const example = 'examples/08-fan-out-over-files.ts';
  const first = place.start(example, 'docs/adr');
  await first.said('read 0009');
  first.child.kill('SIGKILL');
  const before = linesWith((await first.ended).stdout, 'read ');
  const { code, stdout, stderr } = await place.start(example, 'docs/adr').ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const files = (await readdir(join(PROJECT, 'docs/adr'))).filter((file) => file.endsWith('.md'));
  expect(stdout).toContain(`{ files: ${String(files.length)}, words: `);
  const times = timesOf([...before, ...linesWith(stdout, 'read ')]);
  expect([...times.keys()].toSorted()).toEqual(files.map((file) => `read ${file}`).toSorted());
  // Four at most were at work when it died; what was read before these is on the ledger.
  for (const line of before.slice(0, -4)) expect(times.get(line), line).toBe(1);
});

describe('09-train-a-model', () => {
  const example = 'examples/09-train-a-model.ts';

  test('killed in the middle, it goes on from its last checkpoint', async () => {
    const first = place.start(example);
    await first.said('rate 0.3: 600 epochs');
    first.child.kill('SIGKILL');
    const before = (await first.ended).stdout;
    const { code, stdout, stderr } = await place.start(example).ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(linesWith(before, 'computing the features')).toHaveLength(1);
    expect(stdout).not.toContain('computing the features');
    expect(stdout).not.toMatch(/: [24]00 epochs/);
    for (const rate of ['0.001', '0.03', '0.3']) expect(stdout).toContain(`rate ${rate}: 1000 epochs`);
    expect(stdout).toMatch(/│ 0 +│ 0.3 +│ 2.27/);
  });

  test('another run trains anew, and has the features from the cache', async () => {
    const { code, stdout } = await place.start(example, '0.1').ended;
    expect(code).toBe(0);
    expect(stdout).not.toContain('computing the features');
    expect(stdout).toContain('rate 0.1: 200 epochs');
  });

  test('refuses a rate that cannot be', async () => {
    const { code, stderr } = await place.start(example, '-1').ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/rates\.0: .*BAD_PARAMETERS/);
  });
});

describe('10-subflows', () => {
  const example = 'examples/10-subflows.ts';
  const SHOPS = ['Antwerp', 'Bruges', 'Ghent'];

  test('the chain is tried again, and meets the shops that are closed', async () => {
    const { code, stdout, stderr } = await place.start(example).ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('The chain, attempt 2');
    expect(stdout).toContain('The chain took 180000 cents.');
    for (const shop of SHOPS) {
      expect(linesWith(stdout, `${shop}: the till is counted`), shop).toHaveLength(1);
      expect(linesWith(stdout, `${shop}: `), shop).toHaveLength(2);
    }
  });

  test('killed while the reports are printed, it counts no till again', async () => {
    const first = place.start(example);
    await Promise.all(SHOPS.map((shop) => first.said(`${shop}: the till is counted`)));
    // The report of one shop begins when its till is on the ledger.
    await first.said('Antwerp: 70000 cents are reported');
    first.child.kill('SIGKILL');
    const before = (await first.ended).stdout;
    const { code, stdout } = await place.start(example).ended;
    expect(code).toBe(0);
    expect(stdout).toContain('The chain took 180000 cents.');
    expect(stdout).not.toContain('Antwerp: the till is counted');
    for (const shop of SHOPS) expect(linesWith(before + stdout, `${shop}: `).length, shop).toBeLessThanOrEqual(3);
  });
});

describe('11-go-on-without', () => {
  const example = 'examples/11-go-on-without.ts';

  test('with the bank closed, one call never begins and another does without', async () => {
    const { code, stdout } = await place.start(example, 'closed').ended;
    expect(code).toBe(0);
    expect(stdout).toContain("converted: 'NotReady'");
    expect(stdout).toContain("report: '500 EUR (no rates: the bank is closed)'");
    const ofConvert = rulingsIn(await place.ledger()).filter(
      (each) => hasEntered(each) && each.run.includes('.convert-'),
    );
    expect(ofConvert.map(({ type, name }) => `${type} ${name}`)).toEqual(['PENDING NotReady', 'FAILED NotReady']);
  });

  test('with the bank open, both have what they need', async () => {
    const { stdout } = await place.start(example, 'open').ended;
    expect(stdout).toContain("converted: 'Completed'");
    expect(stdout).toContain("report: '500 EUR, which is 625 USD'");
  });
});

test('12-first-of-several-mirrors takes the first good answer and hangs up on the others', async () => {
  const silent = await startOutside(() => 'NEVER');
  const good = await startOutside(async () => {
    await silent.wasAsked(1);
    return { body: 'the file' };
  });
  const broken = await startOutside(() => ({ status: 500 }));
  const urls = [silent, good, broken].map(({ url }) => url);
  const { code, stdout } = await place.start('examples/12-first-of-several-mirrors.ts', ...urls).ended;
  expect(code).toBe(0);
  expect(stdout).toContain(`${good.url} was first: 8 bytes`);
  expect(stdout).toContain(`${silent.url}: not needed any more`);
  expect([silent, good, broken].map(({ asked }) => asked.length)).toEqual([1, 1, 1]);
  expect(silent.asked[0]?.left).toBe(true);
  await Promise.all([silent, good, broken].map((mirror) => mirror.close()));
});

test('13-scrape-politely keeps to its limits, and killed in the middle fetches no page again that it had', async () => {
  const example = 'examples/13-scrape-politely.ts';
  const failedOnce = new Set<string>();
  const site = await startOutside(({ path }) => {
    const page = Number(path.slice(1)) || 1;
    // One page in four is not there at the first time.
    if (page % 4 === 0 && !failedOnce.has(path)) {
      failedOnce.add(path);
      return { status: 503 };
    }
    const links = [2 * page, 2 * page + 1].filter((next) => next < 16);
    return {
      body: `<title>Page ${String(page)}</title>${links.map((next) => `<a href="/${String(next)}">`).join('')}`,
    };
  });
  const first = place.start(example, `${site.url}/`);
  await first.said('3 pages, 4 to go');
  await site.wasAsked(6);
  first.child.kill('SIGKILL');
  await first.ended;
  const { code, stdout } = await place.start(example, `${site.url}/`).ended;
  await site.close();
  expect(code).toBe(0);
  expect(linesWith(stdout, ', page').length + linesWith(stdout, ' Page ').length).toBe(15);
  const times = timesOf(site.asked.map(({ path }) => path));
  for (const path of ['/', '/2', '/3']) expect(times.get(path), path).toBe(1);
  // Two were at work when it died, and each of three pages was refused once.
  expect(site.asked.length).toBeLessThanOrEqual(15 + failedOnce.size + 2);
  expect(site.mostAtOnce).toBeLessThanOrEqual(2);
  expect(rateOf(site.asked)).toBeLessThanOrEqual(20 * 1.1);
});

/** Requests a second beyond the ten that may come at once. */
function rateOf(asked: readonly Asked[]): number {
  const tookMs = (asked.at(-1)?.atMs ?? 0) - (asked[0]?.atMs ?? 0);
  return ((asked.length - 10) * 1000) / tookMs;
}

describe('15-notify-on-failure', () => {
  const example = 'examples/15-notify-on-failure.ts';

  test('tells the chat once, after the last attempt', async () => {
    const chat = await startOutside(() => ({}));
    const { code, stdout } = await place.startWith({ CHAT_URL: chat.url }, example, '3').ended;
    await chat.close();
    expect(code).toBe(0);
    expect(stdout).toContain('Error: only 1 of 4 could be imported');
    expect(chat.asked.map(({ body }) => body)).toEqual([
      expect.stringMatching(/^import-files \(\w+\): Failed in attempt 2: .*only 1 of 4 could be imported/),
    ]);
  });

  test('with the chat down the flow is what it was, and the failed hook stands in its log', async () => {
    const chat = await startOutside(() => ({ status: 500 }));
    const { code, stdout } = await place.startWith({ CHAT_URL: chat.url }, example, '3').ended;
    await chat.close();
    expect(code).toBe(0);
    expect(stdout).toContain('Error: only 1 of 4 could be imported');
    expect(chat.asked).toHaveLength(1);
    const [newest] = JSON.parse((await place.assent('runs', 'ls', '-o', 'json')).stdout) as { run: string }[];
    const { stdout: logged } = await place.assent('runs', 'logs', newest?.run ?? 'none');
    expect(logged).toContain("the hook onFailure of flow 'import-files' failed");
    expect(logged).toContain('the chat answered 500');
  });

  test('tells nobody but the terminal that all is well', async () => {
    const chat = await startOutside(() => ({}));
    const { stdout } = await place.startWith({ CHAT_URL: chat.url }, example, '1').ended;
    await chat.close();
    expect(chat.asked).toEqual([]);
    expect(stdout).toContain('import-files is done.');
    expect(stdout).toContain('imported: 3');
  });
});

test('16-pay-once pays each salary once, though answers are lost and the process is killed', async () => {
  const example = 'examples/16-pay-once.ts';
  const paid = new Map<string, string>();
  const { promise: grace, resolve: graceIsPaid } = Promise.withResolvers<undefined>();
  const bank = await startOutside(({ idempotencyKey, body }, nth) => {
    const { to } = JSON.parse(body) as { to: string };
    const known = paid.get(idempotencyKey);
    if (known === undefined) paid.set(idempotencyKey, to);
    if (to === 'Grace' && known === undefined) {
      graceIsPaid(undefined);
      return 'NEVER';
    }
    return nth % 2 === 1 ? 'LOST' : { body: JSON.stringify({ payment: `for ${to}` }) };
  });
  const first = place.start(example, bank.url);
  // Paid, and the process dies before it can know.
  await grace;
  first.child.kill('SIGKILL');
  await first.ended;
  const { code, stdout } = await place.start(example, bank.url).ended;
  await bank.close();
  expect(code).toBe(0);
  expect(stdout).toContain("[ 'for Ada', 'for Grace', 'for Barbara' ]");
  expect([...paid.values()]).toEqual(['Ada', 'Grace', 'Barbara']);
  // Ada's was finished before the process died.
  const died = bank.asked.findIndex(({ body }) => body.includes('Grace')) + 1;
  expect(bank.asked.slice(died).filter(({ body }) => body.includes('Ada'))).toEqual([]);
});
