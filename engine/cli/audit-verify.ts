/** `assent audit verify [FILE]`: recomputes every hash of the ledger, or of an exported file. */
import { AssentError } from '../../protocol/errors.ts';
import { streams, subjects } from '../../protocol/subjects.ts';
import { standingAt } from '../fold/chain.ts';
import { jetstreamLog } from '../log/jetstream.ts';
import { verifyFile, type VerifiedFile } from './audit/file-check.ts';
import { verifyLedger, type Verified } from './audit/ledger-check.ts';
import type { Client } from './client.ts';
import { EXIT } from './exit-codes.ts';
import type { Output } from './output.ts';
import { count } from './run-text.ts';
import { ink } from './style.ts';

export async function verifyStream(client: Client, output: Output): Promise<number> {
  const { connection, workspace } = client;
  const log = jetstreamLog(connection, { stream: streams.ledger(workspace), subject: subjects.ledger(workspace) });
  try {
    const verified = await verifyLedger(log.read(1), (seq) => standingAt(log, seq));
    say(output, { of: 'ledger', ...verified }, `The ledger of workspace ${workspace}`);
    return EXIT.ok;
  } finally {
    log.close();
  }
}

export async function verifyExport(output: Output, file: string): Promise<number> {
  const verified = await checkedFile(file);
  say(output, verified, verified.of === 'run' ? `The exported run ${verified.run}` : 'The exported ledger');
  return EXIT.ok;
}

/** @throws AssentError EXPORT_BROKEN. */
export async function checkedFile(file: string): Promise<VerifiedFile> {
  try {
    return await verifyFile(file);
  } catch (error) {
    if (!(error instanceof AssentError) || error.kind !== 'LEDGER_BROKEN') throw error;
    // A damaged copy says nothing about the ledger that it was made of.
    throw new AssentError('EXPORT_BROKEN', error.detail.replace(/^the ledger is/, `${file} is`), { cause: error });
  }
}

function say(output: Output, verified: VerifiedFile, what: string): void {
  output.document({ ok: true, ...verified }, () => [
    `${what} ${ink('green', 'holds together')}.`,
    ...(verified.of === 'ledger' ? ledgerLines(verified) : runLines(verified)).map((line) => `  ${line}`),
  ]);
}

function ledgerLines({ rulings, segments, voidSegments, epochs, runs, head }: Verified): string[] {
  const many = (number: number): string => number.toLocaleString('en');
  return [
    `${many(rulings)} ${rulings === 1 ? 'ruling' : 'rulings'} in ${many(segments)} segments verified: each hash, each seal, the chain of segments, and the chain of each of ${count(runs, 'run')}`,
    `${count(epochs, 'epoch')}, ${count(voidSegments, 'void segment')}`,
    ...(head.seq === 0 ? [] : [`head: sequence ${many(head.seq)}, hash ${head.hash}`]),
  ];
}

const runLines = ({ rulings, runs }: { readonly rulings: number; readonly runs: number }): string[] => [
  `${count(rulings, 'ruling')} verified: each one’s bytes, and the chain of each of ${count(runs, 'run')}`,
];
