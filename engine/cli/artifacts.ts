/** `assent artifacts ls|show`: what runs made for people to look at. */
import { AssentError } from '../../protocol/errors.ts';
import type { RunId } from '../../protocol/ids.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { ARTIFACT_KEY } from '../../protocol/proposals.ts';
import type { AnswerTo } from '../../protocol/query.ts';
import type { ArtifactRow } from '../../protocol/query-workspace.ts';
import type { Position } from '../../protocol/rulings.ts';
import { storedObject } from '../log/stored-object.ts';
import { artifactLines, gist } from './artifact-text.ts';
import type { Client } from './client.ts';
import { EXIT } from './exit-codes.ts';
import { findRun } from './find-run.ts';
import type { Output } from './output.ts';
import { cut, ink, oneLine, tableWithTexts } from './style.ts';
import { agoOf } from './times.ts';
import { decodeValue, openValue } from './values.ts';

const PAGE = 200;
const NAME_COLUMNS = 30;

export type ListOptions = { readonly run?: string; readonly key?: string; readonly limit: number };

export async function listArtifacts(client: Client, output: Output, options: ListOptions): Promise<number> {
  const { key, limit } = options;
  const run = options.run === undefined ? undefined : (await findRun(client, options.run)).run;
  const wanted = { ...(run === undefined ? {} : { run }), ...(key === undefined ? {} : { key: checkedKey(key) }) };
  const { artifacts, more } = await artifactsOf(client, wanted, limit);
  output.document(artifacts.map(jsonOf), () => (artifacts.length === 0 ? ['No artifacts.'] : linesOf(artifacts)));
  if (more && !output.isJson) output.note(`… there are more: --limit ${String(limit * 5)}`);
  return EXIT.ok;
}

export async function artifactsOf(
  client: Client,
  wanted: { readonly run?: RunId; readonly key?: string },
  limit: number,
): Promise<{ readonly artifacts: readonly ArtifactRow[]; readonly more: boolean }> {
  const artifacts: ArtifactRow[] = [];
  for (let before: Position | undefined; ;) {
    const page: AnswerTo<'ARTIFACTS'> = await client.query('ARTIFACTS', {
      ...wanted,
      limit: Math.min(limit - artifacts.length, PAGE),
      ...(before === undefined ? {} : { before }),
    });
    artifacts.push(...page.artifacts);
    before = page.next;
    if (before === undefined || artifacts.length >= limit) return { artifacts, more: before !== undefined };
  }
}

const jsonOf = ({ data, ...row }: ArtifactRow): object => ({ ...row, data: openValue(data) });

function linesOf(artifacts: readonly ArtifactRow[]): string[] {
  const nowMs = Date.now();
  const head = ['RUN/KEY', 'OF', 'KIND', 'MADE'].map((cell) => ink('bold', cell));
  const rows = artifacts.map((row) => ({
    cells: [nameOf(row), cut(oneLine(row.name ?? ''), NAME_COLUMNS), row.kind, agoOf(row.atMs, nowMs)],
    text: row.description ?? gist(row),
  }));
  return tableWithTexts([{ cells: head, text: '' }, ...rows]);
}

export const nameOf = ({ run, key }: ArtifactRow): string => `${run}/${key}`;

/** @throws AssentError ARTIFACT_NOT_FOUND, RUN_NOT_FOUND, RUN_AMBIGUOUS, USAGE */
export async function showArtifact(
  client: Client,
  output: Output,
  { artifact }: { readonly artifact: string },
): Promise<number> {
  const found = await findArtifact(client, artifact);
  const inline = await textOf(client, found);
  const value = { ...found.data, ...(inline === undefined ? {} : { inline }) };
  output.document(jsonOf({ ...found, data: value }), () => {
    if (inline === undefined)
      return [`${nameOf(found)} is not in the object store: a store of the program’s own has it.`];
    return artifactLines(found, decodeValue(inline));
  });
  if (!output.isJson) output.note(ink('dim', `${nameOf(found)}, ${agoOf(found.atMs, Date.now())}`));
  return EXIT.ok;
}

async function findArtifact(client: Client, artifact: string): Promise<ArtifactRow> {
  const at = artifact.indexOf('/');
  const key = checkedKey(artifact.slice(at + 1));
  const run = at < 0 ? undefined : (await findRun(client, artifact.slice(0, at))).run;
  const { artifacts } = await client.query('ARTIFACTS', { key, limit: 1, ...(run === undefined ? {} : { run }) });
  const [found] = artifacts;
  if (found !== undefined) return found;
  const where = run === undefined ? 'No run' : `Neither run ${run} nor what it called`;
  throw new AssentError('ARTIFACT_NOT_FOUND', `${where} made an artifact '${key}'.`);
}

/** Undefined: it is not where large values of a workspace are. */
async function textOf(client: Client, { data }: ArtifactRow): Promise<string | undefined> {
  if (data.inline !== undefined) return data.inline;
  return (await storedObject(client.connection, client.workspace, data.digest))?.toString('utf8');
}

function checkedKey(key: string): string {
  if (ARTIFACT_KEY.test(key) && key.length <= LIMITS.artifactKeyMax) return key;
  const most = String(LIMITS.artifactKeyMax);
  throw new AssentError(
    'USAGE',
    `An artifact's key has letters, digits, '.', '_' and '-', at most ${most}, not '${key}'.`,
  );
}
