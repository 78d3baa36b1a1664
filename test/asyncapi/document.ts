import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { asyncApi } from '@synod/nats/asyncapi';

const folder = join(import.meta.dirname, '../../packages/nats');

/** The document that is published with the package. */
export const file = join(folder, 'asyncapi.json');

/** What it must say, by the schemas of this moment. */
export function wanted(): string {
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
  return `${JSON.stringify(asyncApi(version), null, 2)}\n`;
}
