import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { archiveOf, chooseArchive, parseLines, parseStanzas } from '../../engine/server/apt-sources.ts';

test('a line of sources.list is read with its options; comments and source packages are not', () => {
  const text = `
# deb http://old.example/debian bookworm main
deb-src http://deb.example/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/a.gpg,/usr/share/keyrings/b.gpg] http://deb.example/debian bookworm main contrib # ours
deb http://vendor.example/flat ./
`;
  expect(parseLines(text)).toEqual([
    {
      uri: 'http://deb.example/debian',
      suites: ['bookworm'],
      components: ['main', 'contrib'],
      trust: ['Signed-By: /usr/share/keyrings/a.gpg /usr/share/keyrings/b.gpg'],
    },
    { uri: 'http://vendor.example/flat', suites: ['./'], components: [], trust: [] },
  ]);
});

test('a deb822 stanza is read with comments, several values and an embedded key; a disabled one is not', () => {
  const key =
    '-----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDMEY865UxYJKwYBBAHaRw8BAQdAd7Z0srwuhlB6JKFkcf4HU4SSS\n -----END PGP PUBLIC KEY BLOCK-----';
  const text = `Types: deb deb-src
# http://snapshot.example
URIs: http://deb.example/debian
Suites: bookworm
 bookworm-updates
Components: main
Signed-By:
 ${key}

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://source.example/debian
Suites: bookworm
Components: main
`;
  expect(parseStanzas(text)).toEqual([
    {
      uri: 'http://deb.example/debian',
      suites: ['bookworm', 'bookworm-updates'],
      components: ['main'],
      trust: [`Signed-By: \n ${key}`],
    },
  ]);
});

test('the archive of the machine itself is chosen: no vendor, no security updates, no CD', () => {
  const source = (uri: string, suite: string, component = 'main') => ({
    uri,
    suites: [suite],
    components: [component],
    trust: [],
  });
  const own = source('http://deb.example/debian', 'bookworm');
  const others = [
    source('https://vendor.example/node', 'nodistro'),
    source('http://deb.example/debian-security', 'bookworm-security'),
    source('cdrom:[Debian 12]/', 'bookworm'),
    source('http://deb.example/debian', 'bookworm', 'contrib'),
  ];
  expect(chooseArchive([...others, own], 'bookworm')).toBe(own);
  expect(chooseArchive(others, 'bookworm')).toBeUndefined();
  expect(chooseArchive([source('http://deb.example/debian', 'stable')], 'bookworm')).toBeDefined();
});

test('both formats are looked for where apt keeps them, and nothing configured is no archive', async () => {
  const etc = await mkdtemp(join(tmpdir(), 'assent-etc-'));
  try {
    expect(await archiveOf(etc)).toBeUndefined();
    await mkdir(join(etc, 'apt/sources.list.d'), { recursive: true });
    await writeFile(join(etc, 'os-release'), 'ID=debian\nVERSION_CODENAME=bookworm\n');
    await writeFile(join(etc, 'apt/sources.list.d/vendor.list'), 'deb https://vendor.example/x bookworm extra\n');
    await writeFile(
      join(etc, 'apt/sources.list.d/off.sources.bak'),
      'Types: deb\nURIs: http://bak.example\nSuites: bookworm\nComponents: main\n',
    );
    expect(await archiveOf(etc)).toBeUndefined();
    await writeFile(
      join(etc, 'apt/sources.list.d/debian.sources'),
      'Types: deb\nURIs: http://a.example\nSuites: bookworm\nComponents: main\n',
    );
    expect(await archiveOf(etc)).toMatchObject({ uri: 'http://a.example' });
    await writeFile(join(etc, 'apt/sources.list'), 'deb http://b.example bookworm main\n');
    expect(await archiveOf(etc)).toMatchObject({ uri: 'http://b.example' });
  } finally {
    await rm(etc, { recursive: true });
  }
});
