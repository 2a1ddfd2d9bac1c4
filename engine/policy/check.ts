/**
 * Checks a policy file before anything is judged by it: bundles it, loads it and tries its rules, in a thread that is
 * ended when it takes too long.
 */
import { Worker } from 'node:worker_threads';
import { readFileSync } from 'node:fs';
import { AssentError } from '../../protocol/errors.ts';
import { resolve } from 'node:path';
import { bundlePolicy, shownPath, type Bundle } from './bundle.ts';
import type { CheckData, CheckMessage, TrialReport } from './check-thread.ts';
import { PolicyProblem } from './shape.ts';

export type CheckedPolicy = { readonly bundle: Bundle; readonly report: TrialReport };

/** For loading it, and then for each rule on all that it is asked. */
const TRIAL_LIMIT_MS = 3000;

/**
 * A policy that may be put in force. `compare`: also what it does otherwise than the core policy.
 *
 * @throws AssentError POLICY_INVALID, with a line for each thing that is wrong, and where.
 */
export async function checkPolicy(file: string, options: { readonly compare?: boolean } = {}): Promise<CheckedPolicy> {
  try {
    const bundle = await bundlePolicy(file);
    return { bundle, report: await tryBundle(resolve(file), bundle, options.compare === true) };
  } catch (error) {
    if (!(error instanceof PolicyProblem)) throw error;
    throw new AssentError('POLICY_INVALID', error.message, { cause: error });
  }
}

async function tryBundle(file: string, bundle: Bundle, compare: boolean): Promise<TrialReport> {
  const told = await messageOf({ source: bundle.source, compare }, file);
  if (told.type === 'INVALID') throw new PolicyProblem(placed(file, bundle, told.error));
  if (told.faults.length === 0) return told.report;
  const lines = told.faults.map(
    ({ rule, about, error }) => `${placed(file, bundle, error, rule)} (the rule '${rule}', asked about ${about})`,
  );
  throw new PolicyProblem(lines.join('\n'));
}

/** The last word of the thread. @throws PolicyProblem when it has none in time. */
async function messageOf(data: CheckData, file: string): Promise<Exclude<CheckMessage, { type: 'ASKING' }>> {
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  const worker = new Worker(new URL(`./check-thread${extension}`, import.meta.url), { workerData: data });
  let asking = '';
  const told = Promise.withResolvers<Exclude<CheckMessage, { type: 'ASKING' }>>();
  const limit = setTimeout(() => {
    const where = asking === '' ? 'the module' : `the rule '${asking}'`;
    told.reject(
      new PolicyProblem(
        `${shownPath(file)}: ${where} did not come to an end within ${String(TRIAL_LIMIT_MS / 1000)} s`,
      ),
    );
  }, TRIAL_LIMIT_MS);
  worker.on('message', (message: CheckMessage) => {
    limit.refresh();
    if (message.type === 'ASKING') asking = message.rule;
    else told.resolve(message);
  });
  worker.on('error', (error) => {
    told.reject(
      new PolicyProblem(
        `${shownPath(file)}: its trial ended: ${error instanceof Error ? error.message : String(error)}`,
      ),
    );
  });
  try {
    return await told.promise;
  } finally {
    clearTimeout(limit);
    await worker.terminate();
  }
}

/** With the place in a file: of the stack, else of the rule's name. */
function placed(
  file: string,
  bundle: Bundle,
  error: { readonly message: string; readonly stack: string },
  rule?: string,
): string {
  const explained = bundle.explain(error);
  if (explained !== error.message) return explained;
  const name = rule ?? /(?:the rule|the name) '([^']+)'/.exec(error.message)?.[1];
  const place = name === undefined ? undefined : placeOfName(bundle.files, name);
  return `${place ?? shownPath(file)}: ${explained}`;
}

/** Where a rule of that name is written down. */
function placeOfName(files: readonly string[], name: string): string | undefined {
  for (const file of files) {
    const lines = readFileSync(file, 'utf8').split('\n');
    const row = lines.findIndex((line) => line.includes(`'${name}'`) || line.includes(`"${name}"`));
    if (row >= 0) return `${shownPath(file)}:${String(row + 1)}`;
  }
  return undefined;
}
