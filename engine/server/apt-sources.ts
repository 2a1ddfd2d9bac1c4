/**
 * Reads which package archive a Debian machine is configured to use, in both formats of apt's sources. Options that
 * decide whether apt trusts the archive are kept as they are written.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface AptSource {
  /** One address or several, as configured. */
  readonly uri: string;
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** Lines to repeat in a deb822 stanza: `Signed-By: …`, `Trusted: …`. */
  readonly trust: readonly string[];
}

/** The archive that serves this machine's own `main`: not the security updates, and not a vendor's repository. */
export async function archiveOf(etc = '/etc'): Promise<AptSource | undefined> {
  const osRelease = await readFile(join(etc, 'os-release'), 'utf8').catch(() => '');
  const codename = /^VERSION_CODENAME="?([^"\n]*)/m.exec(osRelease)?.[1] ?? '';
  return chooseArchive(await configuredSources(join(etc, 'apt')), codename);
}

export function chooseArchive(sources: readonly AptSource[], codename: string): AptSource | undefined {
  const own = new Set([codename, 'stable', 'oldstable', 'testing', 'unstable', 'sid']);
  return sources.find(
    ({ uri, suites, components }) =>
      components.includes('main') && suites.some((suite) => own.has(suite)) && !uri.startsWith('cdrom:'),
  );
}

async function configuredSources(folder: string): Promise<AptSource[]> {
  const parts = join(folder, 'sources.list.d');
  const names = (await readdir(parts).catch(() => [])).sort();
  const files = [join(folder, 'sources.list'), ...names.map((name) => join(parts, name))];
  const read = files.map(async (file) => {
    const text = await readFile(file, 'utf8').catch(() => '');
    if (file.endsWith('.sources')) return parseStanzas(text);
    return file.endsWith('.list') ? parseLines(text) : [];
  });
  return (await Promise.all(read)).flat();
}

/** `deb [signed-by=/usr/share/keyrings/x.gpg arch=amd64] http://deb.debian.org/debian bookworm main contrib` */
export function parseLines(text: string): AptSource[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s*)?([^#]*)/.exec(line);
    const [uri, suite, ...components] = (match?.[2] ?? '').trim().split(/\s+/);
    if (match === null || uri === undefined || uri === '' || suite === undefined) return [];
    return [{ uri, suites: [suite], components, trust: trustOfLine(match[1] ?? '') }];
  });
}

function trustOfLine(options: string): string[] {
  const names: Partial<Record<string, string>> = { 'signed-by': 'Signed-By', trusted: 'Trusted' };
  return options.split(/\s+/).flatMap((option) => {
    const [key = '', value = ''] = option.split('=');
    const name = names[key.toLowerCase()];
    return name === undefined ? [] : [`${name}: ${value.replaceAll(',', ' ')}`];
  });
}

/** deb822: stanzas of `Field: value`, where a line that begins with a blank belongs to the field above it. */
export function parseStanzas(text: string): AptSource[] {
  const lines = text.split('\n').filter((line) => !line.startsWith('#'));
  const stanzas = lines.join('\n').split(/\n[ \t]*\n/);
  return stanzas.flatMap((stanza) => {
    const fields = fieldsOf(stanza);
    const words = (name: string): string[] => (fields.get(name) ?? '').split(/\s+/).filter((word) => word !== '');
    const uris = words('uris');
    const disabled = /^(no|false|without|off|disable)$/i.test(fields.get('enabled') ?? '');
    if (disabled || uris.length === 0 || !words('types').includes('deb')) return [];
    const trust = (['Signed-By', 'Trusted'] as const).flatMap((name) => {
      const value = fields.get(name.toLowerCase());
      return value === undefined ? [] : [`${name}: ${value}`];
    });
    return [{ uri: uris.join(' '), suites: words('suites'), components: words('components'), trust }];
  });
}

function fieldsOf(stanza: string): Map<string, string> {
  const fields = new Map<string, string>();
  let name = '';
  for (const line of stanza.split('\n')) {
    const match = /^([A-Za-z0-9-]+):(.*)$/.exec(line);
    if (match !== null) {
      name = (match[1] ?? '').toLowerCase();
      fields.set(name, (match[2] ?? '').trim());
    } else if (/^[ \t]/.test(line) && name !== '') {
      // Kept with its line break: an embedded key (`Signed-By`) is such a block.
      fields.set(name, `${fields.get(name) ?? ''}\n${line}`);
    }
  }
  return fields;
}
