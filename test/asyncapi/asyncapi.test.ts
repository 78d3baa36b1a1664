import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { subjectOf } from '@synod/nats';
import { eventHeadersSchema, masterEventSchema } from '@synod/nats/schemas';
import { describe, expect, it, onTestFinished } from 'vitest';
import { file, wanted } from './document.ts';

/** What the parser of AsyncAPI's own finds in a document. */
const parse = (path: string): Record<string, unknown> =>
  JSON.parse(execFileSync(process.execPath, [join(import.meta.dirname, 'parse.ts'), path], { encoding: 'utf8' }));

describe('packages/nats/asyncapi.json', () => {
  it('is what the schemas say now; else: npm run asyncapi', () => {
    expect(readFileSync(file, 'utf8')).toBe(wanted());
  });

  it('is valid AsyncAPI 3, spells the subjects that are used, and says of an event what it is checked by', () => {
    const parsed = parse(file);
    expect(parsed).toMatchObject({ version: '3.0.0', problems: [] });
    expect(parsed['operations']).toEqual([
      ...['tellChange', 'answerWhois', 'answerHealth', 'answerAdmin'],
      ...['answerAllServices', 'answerSynodServices', 'answerSynodService'],
    ]);
    const values = {
      group: 'orders',
      election: 'shard-7',
      action: 'resign',
      node: 'n1',
      verb: 'PING',
      id: 'x1',
      member: 'n2',
    };
    const filled = (parsed['addresses'] as (string | null)[]).map((address) =>
      Object.entries(values).reduce((text, [name, value]) => text?.replace(`{${name}}`, value) ?? null, address),
    );
    expect(filled).toEqual([
      subjectOf('orders', { role: 'event', to: 'shard-7' }, 'n1'),
      subjectOf('orders', { role: 'whois', to: 'all' }, 'n1'),
      subjectOf('orders', { role: 'whois', to: 'n2' }, 'n1'),
      subjectOf('orders', { role: 'admin', to: 'resign' }, 'n1'),
      ...['$SRV.PING', '$SRV.PING.synod', '$SRV.PING.synod.x1'],
      null,
    ]);
    expect(parsed['eventHeaders']).toMatchObject(JSON.parse(JSON.stringify(eventHeadersSchema)));
    expect(parsed['events']).toMatchObject(JSON.parse(JSON.stringify(masterEventSchema)));
  });

  it('would be found out if it were not valid', () => {
    const folder = mkdtempSync(join(tmpdir(), 'synod-asyncapi-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const broken = join(folder, 'asyncapi.json');
    writeFileSync(broken, wanted().replace('#/channels/events"', '#/channels/nowhere"'));
    expect(parse(broken)['problems']).not.toEqual([]);
  });
});
