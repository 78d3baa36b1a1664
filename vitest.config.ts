import { defineConfig } from 'vitest/config';

// Workspace packages are imported as sources: no build before a test.
const conditions = ['@synod/source', 'node', 'import', 'module', 'default'];
const exclude = ['**/node_modules/**', '**/dist/**'];

// Projects run one after another: scenarios and containers run real processes against real leases, and a machine busy
// with unit tests would make them late.
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    passWithNoTests: true,
    reporters: ['./test/support/reporter.ts'],
    globalSetup: ['./test/support/nats-server.setup.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts'],
          exclude,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'scenarios',
          include: ['test/**/*.test.ts'],
          exclude: [...exclude, 'test/containers/**', 'test/readme/**', 'test/simulation/**'],
          sequence: { groupOrder: 1 },
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'containers',
          include: ['test/containers/**/*.test.ts'],
          exclude,
          sequence: { groupOrder: 2 },
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          // Virtual time, and a core for half a minute: too much beside real leases.
          name: 'simulation',
          include: ['test/simulation/**/*.test.ts'],
          exclude,
          sequence: { groupOrder: 4 },
          testTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          // Compiles, packs and installs: too much beside real leases.
          name: 'published',
          include: ['test/readme/**/*.test.ts'],
          exclude,
          sequence: { groupOrder: 3 },
          testTimeout: 60_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
