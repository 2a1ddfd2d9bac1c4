/** Which tests mutants of rules/ are run against: the fast ones, of rules alone. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/rules/**/*.test.ts', 'test/policy/compose.test.ts'],
    // What it hears is heard rule by rule as well, in less time.
    exclude: ['test/rules/all-pairs.test.ts'],
    // A mutant may judge for ever.
    testTimeout: 10_000,
  },
});
