/**
 * `npm run conformance -- FILE…`: asks our rules what Prefect's were asked, and says where the answers differ. The files
 * hold cases as Prefect's own code answered them (cases.ts). Exit code 1 when an answer differs and no deviation says so;
 * 2 when a file cannot be read.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readDeviations } from './deviations.ts';
import { reportOf, type Tried } from './report.ts';
import { runCases } from './run.ts';

function main(files: readonly string[]): number {
  if (files.length === 0) {
    process.stderr.write('Say which case files: npm run conformance -- FILE…\n');
    return 2;
  }
  const deviations = readDeviations(join(import.meta.dirname, 'deviations.json'));
  const tried: Tried[] = [];
  for (const file of files) {
    try {
      tried.push(...runCases(readFileSync(file, 'utf8'), file, deviations));
    } catch (error) {
      process.stderr.write(
        `${file} cannot be read as cases: ${error instanceof Error ? error.message : String(error)}\n`,
      );
      return 2;
    }
  }
  process.stdout.write(reportOf(tried));
  return tried.some(({ result }) => result.outcome === 'failed') ? 1 : 0;
}

process.exitCode = main(process.argv.slice(2));
