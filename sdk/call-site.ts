/** Where in the user's code something was called. */
import { getCallSites } from 'node:util';

const OURS = new URL('.', import.meta.url).href;

/** The module of the code that called us, as a URL; undefined if there is none to be seen. */
export const moduleOfCaller = (): string | undefined => caller()?.module;

/** Where that code called us: `file:///…/flow.ts:12:7`. */
export function placeOfCaller(): string | undefined {
  const found = caller();
  return found && `${found.module}:${String(found.line)}:${String(found.column)}`;
}

/** Enough for our own frames. */
const FRAMES = 16;

function caller(): { readonly module: string; readonly line: number; readonly column: number } | undefined {
  for (const { scriptName, lineNumber: line, columnNumber: column } of getCallSites(FRAMES, { sourceMap: false })) {
    const module = scriptName.startsWith('/') ? `file://${scriptName}` : scriptName;
    if (module !== '' && !module.startsWith(OURS) && !module.startsWith('node:')) return { module, line, column };
  }
  return undefined;
}
