#!/usr/bin/env node
// Says what is missing before anything is loaded that an older Node could not even read.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 13)) {
  console.error(
    `assent needs Node.js 22.13 or newer, this is ${process.versions.node}; in a project, \`npm install --save-dev node@24\` brings one. [1009 NODE_TOO_OLD]`,
  );
  process.exit(1);
}
// node:sqlite works and is still called experimental: a warning that nobody can act on.
const warn = process.emitWarning;
process.emitWarning = (warning, ...rest) => {
  if (!String(warning).includes('SQLite is an experimental feature')) warn.call(process, warning, ...rest);
};
const { main } = await import('../dist/engine/cli/main.js');
await main(process.argv.slice(2));
