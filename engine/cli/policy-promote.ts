/**
 * `assent policy promote RULE`: takes a rule of a declared file out of the shadow, and waits until the engine that watches
 * the file has put it in force.
 */
import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { AssentError } from '../../protocol/errors.ts';
import { formatOf, promoted, type Promotion } from '../declared/index.ts';
import { readConnectionFile } from '../server/connection-file.ts';
import { Client } from './client.ts';
import { EXIT } from './exit-codes.ts';
import type { Output } from './output.ts';
import type { Place } from './place.ts';
import { ink } from './style.ts';

/** How long the engine may take to see the change, to check it, and to put it in force. */
const IN_FORCE_MS = 15_000;
const LOOK_AGAIN_MS = 100;

export type PromoteOptions = {
  readonly rule: string;
  /** The file; default: the one that the engine of the data folder watches. */
  readonly file?: string;
};

export async function promoteRule(
  output: Output,
  place: Place,
  { rule, file: named }: PromoteOptions,
): Promise<number> {
  const watched = (await readConnectionFile(place.dataDir))?.policyFile;
  const file = named === undefined ? watched : resolve(named);
  if (file === undefined) {
    throw new AssentError(
      'USAGE',
      'No engine of this data folder watches a file of rules: name the file, with --file.',
    );
  }
  const format = formatOf(file);
  const shown = relative(process.cwd(), file);
  if (format === undefined) {
    throw new AssentError(
      'USAGE',
      `${shown} is no file of declared rules: there, take the rule out of shadow(…) yourself.`,
    );
  }
  const promotion = promoted(await textOf(file, shown), format, rule, shown);
  const change = changeOf(promotion);
  const client = await Client.find(output, place).catch(() => undefined);
  try {
    const before = await policyOf(client);
    await replaceFile(file, change.text);
    const isWatched = file === watched && before !== undefined && client !== undefined;
    const policy = isWatched ? await changedPolicy(client, before) : undefined;
    output.document({ rule, file, line: change.line, ...(policy === undefined ? {} : { policy }) }, () => [
      `${ink('bold', rule)} is out of the shadow: ${shown}:${String(change.line)}`,
      policy === undefined
        ? 'It is in force once an engine has read the file.'
        : `It is in force, by the policy ${policy.slice(0, 16)}.`,
    ]);
    return EXIT.ok;
  } finally {
    await client?.close();
  }
}

async function textOf(file: string, shown: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new AssentError(
      'USAGE',
      `${shown} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function changeOf(promotion: Promotion): Extract<Promotion, { readonly type: 'PROMOTED' }> {
  if (promotion.type === 'PROMOTED') return promotion;
  throw new AssentError('USAGE', `Nothing was changed: ${promotion.detail}.`);
}

/** At once or not at all: whoever watches the file never reads half of it. */
async function replaceFile(file: string, text: string): Promise<void> {
  const draft = `${file}.${randomUUID()}`;
  try {
    await writeFile(draft, text, { flag: 'wx', mode: (await stat(file)).mode });
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

const policyOf = async (client: Client | undefined): Promise<string | undefined> =>
  client === undefined ? undefined : (await client.query('STATUS', {})).status.ledger.policy;

/** @throws AssentError POLICY_INVALID when the engine does not put anything else in force in time. */
async function changedPolicy(client: Client, before: string): Promise<string> {
  for (const untilMs = performance.now() + IN_FORCE_MS; performance.now() < untilMs;) {
    const policy = await policyOf(client);
    if (policy !== undefined && policy !== before) return policy;
    await pause(LOOK_AGAIN_MS);
  }
  throw new AssentError(
    'ENGINE_UNAVAILABLE',
    'The file is changed, and the engine has not put it in force: its log says why.',
  );
}
