/** What the code of a run left behind beside its result: artifacts, and hooks that threw. */
import type { RunDetail } from '../../protocol/query.ts';
import type { ArtifactRow, HookRow } from '../../protocol/query-workspace.ts';
import { gist } from './artifact-text.ts';
import { artifactsOf, nameOf } from './artifacts.ts';
import type { Client } from './client.ts';
import { shortId } from './run-text.ts';
import { cut, ink, oneLine, tableOf } from './style.ts';
import { errorLines, openValue } from './values.ts';

const SHOWN = 20;
const TEXT_COLUMNS = 70;

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
  const failed = hooks.map((hook) => [
    `  ${hookName(hook)}`,
    ink('dim', `of ${oneLine(hook.name ?? '')} ${shortId(hook.run)}`.trimEnd()),
    ink('red', cut(oneLine(hook.error === undefined ? '' : (errorLines(hook.error)[0] ?? '')), TEXT_COLUMNS)),
  ]);
  const made = artifacts.map((artifact) => [
    `  ${nameOf(artifact)}`,
    artifact.kind,
    ink('dim', cut(oneLine(artifact.description ?? gist(artifact)), TEXT_COLUMNS)),
  ]);
  return [
    ...(failed.length === 0 ? [] : ['', ink('bold', 'Hooks that failed'), ...tableOf(failed)]),
    ...(made.length === 0 ? [] : ['', ink('bold', 'Artifacts'), ...tableOf(made)]),
  ];
}

const hookName = ({ hook, function: name }: HookRow): string =>
  name === undefined ? hook : `${hook} ${oneLine(name)}`;
