/** `assent limits ls|set|rm`: named limits and who holds their slots. */
import { AssentError } from '../../protocol/errors.ts';
import { LIMITS } from '../../protocol/limits.ts';
import type { WorkspaceEvent } from '../../protocol/proposals.ts';
import type { AnswerTo, LimitRow } from '../../protocol/query.ts';
import type { Client } from './client.ts';
import { EXIT } from './exit-codes.ts';
import type { Output } from './output.ts';
import { cut, ink, oneLine, tableOf } from './style.ts';

export async function listLimits(client: Client, output: Output): Promise<number> {
  const limits: LimitRow[] = [];
  for (let after: string | undefined = ''; after !== undefined;) {
    const page: AnswerTo<'LIMITS'> = await client.query('LIMITS', after === '' ? {} : { after });
    limits.push(...page.limits);
    after = page.next;
  }
  output.document(limits, () => (limits.length === 0 ? ['No limits are set.'] : linesOf(limits)));
  return EXIT.ok;
}

function linesOf(limits: readonly LimitRow[]): string[] {
  const head = ['LIMIT', 'SLOTS', 'USED', 'WAITING', 'HELD BY'].map((cell) => ink('bold', cell));
  const rows = limits.map(({ limit, slotsMax, used, waiting, holders }) => [
    oneLine(limit),
    slotsMax === undefined ? 'removed' : String(slotsMax),
    slotsMax !== undefined && used >= slotsMax ? ink('yellow', String(used)) : String(used),
    String(waiting),
    cut(holders.map(({ name, run }) => `${oneLine(name)} ${run}`).join(', '), 100),
  ]);
  return tableOf([head, ...rows]);
}

export async function setLimit(
  client: Client,
  output: Output,
  { name, slots }: { readonly name: string; readonly slots: string },
): Promise<number> {
  const slotsMax = Number(slots);
  if (!Number.isSafeInteger(slotsMax) || slotsMax < 0) {
    throw new AssentError('USAGE', `'${slots}' is no number of slots: 0 or more.`);
  }
  return propose(client, output, { type: 'LIMIT_SET', limit: checked(name), slotsMax });
}

export const removeLimit = (client: Client, output: Output, { name }: { readonly name: string }): Promise<number> =>
  propose(client, output, { type: 'LIMIT_REMOVED', limit: checked(name) });

function checked(name: string): string {
  if (name.length > 0 && name.length <= LIMITS.nameMax) return name;
  throw new AssentError('USAGE', `A limit's name has 1 to ${String(LIMITS.nameMax)} characters.`);
}

type LimitEvent = Extract<WorkspaceEvent, { readonly type: 'LIMIT_SET' | 'LIMIT_REMOVED' }>;

async function propose(client: Client, output: Output, event: LimitEvent): Promise<number> {
  const { outcome, code, why, seq, index } = await client.propose({ kind: 'workspace', event });
  const isDone = outcome !== 'rejected';
  const done = event.type === 'LIMIT_SET' ? `has ${String(event.slotsMax)} slots` : 'is removed';
  output.document({ ...event, outcome, code, why, seq, index }, () => [
    isDone
      ? `Limit '${event.limit}' ${done}.`
      : `${ink(['red', 'bold'], 'REFUSED')} (${code ?? 'no code'}): ${why ?? ''}.`,
  ]);
  return isDone ? EXIT.ok : EXIT.rejected;
}
