/**
 * `assent policy shadow`: how often each shadow rule was asked, and each ruling that would have come out otherwise with
 * the rule in force.
 */
import { AssentError } from '../../protocol/errors.ts';
import type { AnswerTo, QueryOf } from '../../protocol/query.ts';
import type { FlipRow, ShadowRow } from '../../protocol/shadow.ts';
import { parseSpanMs } from '../declared/index.ts';
import type { Client } from './client.ts';
import { EXIT } from './exit-codes.ts';
import type { Output } from './output.ts';
import { shortId } from './run-text.ts';
import { cut, formatOfOutcome, ink, oneLine, tableOf } from './style.ts';
import { clockOf } from './times.ts';

export type ShadowOptions = {
  readonly rule?: string | undefined;
  readonly since?: string | undefined;
  /** List at most so many flips. */
  readonly limit: number;
};

export async function showShadow(client: Client, output: Output, options: ShadowOptions): Promise<number> {
  const asked = askedFor(options);
  const first = await client.query('SHADOW', { ...asked, limit: Math.min(options.limit, 1000) });
  const flips = [...first.flips];
  for (let before = first.next; before !== undefined && flips.length < options.limit;) {
    const limit = Math.min(options.limit - flips.length, 1000);
    const page: AnswerTo<'SHADOW'> = await client.query('SHADOW', { ...asked, before, limit });
    flips.push(...page.flips);
    before = page.next;
  }
  output.document({ rules: first.rules, flips }, () => linesOf(first.rules, flips));
  return EXIT.ok;
}

function askedFor({ rule, since }: ShadowOptions): Pick<QueryOf<'SHADOW'>, 'rule' | 'sinceMs'> {
  return {
    ...(rule === undefined ? {} : { rule }),
    ...(since === undefined ? {} : { sinceMs: sinceMsOf(since) }),
  };
}

/** `2h`, `7d`: so long ago; or a date, with a time or without. */
function sinceMsOf(text: string): number {
  const spanMs = parseSpanMs(text);
  const atMs = spanMs === undefined ? Date.parse(text) : Date.now() - spanMs;
  if (Number.isNaN(atMs))
    throw new AssentError('USAGE', `--since is a span or a date, as in 2h, 7d or 2026-11-22, not '${text}'.`);
  return Math.max(0, Math.floor(atMs));
}

function linesOf(rules: readonly ShadowRow[], flips: readonly FlipRow[]): string[] {
  if (rules.length === 0) return ['No shadow rule was asked.'];
  const total = rules.reduce((sum, row) => sum + row.flips, 0);
  const shown = flips.length < total ? `, the newest ${String(flips.length)} of ${String(total)}` : '';
  return [
    ...tableOf([COUNTS_HEAD.map((cell) => ink('bold', cell)), ...rules.map(countsOf)]),
    '',
    total === 0 ? 'Nothing would have come out otherwise.' : ink('bold', `What would have come out otherwise${shown}:`),
    ...(flips.length === 0 ? [] : tableOf(flips.map(flipOf))),
  ];
}

const COUNTS_HEAD = ['RULE', 'ASKED', 'PASS', 'REWRITE', 'REJECT', 'HOLD', 'ERRORS', 'FLIPS'];
const RULE_COLUMNS = 40;

const countsOf = ({ rule, asked, passed, rewrote, rejected, held, errors, flips }: ShadowRow): string[] => [
  cut(oneLine(rule), RULE_COLUMNS),
  String(asked),
  countText(passed),
  ink('yellow', countText(rewrote)),
  ink(['red', 'bold'], countText(rejected)),
  ink('magenta', countText(held)),
  ink(['red', 'bold'], countText(errors)),
  ink('bold', countText(flips)),
];

const countText = (count: number): string => (count === 0 ? '–' : String(count));

const WOULD_HAVE: Readonly<Record<FlipRow['opinion'], string>> = {
  pass: 'passed',
  rewrite: 'rewritten',
  reject: 'rejected',
  hold: 'held',
  error: 'failed',
};

function flipOf({ shadow, opinion, why, code, ruling }: FlipRow): string[] {
  const { run = '', name = '', from = '–', to = '–', outcome, atMs } = ruling;
  return [
    ink('dim', clockOf(atMs)),
    `${cut(oneLine(name), 24)} ${ink('dim', shortId(run))}`,
    `${oneLine(from)} → ${oneLine(to)}`,
    ink(formatOfOutcome(outcome), outcome),
    `${cut(oneLine(shadow), RULE_COLUMNS)} would have ${WOULD_HAVE[opinion]} it${code === undefined ? '' : ` (${oneLine(code)})`}: ${oneLine(why)}`,
  ];
}
