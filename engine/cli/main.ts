/**
 * The command line's door: stays thin, so that it is there at once. The commands are loaded when they are called
 * (program.ts), each from a file of its own.
 */
import { enableCompileCache } from 'node:module';
import { VERSION } from '../version.ts';

export async function main(args: readonly string[]): Promise<void> {
  // Whoever reads has seen enough: `assent runs ls | head` is no failure.
  process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
    process.exit(code === 'EPIPE' ? 0 : 1);
  });
  if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
    process.stdout.write(`${VERSION}\n`);
    return;
  }
  // Compiled code is kept in the machine's folder for temporary files; without it everything works, a little later.
  enableCompileCache();
  const { runProgram } = await import('./program.ts');
  process.exitCode = await runProgram(args);
}
