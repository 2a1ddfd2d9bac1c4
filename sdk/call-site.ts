/** Where in the user's code something was called. */
import { getCallSites } from 'node:util';

const OURS = new URL('.', import.meta.url).href;

/** The module of the code that called us, as a URL; undefined if there is none to be seen. */
export function moduleOfCaller(): string | undefined {
  for (const { scriptName } of getCallSites(FRAMES, { sourceMap: false })) {
    const url = scriptName.startsWith('/') ? `file://${scriptName}` : scriptName;
    if (url !== '' && !url.startsWith(OURS) && !url.startsWith('node:')) return url;
  }
  return undefined;
}

/** Where that code called us: `file:///…/flow.ts:12:7`. */
export function placeOfCaller(): string | undefined {
  for (const { scriptName, lineNumber, columnNumber } of getCallSites(FRAMES, { sourceMap: false })) {
    const url = scriptName.startsWith('/') ? `file://${scriptName}` : scriptName;
    if (url !== '' && !url.startsWith(OURS) && !url.startsWith('node:')) {
      return `${url}:${String(lineNumber)}:${String(columnNumber)}`;
    }
  }
  return undefined;
}

/** Enough for our own frames. */
const FRAMES = 16;
