import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type NatsServer, startNatsServer } from '@synod/cli/internal';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Processes } from './processes.ts';

const processes = new Processes();
const synod = (...args: string[]) => processes.synod(args);
afterEach(() => processes.endAll());

const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '../../apps/cli/package.json'), 'utf8'));

describe('synod', () => {
  it('--help names every command and every exit code, on stdout', async () => {
    const { code, stdout, stderr } = await synod('--help');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const command of [
      'serve',
      'status',
      'watch',
      'whois',
      'resign',
      'transfer',
      'permissions',
      'doctor',
      'demo',
    ]) {
      expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'));
    }
    for (const exit of [0, 1, 2, 69, 70, 75, 77, 78, 130]) expect(stdout).toMatch(new RegExp(`\\b${exit}\\b`));
  });

  it('--help of a command names the environment beside its flags', async () => {
    const { code, stdout } = await synod('serve', '--help');
    expect(code).toBe(0);
    for (const name of ['NATS_URL', 'SYNOD_GROUP', 'SYNOD_NODE', 'SYNOD_VOTERS', 'SYNOD_JOURNAL', 'SYNOD_LEASE_MS']) {
      expect(stdout.replace(/\s+/g, ' ')).toContain(`(env: ${name})`);
    }
  });

  it('--version prints that of the package', async () => {
    expect(await synod('--version')).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: '' });
  });

  it.each([
    ['no command', [], 'Usage: synod'],
    ['an unknown command', ['elect'], "unknown command 'elect'"],
    ['an unknown flag', ['whois', '--grop', 'g'], "unknown option '--grop'"],
    ['a flag without its value', ['whois', '--group'], 'argument missing'],
    ['an argument too many', ['whois', 'orders'], 'too many arguments'],
  ])('usage, 2: %s', async (_what, args, words) => {
    const { code, stdout, stderr } = await synod(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(words);
  });

  it('configuration, 78: every problem at once, before it connects', async () => {
    const args = ['--group', 'a.b', '--node', 'n9', '--voters', 'n1,n2', '--journal', 'j', '--lease-ms', '5'];
    const { code, stdout, stderr } = await synod('serve', ...args, '--metadata', 'zone', '--nats-creds', '/nowhere');
    expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
    const problems = ['group is "a.b"', 'n9 is not among the voters', 'leaseMs is 5', '--metadata', '--nats-creds'];
    for (const problem of problems) expect(stderr).toContain(problem);
    expect(stderr.trimEnd().split('\n')).toHaveLength(problems.length);
  });

  it('configuration, 78: what is missing, by flag and by variable', async () => {
    const { code, stderr } = await synod('serve');
    expect(code).toBe(78);
    for (const name of ['GROUP', 'NODE', 'VOTERS', 'JOURNAL']) {
      expect(stderr).toContain(`--${name.toLowerCase()} (or SYNOD_${name}) is missing`);
    }
  });

  it('configuration, 78: what is wrong with the rest, though something is missing', async () => {
    const { code, stderr } = await synod('serve', '--group', 'a.b', '--voters', 'n1,n1', '--priority', '300');
    expect(code).toBe(78);
    const problems = ['--node (', '--journal (', 'group is "a.b"', 'priority is 300', 'names a node twice'];
    const lines = stderr.trimEnd().split('\n');
    expect(lines).toEqual(problems.map((problem) => expect.stringContaining(problem)));
  });

  it('flags go over the environment, and an empty variable is none', async () => {
    const env = { SYNOD_GROUP: 'orders', SYNOD_NODE: '', NATS_URL: '' };
    const none = await processes.synod(['permissions'], { env });
    expect(none).toMatchObject({ code: 78, stderr: expect.stringContaining('--node (or SYNOD_NODE) is missing') });
    const given = await processes.synod(['permissions', '--node', 'n1', '--group', 'other'], { env });
    expect(given.stdout).toContain('synod.other.*.*.from.n1');
  });

  it('NATS unavailable, 69: says where it looked', async () => {
    const port = await unusedPort();
    const { code, stdout, stderr } = await synod('whois', '--group', 'g', '--nats-url', `nats://127.0.0.1:${port}`);
    expect({ code, stdout }).toEqual({ code: 69, stdout: '' });
    expect(stderr).toContain(`nats://127.0.0.1:${port}`);
    expect(stderr).toContain('ECONNREFUSED');
  });

  it('colours what a person sees, and nothing else', async () => {
    const coloured = await processes.synod(['serve'], { env: { FORCE_COLOR: '1' } });
    expect(coloured.stderr).toContain('\u001b[');
    const plain = await processes.synod(['serve'], { env: { NO_COLOR: '1' } });
    expect(plain.stderr).not.toContain('\u001b');
    expect((await synod('serve')).stderr).not.toContain('\u001b');
  });
});

describe('synod, of a server that minds who asks', () => {
  let server: NatsServer;
  const as = (user: string) => `nats://${user}:secret@127.0.0.1:${server.port}`;
  beforeAll(async () => {
    const users = [
      '{ user: ops, password: secret }',
      '{ user: mute, password: secret, permissions: { publish: "nothing" } }',
    ];
    server = await startNatsServer({ extraConfig: `authorization { users: [ ${users.join(', ')} ] }` });
  });
  afterAll(() => server.stop());

  it('permission, 77: an unknown user', async () => {
    const url = `nats://ops:wrong@127.0.0.1:${server.port}`;
    const { code, stderr } = await synod('whois', '--group', 'g', '--nats-url', url);
    expect(code).toBe(77);
    expect(stderr).toMatch(/authorization/i);
  });

  it.each([
    ['whois', 'observer'],
    ['watch', 'observer'],
    ['status', 'operator'],
    ['resign', 'operator'],
  ])('permission, 77: %s by a user who may not ask', async (command, kind) => {
    const { code, stderr } = await synod(command, '--group', 'g', '--as', 'web', '--nats-url', as('mute'));
    expect(code).toBe(77);
    // The hint names a command that exists, and what it prints is enough and no more.
    expect(stderr).toContain(`synod permissions --group g --node web --kind ${kind}`);
  });

  it('configuration, 78: no time is longer than a timer can be', async () => {
    const { code, stderr } = await synod(
      'whois',
      '--group',
      'g',
      '--nats-url',
      as('ops'),
      '--timeout-ms',
      '2147483648',
    );
    expect(code).toBe(78);
    expect(stderr).toContain('--timeout-ms (or SYNOD_TIMEOUT_MS) is "2147483648"');
  });

  it.each(['whois', 'status', 'resign'])('unavailable, 69: %s of a group that nobody serves', async (command) => {
    const { code, stdout, stderr } = await synod(command, '--group', 'g', '--nats-url', as('ops'));
    expect({ code, stdout }).toEqual({ code: 69, stdout: '' });
    expect(stderr).toContain('nobody of group "g"');
    expect(stderr).toContain('synod serve');
  });

  it('permission, 77: serve does not wait for a server that refuses it', async () => {
    const url = `nats://ops:wrong@127.0.0.1:${server.port}`;
    const args = ['--group', 'g', '--node', 'n1', '--voters', 'n1', '--journal', 'unused', '--nats-url', url];
    expect((await synod('serve', ...args)).code).toBe(77);
  });

  it('interrupted, 130: watch, and 0 when it is told to stop by SIGTERM', async () => {
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 0],
    ] as const) {
      const watch = processes.start('cli', ['watch', '--group', 'g', '--nats-url', as('ops')]);
      // Only a command that has connected listens for events; the server tells who is connected.
      await connected(server, 1);
      watch.kill(signal);
      expect(await watch.ended).toEqual({ code, signal: null });
      expect(watch.stdout).toBe('');
    }
  });
});

async function connected(server: NatsServer, count: number): Promise<void> {
  for (;;) {
    const page = await (await fetch(`${server.monitorUrl}/connz?state=open`)).json();
    if ((page as { num_connections: number }).num_connections >= count) return;
  }
}

function unusedPort(): Promise<number> {
  return new Promise((resolve) => {
    const holder = createServer().listen(0, '127.0.0.1', () => {
      const { port } = holder.address() as { port: number };
      holder.close(() => resolve(port));
    });
  });
}
