import { defineConfig } from 'vitest/config';
import { fileURLToPath } from 'node:url';

const src = (path: string): string => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^holdfast$/, replacement: src('index.ts') },
      { find: /^holdfast\/([a-z]+)$/, replacement: src('$1/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts', 'systems/**/*.test.ts'],
    globalSetup: ['test/cluster/setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'threads',
    maxWorkers: 2,
  },
});
