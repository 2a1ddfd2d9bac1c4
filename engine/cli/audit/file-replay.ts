/** What an exported file has to replay: its rulings, and the policies that judged them. It is verified before. */
import { loadFound, type LoadedPolicy } from '../../policy/index.ts';
import type { Judges, JudgesOf, Stored } from '../../replay/replay.ts';
import { storedIn } from '../../replay/stored.ts';
import { linesIn, messagesOf, standingIn, type VerifiedFile } from './file-check.ts';

export async function* storedInFile(file: string, of: VerifiedFile['of']): AsyncGenerator<Stored> {
  if (of === 'ledger') {
    yield* storedIn(messagesOf(file), (seq) => standingIn(file, seq));
    return;
  }
  for await (const line of linesIn(file)) {
    if (line.kind === 'ruling') yield [{ at: { seq: line.seq, index: line.index }, line: line.line }];
  }
}

/**
 * Finds policies among those that are given, and then among the sources of the file, which are executed only with
 * `trust`. @throws AssentError POLICY_UNTRUSTED, when one of them is asked for without; POLICY_MISSING, when it
 * cannot be loaded.
 */
export async function policiesIn(
  file: string,
  { trust, given }: { readonly trust: boolean; readonly given: readonly LoadedPolicy[] },
): Promise<JudgesOf> {
  const sources = new Map<string, string>();
  for await (const line of linesIn(file)) if (line.kind === 'policy') sources.set(line.policy, line.source);
  return (policy): Judges | undefined => {
    const own = given.find(({ digest }) => digest.startsWith(policy));
    if (own !== undefined) return own;
    const source = sources.get(policy);
    return source === undefined ? undefined : loadFound(policy, source, { trusted: trust });
  };
}
