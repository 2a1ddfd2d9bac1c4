/** How an error ends a command: its code and its remedy on standard error; its stack only when ASSENT_DEBUG asks for it. */
import { inspect } from 'node:util';
import { AssentError } from '../../protocol/errors.ts';
import { exitCodeOf } from './exit-codes.ts';
import { inkOfNotes } from './style.ts';

export function report(error: unknown, isJson: boolean): number {
  const isDebug = (process.env['ASSENT_DEBUG'] ?? '') !== '';
  if (error instanceof AssentError) {
    const { kind, code, remedy } = error;
    const detail = error.message.slice(0, error.message.lastIndexOf(` [${String(code)} ${kind}]`));
    const tag = `[${String(code)} ${kind}]`;
    process.stderr.write(
      `${inkOfNotes(['red', 'bold'], 'error')} ${tag} ${detail.trimEnd()}\n  ${inkOfNotes('dim', '→')} ${remedy}\n`,
    );
    if (isJson) process.stdout.write(`${JSON.stringify({ error: { kind, code, detail, remedy } }, undefined, 2)}\n`);
    if (isDebug) process.stderr.write(`${inspect(error)}\n`);
  } else {
    process.stderr.write(`${inkOfNotes(['red', 'bold'], 'error')} ${isDebug ? inspect(error) : String(error)}\n`);
    if (isJson) process.stdout.write(`${JSON.stringify({ error: { detail: String(error) } }, undefined, 2)}\n`);
    if (!isDebug) process.stderr.write(`  ${inkOfNotes('dim', '→')} ASSENT_DEBUG=1 shows where it comes from.\n`);
  }
  return exitCodeOf(error);
}
