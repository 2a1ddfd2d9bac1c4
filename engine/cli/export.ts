/** `assent export RUN FILE` and `assent export --all FILE`: what the ledger holds, as a file that verifies by itself. */
import type { RunId } from '../../protocol/ids.ts';
import { rootOf } from '../../protocol/proposals.ts';
import { decodeSegment, segmentText, sha256 } from '../../protocol/segment.ts';
import { streams, subjects } from '../../protocol/subjects.ts';
import { jetstreamLog } from '../log/jetstream.ts';
import type { Log } from '../log/port.ts';
import { coreSource, storedSource } from '../policy/index.ts';
import { rulingLineOf, type ExportLine } from './audit/export-lines.ts';
import { writeExport, type Written } from './audit/export-file.ts';
import type { Client } from './client.ts';
import { rulingsOf } from './events.ts';
import { EXIT } from './exit-codes.ts';
import { findRun } from './find-run.ts';
import type { Output } from './output.ts';
import { count } from './run-text.ts';
import { bytesOf } from './times.ts';

export async function exportLedger(client: Client, output: Output, file: string): Promise<number> {
  const { connection, workspace } = client;
  const log = jetstreamLog(connection, { stream: streams.ledger(workspace), subject: subjects.ledger(workspace) });
  try {
    say(output, file, await writeExport(file, withPolicies(client, ledgerLines(log)), { of: 'ledger' }), 'segments');
    return EXIT.ok;
  } finally {
    log.close();
  }
}

/** One line for each stored message; what is no segment is exported as it is, and found by whoever verifies. */
async function* ledgerLines(log: Log): AsyncGenerator<ExportLine> {
  for await (const { seq, bytes } of log.read(1)) {
    const decoded = decodeSegment(bytes);
    const text = decoded.ok ? segmentText(bytes) : undefined;
    if (text !== undefined) {
      yield { v: 1, seq, kind: 'segment', text };
      continue;
    }
    const problem = decoded.ok ? 'it is no text' : decoded.problem;
    yield { v: 1, seq, kind: 'damaged', problem, bytes: Buffer.from(bytes).toString('base64') };
  }
}

export async function exportRun(
  client: Client,
  output: Output,
  { run: start, file }: { readonly run: string; readonly file: string },
): Promise<number> {
  // The unit is the flow run at the top: the chains of its calls are part of it.
  const run = rootOf((await findRun(client, start)).run);
  const written = await writeExport(file, withPolicies(client, runLines(client, run)), { of: 'run', run });
  say(output, file, written, 'rulings');
  return EXIT.ok;
}

async function* runLines(client: Client, run: RunId): AsyncGenerator<ExportLine> {
  for await (const { seq, index, line } of rulingsOf(client, run)) yield rulingLineOf({ seq, index }, line ?? '');
}

/** Within a line's text, as a ruling names what judged it. What else looks like it has no source. */
const NAMED = /"policy":"([0-9a-f]{16})"/g;

/** The lines, and after them the sources of the policies that they name, as far as there are any. */
async function* withPolicies(client: Client, lines: AsyncIterable<ExportLine>): AsyncGenerator<ExportLine> {
  const named = new Set<string>();
  for await (const line of lines) {
    const text = line.kind === 'segment' ? line.text : line.kind === 'ruling' ? line.line : '';
    for (const [, policy = ''] of text.matchAll(NAMED)) named.add(policy);
    yield line;
  }
  for (const policy of named) {
    const source = await sourceOf(client, policy);
    if (source !== undefined) yield { v: 1, kind: 'policy', policy, source };
  }
}

async function sourceOf({ connection, workspace }: Client, policy: string): Promise<string | undefined> {
  const core = await coreSource();
  return sha256(core).startsWith(policy) ? core : storedSource(connection, workspace, policy);
}

function say(output: Output, file: string, { lines, policies, bytes }: Written, what: string): void {
  if (file === '-') return;
  const of = lines - policies;
  output.document({ file, [what]: of, policies, bytes }, () => [
    `${of.toLocaleString('en')} ${what} and ${count(policies, 'policy', 'policies')}, ${bytesOf(bytes)}, in ${file}.`,
  ]);
  if (!output.isJson) output.note(`Anybody can check it, with no engine: assent audit verify ${file}`);
}
