/** What the code of a run left behind beside its result: artifacts, and hooks that threw. */
import type { RunDetail } from '../../protocol/query.ts';
import type { ArtifactRow, HookRow } from '../../protocol/query-workspace.ts';
import { gist } from './artifact-text.ts';
import { artifactsOf, nameOf } from './artifacts.ts';
import type { Client } from './client.ts';
import { shortId } from './run-text.ts';
import { ink, oneLine, tableWithTexts } from './style.ts';
import { errorLines, openValue } from './values.ts';

const SHOWN = 20;

export type Left = { readonly hooks: readonly HookRow[]; readonly artifacts: readonly ArtifactRow[] };

export async function leftBy(client: Client, { run }: RunDetail): Promise<Left> {
  const { hooks } = await client.query('HOOKS', { run, failed: true, limit: SHOWN });
  const { artifacts } = await artifactsOf(client, { run }, SHOWN);
  return { hooks, artifacts };
}

export const leftJson = ({ hooks, artifacts }: Left): object => ({
  failedHooks: hooks.map((hook) => ({
    ...hook,
    ...(hook.error === undefined ? {} : { error: openValue(hook.error) }),
  })),
  artifacts: artifacts.map((artifact) => ({ ...artifact, data: openValue(artifact.data) })),
});

/** Each block begins with an empty line. */
export function leftLines({ hooks, artifacts }: Left): string[] {
  const failed = hooks.map((hook) => ({
    cells: [`  ${hookName(hook)}`, ink('dim', `of ${oneLine(hook.name ?? '')} ${shortId(hook.run)}`.trimEnd())],
    text: hook.error === undefined ? '' : (errorLines(hook.error)[0] ?? ''),
  }));
  const made = artifacts.map((artifact) => ({
    cells: [`  ${nameOf(artifact)}`, artifact.kind],
    text: artifact.description ?? gist(artifact),
  }));
  return [
    ...(failed.length === 0 ? [] : ['', ink('bold', 'Hooks that failed'), ...tableWithTexts(failed, 'red')]),
    ...(made.length === 0 ? [] : ['', ink('bold', 'Artifacts'), ...tableWithTexts(made)]),
  ];
}

const hookName = ({ hook, function: name }: HookRow): string =>
  name === undefined ? hook : `${hook} ${oneLine(name)}`;
