/** Policy modules on disk, and what is shared by the tests of them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A folder that is gone after the test. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'assent-policy-'));
  onTestFinished(() => {
    rmSync(path, { recursive: true, force: true });
  });
  return path;
}

/** A module whose flow policy has one more rule, `house-rule`, with this body: `transition` and `facts` are its arguments. */
export const moduleWith = (body: string, more = ''): string => `
import { before, definePolicies, defineRule, hold, pass, reject, rewrite } from 'assent/rules';
const houseRule = defineRule({
  name: 'house-rule', summary: 'What this house wants.',
  on: ['flow'], from: ['NONE', 'RUNNING'], to: ['RUNNING'], needs: ['run'], may: ['reject', 'hold'],
  judge: (transition, facts) => {
    const { run, nowMs } = facts;
    ${body}
  },
});
${more}
export default definePolicies({ workspace: (core) => ({ flow: before(core.flow, 'follow-lifecycle', houseRule) }) });
`;

/** Writes a module to a folder; the answer is its path. */
export function writeModule(source: string, into: string = folder(), name = 'policy.ts'): string {
  const path = join(into, name);
  writeFileSync(path, source);
  return path;
}
