/**
 * Verifies an exported file, of a whole ledger or of one run, with nothing but the file.
 *
 * B1 A line that is not to the byte what an export writes is a broken segment at the sequence that is due there.
 * B2 The sources of policies stand after all else, and hash to their names. Nothing of them is executed here.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { AssentError } from '../../../protocol/errors.ts';
import type { Ruling } from '../../../protocol/rulings.ts';
import { decodeSegment, sha256 } from '../../../protocol/segment.ts';
import type { Standing } from '../../fold/chain.ts';
import type { StoredMessage } from '../../log/port.ts';
import { checkOf, readLine, type EndLine, type ExportLine } from './export-lines.ts';
import { broken, RunChains, verifyLedger, type Verified } from './ledger-check.ts';

export type VerifiedRun = { readonly run: string; readonly rulings: number; readonly runs: number };
export type VerifiedFile = ({ readonly of: 'ledger' } & Verified) | ({ readonly of: 'run' } & VerifiedRun);

export async function verifyFile(file: string): Promise<VerifiedFile> {
  for await (const text of linesOf(file)) {
    const first = readLine(text);
    const isRun = first.ok && (first.line.kind === 'ruling' || (first.line.kind === 'end' && first.line.of === 'run'));
    if (isRun) return { of: 'run', ...(await verifyRun(file)) };
    break;
  }
  return { of: 'ledger', ...(await verifyLedger(messagesOf(file), (seq) => standingIn(file, seq))) };
}

/** The file as the messages that it was made of. */
export async function* messagesOf(file: string): AsyncGenerator<StoredMessage> {
  let due = 1;
  for await (const line of checked(file, () => due, 'ledger')) {
    if (line.kind === 'end') return;
    if (line.kind === 'policy') continue;
    if (line.kind === 'damaged') throw broken(line.seq, `it was damaged when it was exported: ${line.problem}`);
    if (line.kind !== 'segment') throw broken(due, 'the export has another line in its place');
    yield { seq: line.seq, subject: '', bytes: Buffer.from(line.text) };
    due += 1;
  }
}

/** For a void segment whose parent is far back. */
export async function standingIn(file: string, seq: number): Promise<Standing | undefined> {
  for await (const text of linesOf(file)) {
    const read = readLine(text);
    if (!read.ok || read.line.kind !== 'segment') return undefined;
    if (read.line.seq !== seq) continue;
    const decoded = decodeSegment(Buffer.from(read.line.text));
    return decoded.ok ? { hash: decoded.segment.hash, writer: decoded.segment.header.writer } : undefined;
  }
  return undefined;
}

async function verifyRun(file: string): Promise<VerifiedRun> {
  const runs = new RunChains();
  let rulings = 0;
  let last = { seq: 0, index: -1 };
  for await (const line of checked(file, () => last.seq, 'run')) {
    if (line.kind === 'end') return { run: line.run ?? '', rulings, runs: runs.size };
    if (line.kind === 'policy') continue;
    if (line.kind !== 'ruling') throw broken(last.seq, 'another line follows than a ruling');
    const { seq, index, check } = line;
    if (checkOf(seq, index, line.line) !== check) throw broken(seq, 'its ruling does not match its check');
    if (seq < last.seq || (seq === last.seq && index <= last.index)) throw broken(seq, 'its ruling is out of order');
    const ruling = rulingIn(line.line);
    const problem = ruling === undefined ? 'is no ruling' : runs.take(ruling, line.line);
    if (problem !== undefined) throw broken(seq, `its ruling ${String(index)} ${problem}`);
    last = { seq, index };
    rulings += 1;
  }
  throw broken(last.seq + 1, CUT_OFF);
}

function rulingIn(line: string): Ruling | undefined {
  try {
    const entry = JSON.parse(line) as Ruling | null;
    return entry?.type === 'RULING' ? entry : undefined;
  } catch {
    return undefined;
  }
}

const CUT_OFF = 'the export ends without its last line: it was cut off';

/** The lines of a file up to its end line, which must be there and agree with them. `due` is blamed for what is none. */
async function* checked(file: string, due: () => number, of: EndLine['of']): AsyncGenerator<ExportLine> {
  const hash = createHash('sha256');
  let lines = 0;
  let end: EndLine | undefined;
  let hasPolicies = false;
  for await (const text of linesOf(file)) {
    if (end !== undefined) throw broken(due(), 'the export goes on after its last line');
    const read = readLine(text);
    if (!read.ok) throw broken(due(), `line ${String(lines + 1)} of the export is damaged: ${read.problem}`);
    if (read.line.kind === 'end') {
      end = read.line;
      continue;
    }
    if (read.line.kind === 'policy') {
      hasPolicies = true;
      const { policy, source } = read.line;
      if (policy.length !== 16 || !sha256(source).startsWith(policy)) {
        throw broken(due(), `the source of policy ${policy} is not what its digest says`);
      }
    } else if (hasPolicies) throw broken(due(), 'the export has another line than a policy after its policies');
    yield read.line;
    hash.update(`${text}\n`);
    lines += 1;
  }
  if (end === undefined) throw broken(due(), CUT_OFF);
  if (end.of !== of || end.lines !== lines || end.digest !== hash.digest('hex')) {
    throw broken(due(), 'the last line of the export does not match the lines before it');
  }
  yield end;
}

/** The lines of a file that was verified. */
export async function* linesIn(file: string): AsyncGenerator<ExportLine> {
  for await (const text of linesOf(file)) {
    const read = readLine(text);
    if (read.ok) yield read.line;
  }
}

/** Without `readline`, which takes other characters for line ends as well, and bytes that are no UTF-8 for granted. */
async function* linesOf(file: string): AsyncGenerator<string> {
  const utf8 = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let from = 0;
      for (let to = rest.indexOf(10); to >= 0; to = rest.indexOf(10, from)) {
        yield utf8.decode(rest.subarray(from, to));
        from = to + 1;
      }
      rest = rest.subarray(from);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new AssentError('USAGE', `${file} cannot be read: ${(error as Error).message}.`, { cause: error });
  }
  if (rest.length > 0) yield utf8.decode(rest);
}
