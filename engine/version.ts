/** The version of this package, as package.json has it. */
import { readFileSync } from 'node:fs';

/** Two levels up from `dist/engine`, one from `engine`. */
function read(): string {
  for (const up of ['../package.json', '../../package.json']) {
    try {
      const parsed = JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8')) as {
        name?: string;
        version?: string;
      };
      if (parsed.name === 'assent' && parsed.version !== undefined) return parsed.version;
    } catch {
      // Not here: the other level.
    }
  }
  return '0.0.0';
}

export const VERSION = read();
