import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Diagram, diagrams } from './machines.ts';
import { toMermaid } from './mermaid.ts';

const root = join(import.meta.dirname, '../..');

/**
 * Puts a diagram between its markers, `<!-- diagram:acceptor -->` and `<!-- /diagram -->`.
 *
 * @throws Error when the text has no such markers.
 */
export function withDiagram(text: string, name: string, mermaid: string): string {
  const before = `<!-- diagram:${name} -->\n`;
  const start = text.indexOf(before);
  const end = text.indexOf('<!-- /diagram -->', start);
  if (start === -1 || end === -1) throw new Error(`no place for it: ${before.trim()} … <!-- /diagram -->`);
  return `${text.slice(0, start)}${before}\n\`\`\`mermaid\n${mermaid}\`\`\`\n\n${text.slice(end)}`;
}

/** What a README says, and what it must say. */
export function compare({ name, readme, machine }: Diagram): { found: string; wanted: string } {
  const found = readFileSync(join(root, readme), 'utf8');
  return { found, wanted: withDiagram(found, name, toMermaid(machine)) };
}

/** Brings every README up to date, or only looks. @returns A sentence for each that was not. */
export function updateReadmes(isCheck: boolean): string[] {
  return diagrams.flatMap((diagram) => {
    const { name, readme } = diagram;
    try {
      const { found, wanted } = compare(diagram);
      if (found === wanted) return [];
      if (!isCheck) writeFileSync(join(root, readme), wanted);
      return [`${readme}: the diagram of ${name} ${isCheck ? 'is out of date' : 'is new'}`];
    } catch (error) {
      throw new Error(`${readme}, diagram of ${name}: ${(error as Error).message}`, { cause: error });
    }
  });
}
