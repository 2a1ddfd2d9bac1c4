import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Real servers and real processes on two cores: a test that waits is not a test that hangs.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    // Child processes inherit it. node:sqlite works, and its warning helps nobody; what runs log is kept, and not shown.
    env: { NODE_OPTIONS: '--disable-warning=ExperimentalWarning', ASSENT_LOG: 'quiet' },
  },
});
