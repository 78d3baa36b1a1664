import { defineConfig } from 'vitest/config';

// Workspace packages are imported as sources: no build before a test.
const conditions = ['@synod/source', 'node', 'import', 'module', 'default'];
const exclude = ['**/node_modules/**', '**/dist/**'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    passWithNoTests: true,
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts'], exclude },
      },
      {
        extends: true,
        test: { name: 'scenarios', include: ['test/**/*.test.ts'], exclude: [...exclude, 'test/containers/**'] },
      },
      { extends: true, test: { name: 'containers', include: ['test/containers/**/*.test.ts'], exclude } },
    ],
  },
});
