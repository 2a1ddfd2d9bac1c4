/**
 * `assent replay [RUN|FILE]`: judges again what was ruled, and says whether everything comes out as it was recorded. A run,
 * or the whole ledger, is read from the workspace; an exported file is verified first and needs no engine.
 *
 * V1 Sources of policies that a file brings are executed only with --trust, and then in a process that can write
 *    nothing and start nothing (confined.ts). A file that needs none of them needs no trust.
 */
import { existsSync } from 'node:fs';
import { AssentError } from '../../protocol/errors.ts';
import type { RunId } from '../../protocol/ids.ts';
import { rootOf } from '../../protocol/proposals.ts';
import { streams, subjects } from '../../protocol/subjects.ts';
import { jetstreamLog } from '../log/jetstream.ts';
import { coreDigest, corePolicy, policyFinder } from '../policy/index.ts';
import { differenceText } from '../replay/difference.ts';
import { isReproduced, replayLedger, type JudgesOf, type ReplayReport, type Stored } from '../replay/replay.ts';
import { storedOn } from '../replay/stored.ts';
import { policiesIn, storedInFile } from './audit/file-replay.ts';
import { checkedFile } from './audit-verify.ts';
import { Client } from './client.ts';
import { isConfined, runConfined } from './confined.ts';
import { rulingsOf } from './events.ts';
import { EXIT } from './exit-codes.ts';
import { findRun } from './find-run.ts';
import type { Output } from './output.ts';
import type { Place } from './place.ts';
import { count } from './run-text.ts';
import { ink } from './style.ts';

export type ReplayCommand = {
  /** A run, or an exported file; absent: the whole ledger. */
  readonly what?: string;
  readonly facts: boolean;
  readonly trust: boolean;
  /** So many differences are shown. */
  readonly limit: number;
};

/** What is replayed, and by whom it was judged. */
type Matter = {
  readonly of: 'run' | 'ledger';
  readonly run?: RunId;
  readonly stored: AsyncIterable<Stored>;
  readonly judgesOf: JudgesOf;
};

export async function replay(output: Output, place: Place, command: ReplayCommand): Promise<number> {
  const { what } = command;
  // What a rule leaves to a promise belongs to its realm, and is never heard; what is ours is a defect.
  process.on('unhandledRejection', (reason, promise) => {
    if (promise instanceof Promise) throw reason;
  });
  if (what !== undefined && existsSync(what)) {
    if (command.trust && !isConfined()) return runConfined(what);
    return tell(output, command, await fileMatter(what, command));
  }
  const client = await Client.open(output, place);
  try {
    return await tell(output, command, await workspaceMatter(client, command));
  } finally {
    await client.close();
  }
}

async function workspaceMatter(client: Client, { what, facts }: ReplayCommand): Promise<Matter> {
  const { connection, workspace } = client;
  const judgesOf = policyFinder(connection, workspace, [corePolicy(await coreDigest())]);
  const run = what === undefined ? undefined : (await findRun(client, what)).run;
  // The facts of one run are gathered from all the others.
  if (run !== undefined && !facts) return { of: 'run', run, stored: rulingsUnder(client, rootOf(run)), judgesOf };
  const log = jetstreamLog(connection, { stream: streams.ledger(workspace), subject: subjects.ledger(workspace) });
  return {
    of: run === undefined ? 'ledger' : 'run',
    ...(run === undefined ? {} : { run }),
    stored: storedOn(log),
    judgesOf,
  };
}

async function* rulingsUnder(client: Client, root: RunId): AsyncGenerator<Stored> {
  for await (const { seq, index, line } of rulingsOf(client, root)) yield [{ at: { seq, index }, line: line ?? '' }];
}

async function fileMatter(file: string, { facts, trust }: ReplayCommand): Promise<Matter> {
  const verified = await checkedFile(file);
  if (verified.of === 'run' && facts) {
    throw new AssentError('USAGE', `${file} has one run: its facts were gathered from the whole ledger.`);
  }
  const judgesOf = await policiesIn(file, { trust, given: [corePolicy(await coreDigest())] });
  const run = verified.of === 'run' ? { run: verified.run as RunId } : {};
  return { of: verified.of, ...run, stored: storedInFile(file, verified.of), judgesOf };
}

const PROGRESS_MS = 2000;

async function tell(output: Output, { facts, limit }: ReplayCommand, matter: Matter): Promise<number> {
  const { of, run, stored, judgesOf } = matter;
  let saidMs = performance.now();
  const report = await replayLedger(stored, {
    judgesOf,
    facts,
    differencesMax: limit,
    ...(run === undefined ? {} : { only: run }),
    progress: (rulings) => {
      if (performance.now() - saidMs < PROGRESS_MS) return;
      saidMs = performance.now();
      output.note(`${many(rulings)} rulings …`);
    },
  });
  const [missing] = report.missing;
  if (missing !== undefined) throw new AssentError('POLICY_MISSING', missingText(report));
  const ok = isReproduced(report);
  output.document({ ok, of, ...(run === undefined ? {} : { run }), ...report }, () => [
    headline(matter, ok),
    ...countLines(report).map((line) => `  ${line}`),
    ...differenceLines('Does not come out as recorded', report),
    ...(report.facts === undefined
      ? []
      : differenceLines('Decided on something that is not on the ledger', report.facts)),
  ]);
  return ok ? EXIT.ok : EXIT.error;
}

const many = (number: number): string => number.toLocaleString('en');

function headline({ of, run }: Matter, ok: boolean): string {
  const what = of === 'run' ? `Run ${run ?? ''}` : 'The ledger';
  return ok ? `${what} ${ink('green', 'is reproduced')}.` : `${what} ${ink('red', 'is not reproduced')}.`;
}

function countLines({ rulings, reproduced, differing, unjudged, policies, facts }: ReplayReport): string[] {
  const named = Object.entries(policies).map(([policy, judged]) => `${policy} (${many(judged)})`);
  return [
    `${count(reproduced, 'ruling')} of ${many(reproduced + differing)} came out byte for byte as recorded, from the recorded facts`,
    ...(unjudged === 0
      ? []
      : [`${count(unjudged, 'ruling')} without a judgment: limits, sessions, what the arbiter refused`]),
    ...(facts === undefined
      ? []
      : [`${many(facts.reproduced)} of ${many(rulings)} came out whole, their facts gathered anew from the ledger`]),
    ...(named.length === 0 ? [] : [`judged by policy ${named.join(', ')}`]),
  ];
}

function differenceLines(
  head: string,
  { differing, differences }: Pick<ReplayReport, 'differing' | 'differences'>,
): string[] {
  if (differing === 0) return [];
  const more = differing - differences.length;
  return [
    '',
    `${head}: ${count(differing, 'ruling')}`,
    ...differences.map(differenceText),
    ...(more === 0 ? [] : [`… and ${many(more)} more`]),
  ];
}

function missingText({ missing, reproduced, differing }: ReplayReport): string {
  const named = missing.map(
    ({ policy, rulings, first: { seq, index } }) =>
      `${policy} (${count(rulings, 'ruling')}, the first at ${String(seq)}.${String(index)})`,
  );
  const others = `Of the others, ${many(reproduced)} came out as recorded and ${many(differing)} did not.`;
  return `Nobody can judge again what these policies judged, for they are not to be had: ${named.join(', ')}. ${others}`;
}
