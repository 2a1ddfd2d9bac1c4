/** What the code of a run left behind beside its result: artifacts, hooks that threw, messages that it has not received. */
import type { MailView } from '../../protocol/messages.ts';
import type { RunDetail } from '../../protocol/query.ts';
import type { ArtifactRow, HookRow } from '../../protocol/query-workspace.ts';
import { isTerminal } from '../../protocol/states.ts';
import { gist } from './artifact-text.ts';
import { artifactsOf, nameOf } from './artifacts.ts';
import type { Client } from './client.ts';
import { mailText } from './mail-text.ts';
import { count, shortId } from './run-text.ts';
import { ink, oneLine, tableOf, tableWithTexts } from './style.ts';
import { errorLines, openValue } from './values.ts';

const SHOWN = 20;

export type Left = {
  readonly hooks: readonly HookRow[];
  readonly artifacts: readonly ArtifactRow[];
  /** Absent: nobody was asked. */
  readonly unread?: MailView['mail'];
};

export async function leftBy(client: Client, { run, kind, state }: RunDetail): Promise<Left> {
  const { hooks, active } = await client.query('HOOKS', { run, failed: true, limit: SHOWN });
  const { artifacts } = await artifactsOf(client, { run }, SHOWN);
  // A run that is over has no mail, and only an arbiter knows of it.
  if (!active || kind === 'task' || isTerminal(state)) return { hooks, artifacts };
  const { mail } = (await client.ask({ v: 1, type: 'MAIL', run })) as MailView;
  return { hooks, artifacts, unread: mail };
}

export const leftJson = ({ hooks, artifacts, unread = [] }: Left): object => ({
  unread,
  failedHooks: hooks.map((hook) => ({
    ...hook,
    ...(hook.error === undefined ? {} : { error: openValue(hook.error) }),
  })),
  artifacts: artifacts.map((artifact) => ({ ...artifact, data: openValue(artifact.data) })),
});

/** Each block begins with an empty line. */
export function leftLines({ hooks, artifacts, unread = [] }: Left): string[] {
  const mail = unread.map(({ mailbox, messages }) => [`  ${mailText({ mailbox })}`, count(messages, 'message')]);
  const failed = hooks.map((hook) => ({
    cells: [`  ${hookName(hook)}`, ink('dim', `of ${oneLine(hook.name ?? '')} ${shortId(hook.run)}`.trimEnd())],
    text: hook.error === undefined ? '' : (errorLines(hook.error)[0] ?? ''),
  }));
  const made = artifacts.map((artifact) => ({
    cells: [`  ${nameOf(artifact)}`, artifact.kind],
    text: artifact.description ?? gist(artifact),
  }));
  return [
    ...(mail.length === 0 ? [] : ['', ink('bold', 'Not received yet'), ...tableOf(mail.slice(0, SHOWN))]),
    ...(failed.length === 0 ? [] : ['', ink('bold', 'Hooks that failed'), ...tableWithTexts(failed, 'red')]),
    ...(made.length === 0 ? [] : ['', ink('bold', 'Artifacts'), ...tableWithTexts(made)]),
  ];
}

const hookName = ({ hook, function: name }: HookRow): string =>
  name === undefined ? hook : `${hook} ${oneLine(name)}`;
