/** `assent doctor`: is everything well? One line for each thing that it looks at, with a remedy where one is needed. */
import { statfs } from 'node:fs/promises';
import { AssentError } from '../../protocol/errors.ts';
import type { Hello } from '../../protocol/messages.ts';
import type { AnswerTo } from '../../protocol/query.ts';
import type { Status } from '../../protocol/query-status.ts';
import { withoutSecrets } from '../connect.ts';
import { VERSION } from '../version.ts';
import { Client } from './client.ts';
import { localServer, lockHolder } from './doctor-server.ts';
import { EXIT } from './exit-codes.ts';
import type { Output } from './output.ts';
import type { Place } from './place.ts';
import { count } from './run-text.ts';
import { ink, type Ink } from './style.ts';
import { bytesOf, spanOf } from './times.ts';

type Level = 'ok' | 'warn' | 'fail';
type Finding = { readonly level: Level; readonly what: string; readonly says: string; readonly remedy?: string };

/** Below these, a disk is as good as full: the server stops storing before the disk does. */
const DISK_WARN_BYTES = 2e9;
const DISK_FAIL_BYTES = 2e8;
const BEHIND_WARN = 1000;
/** Of fewer rulings, the cost says nothing. */
const COST_FROM = 1000;
const CLOCK_WARN_MS = 2000;
/** A stream that is so full soon refuses, or forgets. */
const STREAM_WARN = 0.8;

export async function examine(output: Output, place: Place): Promise<number> {
  const findings: Finding[] = [nodeFinding(), await diskFinding(place.dataDir)];
  let client: Client | undefined;
  try {
    client = await Client.find(output, place);
    if (client === undefined) findings.push(...(await withoutEngine(place)));
    else findings.push(...(await engineFindings(client, place)));
  } catch (error) {
    findings.push(failure('engine', error));
  } finally {
    await client?.close();
  }
  output.document(findings, () => findings.flatMap(linesOf));
  return findings.some(({ level }) => level === 'fail') ? EXIT.error : EXIT.ok;
}

const ok = (what: string, says: string): Finding => ({ level: 'ok', what, says });
const warn = (what: string, says: string, remedy: string): Finding => ({ level: 'warn', what, says, remedy });
const fail = (what: string, says: string, remedy: string): Finding => ({ level: 'fail', what, says, remedy });

function failure(what: string, error: unknown): Finding {
  if (!(error instanceof AssentError)) return fail(what, String(error), 'Run again with ASSENT_DEBUG=1.');
  return fail(what, error.message, error.remedy);
}

const FORMATS: Readonly<Record<Level, Parameters<Ink>[0]>> = { ok: 'green', warn: 'yellow', fail: ['red', 'bold'] };

const linesOf = ({ level, what, says, remedy }: Finding): string[] => [
  `${ink(FORMATS[level], level.padEnd(4))}  ${what.padEnd(12)} ${says}`,
  ...(remedy === undefined ? [] : [`${' '.repeat(19)}${ink('dim', `→ ${remedy}`)}`]),
];

function nodeFinding(): Finding {
  const { node } = process.versions;
  const [major = 0, minor = 0] = node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 15)) return ok('node', `${node}, assent ${VERSION}`);
  return warn(
    'node',
    `${node} cannot pack segments`,
    'Use Node.js 22.15 or newer: the ledger needs a fraction of the space.',
  );
}

async function diskFinding(dataDir: string): Promise<Finding> {
  // The folder may not be there yet: then its disk is the one of where we are.
  const { bavail, bsize } = await statfs(dataDir).catch(() => statfs('.'));
  const free = bavail * bsize;
  const says = `${bytesOf(free)} are free for ${dataDir}`;
  if (free < DISK_FAIL_BYTES) return fail('disk', says, 'Free space; until then proposals are refused.');
  return free < DISK_WARN_BYTES ? warn('disk', says, 'Free space before the ledger needs it.') : ok('disk', says);
}

async function withoutEngine(place: Place): Promise<Finding[]> {
  const engine = warn(
    'engine',
    `none runs for ${place.dataDir}`,
    'Start one with `assent server`; scripts start their own.',
  );
  return [engine, await localFinding(), await lockFinding(place, false)];
}

async function localFinding(): Promise<Finding> {
  const server = await localServer();
  if (server === undefined) {
    return ok('server', 'no nats-server on this machine yet: the first engine fetches one into the user’s cache');
  }
  const { path, source, version } = server;
  if (version !== undefined) return ok('server', `nats-server ${version}, from ${source}: ${path}`);
  return fail('server', `${path} (${source}) does not run`, 'Set ASSENT_NATS_SERVER to one that does, or unset it.');
}

async function lockFinding({ dataDir, type }: Place, engineRuns: boolean): Promise<Finding> {
  if (type === 'SERVER') return ok('lock', 'no folder is locked: the server is named by ASSENT_URL');
  const holder = await lockHolder(dataDir);
  if (holder === undefined) return ok('lock', 'nobody has locked the data folder');
  const { pid, host, isAlive } = holder;
  if (!isAlive)
    return ok('lock', `process ${String(pid)} on ${host} left its lock and is gone: the next engine takes it`);
  if (engineRuns) return ok('lock', `process ${String(pid)} has the data folder`);
  return warn(
    'lock',
    `process ${String(pid)} on ${host} has the data folder, but announces no engine`,
    'It may be starting or stopping; look again, and read engine.log in the data folder.',
  );
}

async function engineFindings(client: Client, place: Place): Promise<Finding[]> {
  const address = withoutSecrets(client.connection.getServer());
  const where = place.type === 'SERVER' ? 'named by ASSENT_URL' : `of ${place.dataDir}`;
  const findings = [ok('engine', `at ${address}, workspace ${client.workspace}, ${where}`)];
  const answer = await client.query('STATUS', {});
  const { status } = answer;
  findings.push(
    await serverFinding(status, place),
    durabilityFinding(status),
    await arbiterFinding(client, answer),
    ledgerFinding(answer),
    viewFinding(status),
    clockFinding(status),
    await lockFinding(place, true),
    ...streamFindings(status),
  );
  return findings;
}

async function serverFinding({ natsServer }: Status, { type }: Place): Promise<Finding> {
  const [major = 0, minor = 0] = natsServer.split('.').map(Number);
  const isOld = major < 2 || (major === 2 && minor < 12);
  const local = type === 'SERVER' ? undefined : await localServer();
  const source = type === 'SERVER' ? 'named by ASSENT_URL' : `from ${local?.source ?? 'a place that is gone'}`;
  const says = `nats-server ${natsServer}, ${source}`;
  return isOld
    ? warn('server', `${says}: proposals are synced to disk as well`, '2.12 or newer is faster; nothing else changes.')
    : ok('server', says);
}

function durabilityFinding({ durability, streams }: Status): Finding {
  const { setting, sync } = durability;
  const replicas = Math.min(...streams.map((stream) => stream.replicas));
  const copies = replicas > 1 ? `, ${String(replicas)} replicas` : '';
  const survives = 'a settled ruling survives kill -9 of anything';
  if (sync === 'unknown') {
    return warn(
      'durability',
      `${survives}${copies}; whether a power cut as well, this server does not tell an ordinary account`,
      'See `sync_interval` in the server’s configuration: `always` survives it.',
    );
  }
  if (sync === 'always') return ok('durability', `${setting}: ${survives} and a power cut (sync always)${copies}`);
  return warn('durability', `${setting}: ${survives}, not a power cut${copies}`, 'Start with --durability power.');
}

async function arbiterFinding(client: Client, { active, status }: AnswerTo<'STATUS'>): Promise<Finding> {
  const { role, epoch } = status.arbiter;
  if (!active) {
    return fail(
      'arbiter',
      `none is active; the one of this engine is ${role}`,
      'Read the engine’s log; a broken ledger stops every arbiter.',
    );
  }
  const beganMs = performance.now();
  const hello = (await client.ask({ v: 1, type: 'HELLO' })) as Hello;
  const tookMs = performance.now() - beganMs;
  const own = role === 'ACTIVE' ? 'this engine’s' : `another engine’s, this one’s is ${role}`;
  return ok('arbiter', `active (${own}), epoch ${String(hello.epoch || epoch)}, answers in ${spanOf(tookMs)}`);
}

function ledgerFinding({ broken, status }: AnswerTo<'STATUS'>): Finding {
  const { rulings, segments, voidSegments, epochs } = status.ledger;
  if (broken !== undefined)
    return fail(
      'ledger',
      broken,
      'Stop writing; `assent audit verify` names the place; restore the stream from a backup.',
    );
  return ok(
    'ledger',
    `${count(rulings, 'ruling')} in ${count(segments, 'segment')}, ${String(voidSegments)} void, ${count(epochs, 'epoch')}`,
  );
}

function viewFinding({ view }: Status): Finding {
  const perRuling =
    view.foldedRulings < COST_FROM
      ? ''
      : `, ${((view.busyMs * 1000) / view.foldedRulings).toFixed(0)} µs a ruling since it started`;
  const says = `${bytesOf(view.bytes)}, ${view.behind === 0 ? 'up to date' : `${count(view.behind, 'segment')} behind`}${perRuling}`;
  return view.behind > BEHIND_WARN
    ? warn('view', says, 'It catches up by itself; answers say up to where they are true.')
    : ok('view', says);
}

function clockFinding({ ledger: { clockOffsetMs } }: Status): Finding {
  if (clockOffsetMs === undefined)
    return ok('clock', 'nothing was ruled since the view started: no difference is known');
  const off = Math.abs(clockOffsetMs);
  const says = `the wall clock is ${spanOf(off)} ${clockOffsetMs < 0 ? 'behind' : 'ahead of'} the ledger’s`;
  if (off < CLOCK_WARN_MS) return ok('clock', 'the wall clock and the ledger’s agree');
  return warn('clock', says, 'Ledger time goes on undisturbed; set the machine’s clock (NTP).');
}

function streamFindings({ streams }: Status): Finding[] {
  return streams.map(({ stream, messages, bytes, bytesMax, replicas, storage }) => {
    const share = bytesMax === undefined ? 0 : bytes / bytesMax;
    const of = bytesMax === undefined ? '' : ` of ${bytesOf(bytesMax)}`;
    const says = `${stream}: ${count(messages, 'message')}, ${bytesOf(bytes)}${of}, ${storage}, ${count(replicas, 'replica')}`;
    return share > STREAM_WARN
      ? warn('stream', says, 'Raise its max_bytes with `nats stream edit`.')
      : ok('stream', says);
  });
}
