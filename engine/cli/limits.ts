/** `assent limits ls|set|rm`: named limits and who holds their slots. */
import { AssentError } from '../../protocol/errors.ts';
import { LIMITS } from '../../protocol/limits.ts';
import type { LimitSet, OnFull } from '../../protocol/proposals.ts';
import type { AnswerTo, LimitRow } from '../../protocol/query.ts';
import type { Client } from './client.ts';
import { EXIT } from './exit-codes.ts';
import type { Output } from './output.ts';
import { proposeEvent } from './propose-event.ts';
import { count } from './run-text.ts';
import { ink, oneLine, tableOf } from './style.ts';
import { rateText } from './why-waiting.ts';

const HOLDERS_SHOWN = 2;
const NAMES_SHOWN = 10;

export async function listLimits(client: Client, output: Output): Promise<number> {
  const limits = await limitsOf(client);
  output.document(limits, () => (limits.length === 0 ? ['No limits are set.'] : linesOf(limits)));
  return EXIT.ok;
}

async function limitsOf(client: Client): Promise<LimitRow[]> {
  const limits: LimitRow[] = [];
  for (let after: string | undefined = ''; after !== undefined;) {
    const page: AnswerTo<'LIMITS'> = await client.query('LIMITS', after === '' ? {} : { after });
    limits.push(...page.limits);
    after = page.next;
  }
  return limits;
}

function linesOf(limits: readonly LimitRow[]): string[] {
  const head = ['LIMIT', 'SLOTS', 'USED', 'WAITING', 'WHEN FULL', 'HELD BY'];
  const lines = limits.map((row) => [
    nameOf(row),
    slotsOf(row),
    row.slotsMax !== undefined && row.used >= row.slotsMax ? ink('yellow', String(row.used)) : String(row.used),
    String(row.waiting),
    WHEN_FULL[row.onFull],
    holdersOf(row),
  ]);
  return tableOf([head.map((cell) => ink('bold', cell)), ...lines]);
}

const nameOf = ({ limit, by }: LimitRow): string =>
  by === undefined ? oneLine(limit) : `${oneLine(limit)} for ${oneLine(by)}`;

const slotsOf = ({ slotsMax, slotsPerSecond }: LimitRow): string =>
  slotsMax === undefined
    ? 'removed'
    : `${String(slotsMax)}${slotsPerSecond === undefined ? '' : `, ${rateText(slotsPerSecond)}`}`;

const WHEN_FULL: Readonly<Record<OnFull, string>> = {
  enqueue: 'wait',
  'cancel-new': 'cancel new',
  'cancel-running': 'cancel running',
};

/** Whole names, as far as they fit. */
function holdersOf({ holders }: LimitRow): string {
  const names = holders.map(({ name, run }) => `${oneLine(name)} ${run}`);
  const shown = names.slice(0, HOLDERS_SHOWN).join(', ');
  const more = names.length - HOLDERS_SHOWN;
  return more > 0 ? `${shown} and ${String(more)} more` : shown;
}

export type SetOptions = {
  readonly name: string;
  readonly slots: string;
  readonly perSecond?: string | undefined;
  readonly onFull?: OnFull | undefined;
};

export async function setLimit(
  client: Client,
  output: Output,
  { name, slots, perSecond, onFull }: SetOptions,
): Promise<number> {
  const slotsMax = Number(slots);
  if (slots.trim() === '' || !Number.isSafeInteger(slotsMax) || slotsMax < 0) {
    throw new AssentError('USAGE', `'${slots}' is no number of slots: 0 or more.`);
  }
  const event: LimitSet = {
    type: 'LIMIT_SET',
    limit: checked(name),
    slotsMax,
    ...(perSecond === undefined ? {} : { slotsPerSecond: rateOption(perSecond) }),
    ...(onFull === undefined ? {} : { onFull }),
  };
  return proposeEvent(client, output, event, { done: setText(event) });
}

function rateOption(text: string): number {
  const rate = Number(text);
  if (text.trim() !== '' && rate > 0 && rate <= LIMITS.slotsPerSecondMax) return rate;
  const most = String(LIMITS.slotsPerSecondMax);
  throw new AssentError('USAGE', `--per-second is a number above 0, at most ${most}, not '${text}'.`);
}

function setText({ limit, slotsMax, slotsPerSecond, onFull = 'enqueue' }: LimitSet): string {
  const rate = slotsPerSecond === undefined ? '' : `; ${rateText(slotsPerSecond)} come back`;
  const full = onFull === 'enqueue' ? '' : `; when it is full, it will ${WHEN_FULL[onFull]} runs`;
  return `Limit '${limit}' has ${count(slotsMax, 'slot')}${rate}${full}.`;
}

/** @throws AssentError LIMIT_NOT_FOUND */
export async function removeLimit(
  client: Client,
  output: Output,
  { name }: { readonly name: string },
): Promise<number> {
  const limit = checked(name);
  const known = await limitsOf(client);
  if (!known.some((row) => row.limit === limit && row.by === undefined && row.slotsMax !== undefined)) {
    const set = [...new Set(known.map((row) => `'${row.limit}'`))].slice(0, NAMES_SHOWN).join(', ');
    throw new AssentError('LIMIT_NOT_FOUND', `No limit '${limit}' is set${set === '' ? '' : `; there are ${set}`}.`);
  }
  return proposeEvent(client, output, { type: 'LIMIT_REMOVED', limit }, { done: `Limit '${limit}' is removed.` });
}

function checked(name: string): string {
  if (name.length > 0 && name.length <= LIMITS.nameMax) return name;
  throw new AssentError('USAGE', `A limit's name has 1 to ${String(LIMITS.nameMax)} characters.`);
}
