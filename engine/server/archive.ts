/**
 * Fetches nats-server from the package archive that this Debian machine is configured to use, out of a suite that the
 * machine itself does not use. apt does the work, signatures checked, in a state of its own: it needs no root, and the
 * machine's own lists and packages stay as they are.
 */
import { access, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { archiveOf } from './apt-sources.ts';
import type { AptSource } from './apt-sources.ts';
import { onPath, run } from './command.ts';
import type { Fetched } from './release.ts';

const APT_LIMIT_MS = 120_000;

export async function fetchFromArchive(options: {
  suite: string;
  folder: string;
  env: NodeJS.ProcessEnv;
  say: (line: string) => void;
}): Promise<Fetched> {
  const { suite, folder, env, say } = options;
  const apt = await onPath('apt-get', env);
  const unpacker = await onPath('dpkg-deb', env);
  if (apt === undefined || unpacker === undefined) return { ok: false, why: 'this machine has no apt-get' };
  const source = await archiveOf();
  if (source === undefined) return { ok: false, why: 'apt is configured without an archive that serves `main`' };

  say(`fetching nats-server from the package archive ${source.uri} (${suite}) ...`);
  const settings = await privateState(folder, source, suite);
  const aptEnv = { ...env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [['update'], ['download', 'nats-server']]) {
    const ran = await run(apt, ['-qq', '-c', settings, ...args], { cwd: folder, env: aptEnv, timeoutMs: APT_LIMIT_MS });
    if (!ran.ok) return ran;
  }
  const deb = (await readdir(folder)).find((name) => name.endsWith('.deb'));
  if (deb === undefined) return { ok: false, why: 'apt-get download brought nothing' };
  const unpacked = join(folder, 'unpacked');
  const ran = await run(unpacker, ['-x', join(folder, deb), unpacked], { env, timeoutMs: APT_LIMIT_MS });
  return ran.ok ? binaryIn(unpacked) : ran;
}

/**
 * Writes the settings for apt, read after the machine's own (whose proxies and certificates we need), and returns their
 * file. What the machine hooks to an update is its own business, and cleared.
 */
async function privateState(folder: string, source: AptSource, suite: string): Promise<string> {
  const at = (name: string): string => join(folder, name);
  for (const name of ['sources', 'state/lists/partial', 'cache/archives/partial'])
    await mkdir(at(name), { recursive: true });
  await writeFile(at('state/status'), '');
  // `Targets`: the list of packages and nothing else, whatever other programs have taught apt to fetch with it.
  const stanza = ['Types: deb', `URIs: ${source.uri}`, `Suites: ${suite}`, 'Components: main', 'Targets: Packages'];
  await writeFile(at('sources/archive.sources'), [...stanza, ...source.trust, ''].join('\n'));
  const settings = {
    'Dir::State': at('state/'),
    'Dir::State::lists': at('state/lists/'),
    'Dir::State::status': at('state/status'),
    'Dir::Cache': at('cache/'),
    'Dir::Cache::archives': at('cache/archives/'),
    'Dir::Cache::pkgcache': '',
    'Dir::Cache::srcpkgcache': '',
    'Dir::Etc::sourcelist': '/dev/null',
    'Dir::Etc::sourceparts': at('sources/'),
    'Dir::Etc::preferences': '/dev/null',
    'Dir::Etc::preferencesparts': '/dev/null',
    'Dir::Log': at('state/'),
    'APT::Default-Release': '',
    // Root, too, downloads into a folder that apt's own user may not enter.
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
    'Acquire::PDiffs': 'false',
    'Acquire::Retries': '1',
    'Acquire::http::Timeout': '10',
    'Acquire::https::Timeout': '10',
  };
  const cleared = [
    'APT::Update::Pre-Invoke',
    'APT::Update::Post-Invoke',
    'APT::Update::Post-Invoke-Success',
    'Acquire::Languages',
  ];
  const lines = [
    ...cleared.map((name) => `#clear ${name};`),
    ...Object.entries(settings).map(([name, value]) => `${name} "${value}";`),
  ];
  await writeFile(at('apt.conf'), `${lines.join('\n')}\n`);
  return at('apt.conf');
}

async function binaryIn(unpacked: string): Promise<Fetched> {
  for (const folder of ['usr/sbin', 'usr/bin']) {
    const file = join(unpacked, folder, 'nats-server');
    if (
      await access(file).then(
        () => true,
        () => false,
      )
    )
      return { ok: true, file };
  }
  return { ok: false, why: 'the package holds no nats-server' };
}
