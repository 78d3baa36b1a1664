import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { afterAll, describe, expect, it } from 'vitest';
import { nameOf, withConfigFile } from './config-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'synod-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

function flagsOf(settings: unknown, argv: readonly string[] = []) {
  const path = join(folder, 'synod.json');
  writeFileSync(path, typeof settings === 'string' ? settings : JSON.stringify(settings));
  const command = new Command('serve')
    .addOption(new Option('--group <name>').env('TEST_CONFIG_GROUP'))
    .addOption(new Option('--voters <names>'))
    .addOption(new Option('--lease-ms <ms>'))
    .addOption(new Option('--metadata <key=value>'))
    .addOption(new Option('--json'))
    .addOption(new Option('--election <name>').default('group'));
  command.parse([...argv], { from: 'user' });
  return withConfigFile(command, path, new Set([...command.options.map(nameOf), 'history']));
}

describe('a configuration file', () => {
  it('gives what the command line and the environment do not, in the order flag, environment, file, default', () => {
    const settings = {
      group: 'of-file',
      voters: ['n1', 'n2'],
      'lease-ms': 500,
      metadata: { zone: 'a', address: 'http://x?y=z' },
      json: true,
      election: 'jobs',
      history: 'of another command',
    };
    expect(flagsOf(settings, ['--lease-ms', '900'])).toEqual({
      group: 'of-file',
      voters: 'n1,n2',
      leaseMs: '900',
      metadata: ['zone=a', 'address=http://x?y=z'],
      json: true,
      election: 'jobs',
    });
    process.env['TEST_CONFIG_GROUP'] = 'of-environment';
    expect(flagsOf(settings)).toMatchObject({ group: 'of-environment', leaseMs: '500' });
    expect(flagsOf(settings, ['--group', 'of-flag'])).toMatchObject({ group: 'of-flag' });
    process.env['TEST_CONFIG_GROUP'] = '';
    expect(flagsOf(settings)).toMatchObject({ group: 'of-file' });
    delete process.env['TEST_CONFIG_GROUP'];
    expect(flagsOf({})).toEqual({ election: 'group' });
  });

  it.each([
    ['{', /JSON/],
    ['[1]', /no JSON object/],
    [{ leaseMs: 5, voters: [1], group: null }, /no flag --leaseMs.*"voters" is neither.*"group" is neither/s],
  ])('that is wrong is told with every problem: %j', (settings, problem) => {
    expect(() => flagsOf(settings)).toThrow(problem);
  });
});
