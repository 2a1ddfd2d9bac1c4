/** The words that the sentences of `assent why` have in common: who asked, what for, and what the rules said. */
import type { Explained } from '../../protocol/query.ts';
import { ink, oneLine } from './style.ts';
import { withSpans } from './times.ts';

/** Who asked, in words that stand anywhere in a sentence. */
export function askerOf({ actor, onBehalfOf }: Pick<Explained, 'actor' | 'onBehalfOf'>): string {
  switch (actor) {
    case 'sdk':
      return onBehalfOf === undefined ? 'its process' : `its process for ${oneLine(onBehalfOf)}`;
    case 'cli':
      return `${onBehalfOf === undefined ? 'somebody' : oneLine(onBehalfOf)} at the command line`;
    case 'engine/clock':
      return 'the clock';
    case 'engine/cascade':
      return 'the engine (its flow run had ended)';
    case 'engine/liveness':
      return 'the engine, which watches over processes';
    case 'engine/limit':
      return 'the engine (others needed its slots)';
    default:
      return actor.startsWith('engine/') ? `the engine (${oneLine(actor.slice('engine/'.length))})` : `user '${actor}'`;
  }
}

export const quoted = (text: string | undefined): string => (text === undefined ? '' : `: "${oneLine(text)}"`);
export const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

/** With one full stop at its end, whatever it ended with. */
export const sentence = (text: string): string => `${text.replace(/[.:;,\s]+$/, '')}.`;

/** `; the reason given: "too late"`. */
export const reasonText = ({ reason }: Explained): string =>
  reason === undefined ? '' : `; the reason given: "${oneLine(reason)}"`;

/** `its process reported Failed: "HTTP 500"`, `the clock asked for Cancelled`, `somebody … forced it to Cancelled`. */
export function askedFor(ruling: Explained): string {
  const verb = ruling.overrides !== undefined ? 'forced it to' : ruling.report === true ? 'reported' : 'asked for';
  const message = ruling.message === ruling.reason ? undefined : ruling.message;
  return `${askerOf(ruling)} ${verb} ${ruling.asked ?? 'something'}${quoted(message)}`;
}

/** A rule's reason as it is recorded, on one line and with times as people say them. */
export const ruleWords = (why: string): string => withSpans(oneLine(why));

/** A rule may repeat the message that was just quoted. */
export const whyOf = ({ why = '', message }: Explained): string =>
  ruleWords(message === undefined ? why : why.replace(`, after: ${message.slice(0, 200)}`, ''));

/** `somebody … asked for Cancelling while it was Completed, reason "…"; REFUSED by RULE (CODE): why`. */
export function refusalOf(ruling: Explained): string {
  const { asked, from, rule, code, why } = ruling;
  const was = from === undefined ? '' : ` while it was ${from}`;
  const reason = ruling.reason === undefined ? '' : `, reason "${oneLine(ruling.reason)}"`;
  const verb = ruling.report === true ? 'reported' : 'asked for';
  const refused = ink(['red', 'bold'], `REFUSED by ${rule ?? 'a rule'}`);
  return `${askerOf(ruling)} ${verb} ${asked ?? 'something'}${was}${reason}; ${refused} (${code ?? 'no code'}): ${ruleWords(why ?? '')}`;
}

/** What the rules said about the ruling that stands, each with its reason as it is recorded. */
export function finalSayings(ruling: Explained): string[] {
  const { said, outcome, to } = ruling;
  return [
    ...said.map(({ rule, opinion, why }) =>
      opinion === 'rewrite' && outcome === 'rewritten'
        ? `${rule} made it ${to ?? 'another state'}: ${ruleWords(why)}`
        : `${rule}: ${ruleWords(why)}`,
    ),
    ...overriddenText(ruling),
  ];
}

/** What an override pushed aside. */
export function overriddenText({ overrides }: Explained): string[] {
  if (overrides === undefined) return [];
  const { outcome, rule = 'a rule', code, why = '' } = overrides;
  if (outcome === 'accepted') return ['the rules would have let it pass'];
  const would = { rewritten: 'have made it something else', rejected: 'have refused it', held: 'have let it wait' };
  return [`${rule} would ${would[outcome]}${code === undefined ? '' : ` (${code})`}: ${oneLine(why)}`];
}
