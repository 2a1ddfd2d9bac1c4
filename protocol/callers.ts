/** The stacks of our errors: they are for whoever called us, and show that. */

/** Frames that are looked at: between what somebody called and what went wrong stand many of ours. */
const FRAMES_MAX = 50;

/** Where this package's code lies; nowhere, once a bundler has put it among a program's own. */
const OURS = ['protocol', 'engine', 'rules', 'sdk'].flatMap((folder) => {
  const path = `../${folder}/`;
  if (!URL.canParse(path, import.meta.url)) return [];
  const { href, pathname } = new URL(path, import.meta.url);
  return [href, decodeURIComponent(pathname)];
});

/** Whose frames say nothing of whoever called: our own, those of the connection that an answer came by, and Node's. */
const INNER = [...OURS, '/@nats-io/', 'node:internal/'];

/** Leaves inner frames out of an error's stack, and what is above `made`; with ASSENT_DEBUG it stays as it is. */
export function showCallers(error: Error, made: Parameters<typeof Error.captureStackTrace>[1]): void {
  const shown = Error.stackTraceLimit;
  if (typeof shown !== 'number' || shown === 0 || (process.env['ASSENT_DEBUG'] ?? '') !== '') return;
  Error.stackTraceLimit = Math.max(shown, FRAMES_MAX);
  Error.captureStackTrace(error, made);
  Error.stackTraceLimit = shown;
  const lines = (error.stack ?? '').split('\n');
  const first = lines.findIndex((line) => /^\s+at /.test(line));
  if (first < 0) return;
  const frames = lines.slice(first).filter((line) => !INNER.some((place) => line.includes(place)));
  error.stack = [...lines.slice(0, first), ...frames.slice(0, shown)].join('\n');
}
