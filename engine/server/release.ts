/**
 * Fetches an official release of nats-server and checks it against the checksums that were published with it. Offline
 * machines find out within seconds.
 */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AssentError } from '../../protocol/errors.ts';
import { onPath, run } from './command.ts';

/** A source's answer: a file that it unpacked, or why there is none. */
export type Fetched = { readonly ok: true; readonly file: string } | { readonly ok: false; readonly why: string };

/** To the first byte of an answer, for each of its redirections. */
const ANSWER_LIMIT_MS = 4_000;
/** Without a single byte, once an answer has begun. */
const STALL_LIMIT_MS = 15_000;
const REDIRECTIONS_MAX = 5;

/** As the releases name it; what has no release of its own keeps Node's name, and is not found. */
export function platformName(): string {
  const architectures: Partial<Record<string, string>> = { x64: 'amd64', ia32: '386', arm: 'arm7', ppc64: 'ppc64le' };
  return `${process.platform}-${architectures[process.arch] ?? process.arch}`;
}

export async function fetchRelease(options: {
  version: string;
  base: string;
  folder: string;
  env: NodeJS.ProcessEnv;
  say: (line: string) => void;
}): Promise<Fetched> {
  const { version, base, folder, env, say } = options;
  const tar = await onPath('tar', env);
  if (tar === undefined) return { ok: false, why: 'there is no tar to unpack it with' };
  const name = `nats-server-v${version}-${platformName()}`;
  const archive = join(folder, 'release.tar.gz');
  try {
    const sums = await (await get(`${base}/v${version}/SHA256SUMS`)).text();
    const published = checksumIn(sums, `${name}.tar.gz`);
    if (published === undefined) return { ok: false, why: `SHA256SUMS of v${version} does not name ${name}.tar.gz` };
    say(`fetching nats-server ${version} from ${new URL(base).host} ...`);
    const received = await download(`${base}/v${version}/${name}.tar.gz`, archive);
    if (received !== published) throw corrupt(`${base}/v${version}/${name}.tar.gz`, { published, received });
  } catch (error) {
    if (error instanceof AssentError) throw error;
    return { ok: false, why: reasonOf(error) };
  }
  const unpacked = await run(tar, ['-xzf', archive, '-C', folder], { env, timeoutMs: 60_000 });
  return unpacked.ok ? { ok: true, file: join(folder, name, 'nats-server') } : { ok: false, why: unpacked.why };
}

/** Lines of `sha256sum`: the sum, two spaces (or a space and an asterisk), the name. */
function checksumIn(sums: string, name: string): string | undefined {
  const rows = sums.split('\n').map((line) => line.trim().split(/\s+\*?/));
  return rows.find(([, named]) => named === name)?.[0]?.toLowerCase();
}

const corrupt = (url: string, { published, received }: { published: string; received: string }): AssentError =>
  new AssentError('DOWNLOAD_CORRUPT', `${url} has the SHA-256 ${received}, and ${published} was published.`);

/** Follows redirections one by one, so that each has its own time and none leads from https to http. */
async function get(url: string, redirections = 0): Promise<Response> {
  const giveUp = new AbortController();
  const timer = setTimeout(() => {
    giveUp.abort(new Error(`${new URL(url).host} did not answer within ${String(ANSWER_LIMIT_MS / 1000)} s`));
  }, ANSWER_LIMIT_MS);
  try {
    const answer = await fetch(url, { redirect: 'manual', signal: giveUp.signal });
    const location = answer.headers.get('location');
    if (answer.status >= 300 && answer.status < 400 && location !== null) {
      const next = new URL(location, url);
      if (redirections >= REDIRECTIONS_MAX) throw new Error(`${url} redirects without end`);
      if (url.startsWith('https:') && next.protocol !== 'https:')
        throw new Error(`${url} redirects to ${next.protocol}`);
      return await get(next.href, redirections + 1);
    }
    if (!answer.ok) throw new Error(`${url} answered ${String(answer.status)}`);
    return answer;
  } finally {
    clearTimeout(timer);
  }
}

/** Writes the body to the file, and returns its SHA-256. */
async function download(url: string, file: string): Promise<string> {
  const { body } = await get(url);
  if (body === null) throw new Error(`${url} is empty`);
  const hash = createHash('sha256');
  const stalled = new AbortController();
  const watch = setTimeout(() => {
    stalled.abort(new Error(`${new URL(url).host} stopped sending`));
  }, STALL_LIMIT_MS);
  const hashing = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      watch.refresh();
      hash.update(chunk);
      done(undefined, chunk);
    },
  });
  try {
    await pipeline(Readable.fromWeb(body), hashing, createWriteStream(file), { signal: stalled.signal });
  } finally {
    clearTimeout(watch);
  }
  return hash.digest('hex');
}

/** `fetch` hides the reason (refused, unknown host) in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message;
}
