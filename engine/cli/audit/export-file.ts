/**
 * Writes an export, line by line, in constant memory. The file appears under its name when it is whole.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { AssentError } from '../../../protocol/errors.ts';
import { encodeLine, type EndLine, type ExportLine } from './export-lines.ts';

export type Written = {
  readonly lines: number;
  /** Of these lines, sources of policies. */
  readonly policies: number;
  readonly bytes: number;
  readonly digest: string;
};

/** To standard output for `-`. */
export async function writeExport(
  file: string,
  lines: AsyncIterable<ExportLine>,
  end: Pick<EndLine, 'of' | 'run'>,
): Promise<Written> {
  if (file === '-') return writeTo(process.stdout, lines, end);
  const partial = `${file}.partial`;
  const stream = createWriteStream(partial, { mode: 0o600 });
  const done = finished(stream);
  try {
    // A file that cannot be made says so before anything is read.
    await Promise.race([once(stream, 'open'), done]);
    const written = await writeTo(stream, lines, end);
    stream.end();
    await done;
    await rename(partial, file);
    return written;
  } catch (error) {
    stream.destroy();
    await done.catch(() => undefined);
    await rm(partial, { force: true });
    if (error instanceof AssentError) throw error;
    throw new AssentError(
      'USAGE',
      `${file} cannot be written: ${error instanceof Error ? error.message : String(error)}.`,
      {
        cause: error,
      },
    );
  }
}

async function writeTo(
  stream: WriteStream | NodeJS.WriteStream,
  lines: AsyncIterable<ExportLine>,
  end: Pick<EndLine, 'of' | 'run'>,
): Promise<Written> {
  const hash = createHash('sha256');
  let count = 0;
  let policies = 0;
  let bytes = 0;
  const put = async (line: ExportLine): Promise<void> => {
    const text = `${encodeLine(line)}\n`;
    if (line.kind !== 'end') hash.update(text);
    bytes += Buffer.byteLength(text);
    if (!stream.write(text)) await once(stream, 'drain');
  };
  for await (const line of lines) {
    await put(line);
    count += 1;
    if (line.kind === 'policy') policies += 1;
  }
  const digest = hash.digest('hex');
  const { of, run } = end;
  await put({ v: 1, kind: 'end', of, ...(run === undefined ? {} : { run }), lines: count, digest });
  return { lines: count, policies, bytes, digest };
}
