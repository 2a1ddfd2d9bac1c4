/** Policies of users on real engines. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { Objm } from '@nats-io/obj';
import { epochOf } from '../../engine/arbiter/epoch.ts';
import { connectTo } from '../../engine/connect.ts';
import { chainOver } from '../../engine/fold/chain.ts';
import { evolveSegment } from '../../engine/fold/evolve.ts';
import { Workspace } from '../../engine/fold/workspace.ts';
import { jetstreamLog } from '../../engine/log/jetstream.ts';
import { storeBundle } from '../../engine/policy/index.ts';
import { startEngine, type Engine, type EngineOptions } from '../../engine/main.ts';
import type { Answer, PolicyReport } from '../../protocol/messages.ts';
import type { Ruling } from '../../protocol/rulings.ts';
import { streams, subjects } from '../../protocol/subjects.ts';
import { idFrom } from '../../protocol/ids.ts';
import { randomBytes } from 'node:crypto';
import { askArbiter } from '../support/ask-arbiter.ts';
import { proposeRaw, type RawSession } from '../support/raw-session.ts';
import { folder, moduleWith, writeModule } from './policy-files.ts';

type Running = {
  readonly engine: Engine;
  readonly said: string[];
  heard(text: string): Promise<void>;
  stop(): Promise<void>;
};

async function start(options: EngineOptions): Promise<Running> {
  const said: string[] = [];
  const waiting = new Set<() => void>();
  const engine = await startEngine({
    durability: 'process',
    ...options,
    say: (line) => {
      said.push(line);
      for (const look of [...waiting]) look();
    },
  });
  let isOver = false;
  const stop = async (): Promise<void> => {
    if (isOver) return;
    isOver = true;
    await engine.stop();
  };
  onTestFinished(stop);
  const heard = (text: string): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (!said.some((line) => line.includes(text))) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  return { engine, said, heard, stop };
}

async function sessionOf(dataDir: string): Promise<RawSession> {
  const session = await proposeRaw(dataDir);
  onTestFinished(() => session.close());
  return session;
}

/** A flow run that is to begin. */
const beginning = (name: string, more: object = {}) => ({
  kind: 'flow',
  run: idFrom(randomBytes(16)),
  to: { type: 'RUNNING', name: 'Running' },
  claim: true,
  create: { kind: 'flow', name, ...more },
});

const begin = (session: RawSession, name: string, more: object = {}): Promise<Answer> =>
  session.ask(beginning(name, more));

async function policyOf({ clientAddress, workspace }: Engine): Promise<PolicyReport> {
  const { connection } = await connectTo(clientAddress, 'test');
  try {
    return (await askArbiter(connection, '{"v":1,"type":"POLICY"}', workspace)).json<PolicyReport>();
  } finally {
    await connection.close();
  }
}

/** What a later engine would leave: an epoch whose policy is this source, loadable here or not. */
async function putOnLedger({ clientAddress, workspace: name }: Engine, source: string): Promise<void> {
  const { connection } = await connectTo(clientAddress, 'later engine');
  try {
    const policy = await storeBundle(connection, name, source);
    const ledger = jetstreamLog(connection, { stream: streams.ledger(name), subject: subjects.ledger(name) });
    const workspace = new Workspace();
    const chain = chainOver(ledger, workspace.meta.head);
    for (;;) {
      for await (const message of ledger.read(chain.last + 1)) {
        const link = await chain.take(message);
        if (link.type !== 'VOID') evolveSegment(workspace, link.segment, message.seq);
      }
      const { epoch, timeMs } = workspace.meta;
      const begin = { epoch: epoch + 1, writer: 'a later engine', atMs: timeMs, policy };
      const none = { endedAt: undefined, rewound: undefined };
      const { bytes } = epochOf(workspace.meta, { ...begin, ...none, set: { type: 'POLICY_SET', policy } });
      if ((await ledger.append(bytes, chain.last)).type === 'OK') return;
    }
  } finally {
    await connection.close();
  }
}

const refusing = (name: string): string =>
  moduleWith(`return run.name === '${name}' ? reject('HOUSE', 'not here') : pass();`);

test('a module puts rules in force by an event, and the next engine judges by them without it', async () => {
  const dataDir = folder();
  const first = await start({ dataDir, policies: writeModule(refusing('bad')) });
  const session = await sessionOf(dataDir);
  expect(await begin(session, 'bad')).toMatchObject({ outcome: 'rejected', code: 'HOUSE', why: 'not here' });
  expect(await begin(session, 'good')).toMatchObject({ outcome: 'accepted' });
  const { policy, history } = await policyOf(first.engine);
  expect(history.map(({ core, from }) => [core, from])).toEqual([
    [true, undefined],
    [false, 'policy.ts'],
  ]);
  expect(history.at(-1)?.policy).toBe(policy);
  await first.stop();

  const second = await start({ dataDir });
  expect((await policyOf(second.engine)).policy).toBe(policy);
  const again = await sessionOf(dataDir);
  expect(await begin(again, 'bad')).toMatchObject({ outcome: 'rejected', code: 'HOUSE' });
  await second.stop();

  const third = await start({ dataDir, policies: 'core' });
  await third.heard('judges');
  expect(await begin(await sessionOf(dataDir), 'bad')).toMatchObject({ outcome: 'accepted' });
  expect((await policyOf(third.engine)).history.map(({ core }) => core)).toEqual([true, false, true]);
});

test('a part for a flow judges that flow and the tasks under it, and the ruling says so', async () => {
  const dataDir = folder();
  const source = `
import { before, definePolicies, defineRule, reject } from 'assent/rules';
const noTasks = defineRule({
  name: 'no-tasks', summary: 'None.', on: ['task'], from: ['NONE'], to: ['RUNNING'], needs: [], may: ['reject'],
  judge: () => reject('NO_TASKS', 'no tasks'),
});
const change = (core) => ({ task: before(core.task, 'follow-lifecycle', noTasks) });
export default definePolicies({ flows: { nightly: change }, tags: { paid: change } });`;
  const { engine } = await start({ dataDir, policies: writeModule(source) });
  const session = await sessionOf(dataDir);
  const selections: unknown[] = [];
  const { connection } = await connectTo(engine.clientAddress, 'test');
  onTestFinished(() => connection.close());
  connection.subscribe(subjects.ruled(engine.workspace, '*', '*'), {
    callback: (_, message) => {
      selections.push(message.json<Ruling>().selection);
    },
  });
  await connection.flush();
  const taskUnder = async (name: string, more: object = {}): Promise<Answer> => {
    const flow = beginning(name, more);
    expect(await session.ask(flow)).toMatchObject({ outcome: 'accepted' });
    const create = { kind: 'task', name: 'step', parent: flow.run };
    const to = { type: 'RUNNING', name: 'Running' };
    return session.ask({ kind: 'task', run: `${flow.run}.0123456789abcdef`, to, execution: 1, create });
  };
  expect(await taskUnder('nightly')).toMatchObject({ outcome: 'rejected', code: 'NO_TASKS' });
  expect(await taskUnder('daily', { tags: ['paid'] })).toMatchObject({ outcome: 'rejected', code: 'NO_TASKS' });
  expect(await taskUnder('daily')).toMatchObject({ outcome: 'accepted' });
  const [nightly, paid] = [{ flow: 'nightly' }, { tag: 'paid' }];
  await expect.poll(() => selections).toEqual([nightly, nightly, paid, paid, undefined, undefined]);
});

test('a changed file is in force soon, an invalid one changes nothing, and no proposal is lost meanwhile', async () => {
  const dataDir = folder();
  const into = folder();
  const running = await start({ dataDir, policies: writeModule(refusing('v1'), into) });
  const { engine, said } = running;
  const session = await sessionOf(dataDir);
  const outcomes: string[] = [];
  const over = new AbortController();
  onTestFinished(() => {
    over.abort();
  });
  const load = (async () => {
    while (!over.signal.aborted) {
      const answers = await Promise.all(Array.from({ length: 20 }, () => begin(session, 'good')));
      outcomes.push(...answers.map(({ outcome }) => outcome));
    }
  })();
  const { policy } = await policyOf(engine);
  for (const version of ['v2', 'v3', 'v4']) {
    const judging = said.filter((line) => line.includes('judges')).length;
    writeModule(refusing(version), into);
    await expect
      .poll(() => said.filter((line) => line.includes('judges')).length, { timeout: 20_000 })
      .toBeGreaterThan(judging);
    expect(await begin(session, version)).toMatchObject({ outcome: 'rejected' });
  }
  writeModule('export default {', into);
  await running.heard('is not valid');
  expect(await begin(session, 'v4')).toMatchObject({ outcome: 'rejected' });
  over.abort();
  await load;
  expect(outcomes.length).toBeGreaterThan(100);
  expect(new Set(outcomes)).toEqual(new Set(['accepted']));
  const report = await policyOf(engine);
  expect(report.history).toHaveLength(5);
  expect(report.policy).not.toBe(policy);
});

test('an engine that cannot find the source of its policy does not start, says why, and takes another one', async () => {
  const dataDir = folder();
  const first = await start({ dataDir, policies: writeModule(refusing('bad')) });
  const { policy } = await policyOf(first.engine);
  const { connection } = await connectTo(first.engine.clientAddress, 'thief');
  const bucket = await new Objm(connection).open(streams.values('default'));
  await bucket.delete(`policy-${policy.slice(0, 16)}`);
  await connection.close();
  await first.stop();

  await expect(start({ dataDir })).rejects.toThrow(/POLICY_MISSING.*--policy/);
  const second = await start({ dataDir, policies: 'core' });
  expect(await begin(await sessionOf(dataDir), 'bad')).toMatchObject({ outcome: 'accepted' });
  expect((await policyOf(second.engine)).history.map(({ core }) => core)).toEqual([true, false, true]);
});

test.each([
  ['is of a later format', '({ format: 2 })', 'one of a later version'],
  ['is no script', 'this is none', 'Unexpected identifier'],
  ['throws', "throw new Error('not today')", 'not today'],
])('an engine whose policy %s does not start, says why, and takes another one', async (_, source, why) => {
  const dataDir = folder();
  const first = await start({ dataDir });
  await putOnLedger(first.engine, source);
  await first.stop();
  await expect(start({ dataDir })).rejects.toThrow(new RegExp(`cannot be loaded: .*${why}.*POLICY_MISSING`));
  const second = await start({ dataDir, policies: 'core' });
  expect(await begin(await sessionOf(dataDir), 'bad')).toMatchObject({ outcome: 'accepted' });
  expect((await policyOf(second.engine)).history.map(({ core }) => core)).toEqual([true, false, true]);
});

test('an invalid module keeps the engine from starting, and says where it is wrong', async () => {
  const policies = writeModule(moduleWith('return Math.random();'));
  await expect(start({ dataDir: folder(), policies })).rejects.toThrow(
    /policy\.ts:8:12: a rule may not use Math\.random/,
  );
  await expect(start({ dataDir: folder(), policies: {} as never })).rejects.toThrow('BAD_OPTION');
});

describe('a rule in force', () => {
  test.each([
    ['throws', "if (run.name === 'bad') throw new Error('oh no'); return pass();", 'RULE_ERROR'],
    ['says nonsense', "return run.name === 'bad' ? { type: 'PERHAPS' } : pass();", 'RULE_ERROR'],
    ['changes its input', "if (run.name === 'bad') run.name = 'good'; return pass();", 'RULE_ERROR'],
    ['reads a clock', "return run.name === 'bad' && new Date() > 0 ? pass() : pass();", 'RULE_ERROR'],
    ['waits', "return run.name === 'bad' ? (async () => { throw new Error('late'); })() : pass();", 'RULE_ERROR'],
    [
      'is impure',
      "globalThis.n = (globalThis.n ?? 0) + 1; return run.name === 'bad' && globalThis.n % 2 ? reject('X', 'x') : pass();",
      'RULE_IMPURE',
    ],
  ])('that %s is named in the trail, and everything else goes on', async (_, body, code) => {
    const dataDir = folder();
    await start({ dataDir, policies: writeModule(moduleWith(body)) });
    const session = await sessionOf(dataDir);
    expect(await begin(session, 'bad')).toMatchObject({ outcome: 'rejected', code });
    expect(await begin(session, 'good')).toMatchObject({ outcome: 'accepted' });
  });

  test('that never answers is ended; an innocent proposal waits for less than a second, and nothing else is refused', async () => {
    const dataDir = folder();
    const body = "if (run.name === 'bad') while (true) {} return pass();";
    const { said } = await start({ dataDir, policies: writeModule(moduleWith(body)) });
    const session = await sessionOf(dataDir);
    await begin(session, 'good');
    for (let round = 0; round < 3; round += 1) {
      const beganMs = performance.now();
      const [bad, good] = await Promise.all([begin(session, 'bad'), begin(session, 'good')]);
      const tookMs = performance.now() - beganMs;
      expect(bad).toMatchObject({ outcome: 'rejected', code: 'RULE_ERROR' });
      expect(good).toMatchObject({ outcome: 'accepted' });
      expect(tookMs).toBeLessThan(1000);
    }
    expect(said.filter((line) => line.includes('the rule house-rule did not answer'))).toHaveLength(3);
  });
});
