// A process of its own, `parse.ts <file>`: the parser's dependencies do not load under the conditions of the test runner.
import { readFileSync } from 'node:fs';
import { Parser } from '@asyncapi/parser';

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2] as string, 'utf8'));
const event = document
  ?.messages()
  .all()
  .find((message) => message.id() === 'masterEvent');
const parsed = {
  version: document?.version(),
  problems: diagnostics
    .filter(({ severity }) => severity <= 1)
    .map(({ message, path }) => `${path.join('.')}: ${message}`),
  operations: document
    ?.operations()
    .all()
    .map((operation) => operation.id()),
  addresses: document
    ?.channels()
    .all()
    .map((channel) => channel.address()),
  events: event?.payload()?.json(),
  eventHeaders: event?.headers()?.json(),
};
console.log(JSON.stringify(parsed));
