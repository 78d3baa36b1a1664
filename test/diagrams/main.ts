// `npm run diagrams`: draws the machines into the READMEs, and the takeover beside one. `--check` only looks, `--print NAME` shows one.
import { parseArgs } from 'node:util';
import { diagrams } from './machines.ts';
import { toMermaid } from './mermaid.ts';
import { updateReadmes } from './readme.ts';
import { updateTakeover } from './takeover.ts';

/** The lease of a node: its session, and a candidate for each election that hangs on it. */
const LEASE = ['session', 'candidate'];

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false }, print: { type: 'string' } } });
if (values.print === undefined) {
  const sentences = [...updateReadmes(values.check), ...(await updateTakeover(values.check))];
  for (const sentence of sentences) console.error(`synod: ${sentence}`);
  if (values.check && sentences.length > 0) process.exitCode = 1;
} else {
  const names = values.print === 'lease' ? LEASE : [values.print];
  const printed = diagrams.filter(({ name }) => names.includes(name));
  if (printed.length === 0) {
    console.error(`synod: no machine "${values.print}": one of lease, ${diagrams.map(({ name }) => name).join(', ')}`);
    process.exitCode = 2;
  }
  for (const { machine } of printed) process.stdout.write(toMermaid(machine));
}
