// `npm run diagrams`: draws the machines into the READMEs, and the takeover beside one. `--check` only looks, `--print NAME` shows one.
import { parseArgs } from 'node:util';
import { diagrams } from './machines.ts';
import { toMermaid } from './mermaid.ts';
import { updateReadmes } from './readme.ts';
import { updateTakeover } from './takeover.ts';

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false }, print: { type: 'string' } } });
if (values.print === undefined) {
  const sentences = [...updateReadmes(values.check), ...(await updateTakeover(values.check))];
  for (const sentence of sentences) console.error(`synod: ${sentence}`);
  if (values.check && sentences.length > 0) process.exitCode = 1;
} else {
  const diagram = diagrams.find(({ name }) => name === values.print);
  if (!diagram) throw new Error(`one of ${diagrams.map(({ name }) => name).join(', ')}`);
  process.stdout.write(toMermaid(diagram.machine));
}
