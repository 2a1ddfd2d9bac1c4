/** `assent runs send`, `events emit`, `runs resume --input`, and what is said of runs that wait for them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inlineValue } from '../../engine/cli/values.ts';
import { EXIT } from '../../engine/cli/exit-codes.ts';
import { startEngine, type Engine } from '../../engine/main.ts';
import type { RunDetail } from '../../protocol/query.ts';
import { proposeRaw, type RawSession } from '../support/raw-session.ts';
import { assentOn, type Assent } from './assent.ts';

let dataDir: string;
let engine: Engine;
let session: RawSession;
let assent: Assent;

const FLOW = 'mmmmmmmmmmmmmmm1';
const SLEEPS = 'mmmmmmmmmmmmmmm2';
const ASKS = 'mmmmmmmmmmmmmmm3';
const RUNNING = { type: 'RUNNING', name: 'Running' };

const start = (run: string, more: object = {}): Promise<unknown> =>
  session.ask({ kind: 'flow', run, to: RUNNING, claim: true, create: { kind: 'flow', name: 'orders', ...more } });
const receive = (run: string, name: string, receives: object): Promise<unknown> =>
  session.ask({
    kind: 'task',
    run: `${run}.${name}`,
    execution: 1,
    to: RUNNING,
    create: { kind: 'task', name, parent: run, receives },
  });
const said = async (...args: readonly string[]): Promise<string> => {
  const { stdout, stderr, code } = await assent(...args);
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
};

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'assent-mail-'));
  // The session made by hand does not beat: its runs must not be taken for dead.
  engine = await startEngine({ dataDir, durability: 'process', settings: { heartbeatLimitMs: 3_600_000 } });
  session = await proposeRaw(dataDir);
  assent = assentOn(dataDir);
  await start(FLOW);
});

afterAll(async () => {
  await session.close();
  await engine.stop();
  await rm(dataDir, { recursive: true });
});

test('a message that is sent is received, and until then everybody is told how to send it', async () => {
  await receive(FLOW, 'receive', {
    type: 'MESSAGE',
    mailbox: `${FLOW} message:approved`,
    untilMs: Date.now() + 3_600_000,
  });
  const how = `assent runs send ${FLOW} approved`;
  expect(await said('why', FLOW)).toMatch(
    new RegExp(`waits for .* for the message 'approved' until [^]*HELD by receive-message[^]*${how} JSON`),
  );
  expect(await said('runs', 'ls')).toMatch(/orders +Running .*waits for the message 'approved' since \d\d:/);
  expect(await said('runs', 'inspect', FLOW)).toMatch(
    new RegExp(`waits for +the message 'approved', since .*, until .*: ${how} JSON`),
  );
  // Under another name it lies there, and both is said.
  expect(await said('runs', 'send', FLOW, 'aproved', 'true')).toBe(
    `'aproved' is sent to ${FLOW}, and lies there until the run receives it. Now it waits for the message 'approved'.\n`,
  );
  expect(await said('runs', 'inspect', FLOW)).toMatch(/Not received yet\n {2}the message 'aproved' +1 message\n/);
  expect(await assent.json('runs', 'inspect', FLOW)).toMatchObject({
    unread: [{ mailbox: `${FLOW} message:aproved`, messages: 1 }],
  });
  const sent = await said('runs', 'send', FLOW, 'approved', '{"by":"Ada"}');
  expect(sent).toBe(`'approved' is sent to ${FLOW}, which waits for it.\n`);
  const received = await assent.json<RunDetail>('runs', 'inspect', `${FLOW}.receive`);
  expect(received).toMatchObject({ state: { name: 'Received' }, result: { value: { by: 'Ada' } } });
});

test('an event that is emitted is heard under its key', async () => {
  await receive(FLOW, 'paid', { type: 'EVENT', topic: 'order paid[7]' });
  expect(await said('why', FLOW)).toContain(`assent events emit 'order paid' JSON --key 7`);
  expect(await said('events', 'emit', 'order paid', '12', '--key', '8')).toBe(
    "'order paid' with the key '8' is emitted, but no flow run listens for it: nobody hears it.\n",
  );
  expect(await said('events', 'emit', 'order paid', '13', '--key', '7')).toBe(
    "'order paid' with the key '7' is emitted to 1 flow run that listens for it.\n",
  );
  expect(await assent.json<RunDetail>('runs', 'inspect', `${FLOW}.paid`)).toMatchObject({ result: { value: 13 } });
  expect(await said('events', FLOW)).toContain('Received');
});

test('what cannot be received is refused, and says why', async () => {
  expect(await assent('runs', 'send', `${FLOW}.paid`, 'approved')).toMatchObject({
    code: EXIT.rejected,
    stdout: expect.stringContaining('is a task run, which receives nothing') as string,
  });
  expect(await assent('runs', 'send', 'zzzzzzzzzzzzzzzz', 'approved')).toMatchObject({ code: EXIT.notFound });
  expect(await assent('events')).toMatchObject({ code: EXIT.usage });
  for (const typed of ['{id:9}', '["a"', '"open']) {
    const slip = await assent('runs', 'send', FLOW, 'approved', typed);
    expect([slip.code, slip.stderr]).toEqual([EXIT.usage, expect.stringContaining('It is not JSON: ')]);
    expect(slip.stderr).toContain(`If it is meant as a text: '${JSON.stringify(typed)}'`);
  }
  expect(await assent('events', 'emit', 'anything', '{a')).toMatchObject({ code: EXIT.usage });
});

test('a run that has let go of its process says what it goes on for', async () => {
  await start(SLEEPS, { work: { pool: 'p', queue: 'q' } });
  await receive(SLEEPS, 'paid', { type: 'EVENT', topic: 'paid' });
  const wakeOn = [`${SLEEPS} message:go`, `${SLEEPS} event:paid`];
  const to = {
    type: 'PAUSED',
    name: 'Waiting',
    suspended: true,
    wakeAtMs: Date.now() + 86_400_000,
    wakeOn: wakeOn.slice(1),
  };
  await session.ask({ kind: 'flow', run: SLEEPS, execution: 1, to });
  expect(await said('why', SLEEPS)).toMatch(
    /It sleeps until .*, in 23 h.*, if nothing has come before\.\n[^]*It waits for the event 'paid' \(assent events emit paid JSON\)\.\n[^]*whichever worker is free goes on/,
  );
  expect(await said('runs', 'inspect', SLEEPS)).toMatch(/waits for +the event 'paid': assent events emit paid JSON/);
  // Woken early it would wait on: the rules refuse it, and what does end the wait is said.
  const refused = await assent('runs', 'resume', SLEEPS, '--input', '{"x":1}');
  expect([refused.code, refused.stdout]).toEqual([
    EXIT.rejected,
    'REFUSED (NOT_RESUMABLE): it waits, and goes on by itself: no word ends that.\n',
  ]);
  expect(refused.stderr).toMatch(
    /It goes on at .+, in 23 h [^]*It goes on when the event 'paid' comes: assent events emit paid JSON/,
  );
  await said('events', 'emit', 'paid');
  const { state } = await assent.json<RunDetail>('runs', 'inspect', SLEEPS);
  expect(['SCHEDULED', 'PENDING']).toContain(state?.type);
});

test('input that does not meet what the pause asks for is refused', async () => {
  await start(ASKS);
  const mail = { type: 'string', format: 'email', pattern: '^[^@]+@[^@]+[.][a-z]+$' };
  const properties = { approved: { type: 'boolean' }, mail };
  const schema = { type: 'object', properties, required: ['approved'] };
  const to = { type: 'PAUSED', name: 'Paused', key: 'approval', input: inlineValue(schema) };
  await session.ask({ kind: 'flow', run: ASKS, execution: 1, to });
  expect(await said('why', ASKS)).toContain(`(assent runs resume ${ASKS} --input JSON)`);
  expect(await said('runs', 'inspect', ASKS)).toMatch(/asks for +\{/);
  const asked = await assent('runs', 'resume', ASKS);
  expect([asked.code, asked.stdout]).toEqual([EXIT.usage, '']);
  expect(asked.stderr).toMatch(/The pause asks for input:\n +approved +true or false\n +mail +text \(email\), may be/);
  expect(asked.stderr).toContain(`For example: assent runs resume ${ASKS} --input '{"approved":true}'`);
  const twice = await assent('runs', 'resume', ASKS, '--input', '{"approved":true,"mail":"x"}');
  expect([twice.code, twice.stderr.match(/at mail/g)?.length]).toEqual([EXIT.usage, 1]);
  expect(await assent('runs', 'resume', ASKS, '--input', '{"approved":"yes"}')).toMatchObject({
    code: EXIT.usage,
    stderr: expect.stringContaining('approved') as string,
  });
  expect(await said('runs', 'resume', ASKS, '--input', '{"approved":true}')).toContain('is Running');
  await receive(ASKS, 'input', { type: 'MESSAGE', mailbox: `${ASKS} pause:approval` });
  expect(await assent.json<RunDetail>('runs', 'inspect', `${ASKS}.input`)).toMatchObject({
    result: { value: { approved: true } },
  });
  // What is not paused cannot be resumed; a rule says so, as of every wish.
  expect(await assent('runs', 'resume', ASKS)).toMatchObject({
    code: EXIT.rejected,
    stdout: expect.stringContaining('REFUSED (DUPLICATE): the run is RUNNING already') as string,
  });
  // A pause from outside asks for nothing.
  await said('runs', 'pause', ASKS);
  expect(await assent('runs', 'resume', ASKS, '--input', '1')).toMatchObject({
    code: EXIT.usage,
    stderr: expect.stringContaining('asks for nothing: leave --input out') as string,
  });
});
