// `npm run sim`: main.ts and all that it imports, run as one module. A name that another module exports V8 looks up at each
// use, and cannot see through what it finds; over the small rules of a node that is a fifth of a simulation.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

const root = join(import.meta.dirname, '../..');
const file = join(root, `node_modules/.cache/simulation-${process.pid}.mjs`);

const bundle = await rolldown({
  input: join(import.meta.dirname, 'main.ts'),
  cwd: root,
  platform: 'node',
  resolve: { conditionNames: ['@synod/source', 'import', 'node', 'default'] },
});
process.once('exit', () => rmSync(file, { force: true }));
await bundle.write({ file, codeSplitting: false });
await bundle.close();
await import(pathToFileURL(file).href);
