import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createAccount,
  createOperator,
  createUser,
  encodeAccount,
  encodeOperator,
  encodeUser,
  fmtCreds,
} from '@nats-io/jwt';
import { connect, credsAuthenticator } from '@nats-io/transport-node';
import { type NatsServer, startNatsServer } from '@synod/cli/internal';
import { type PermissionsOptions, permissionsOf } from '@synod/nats';
import { connect as connect2, credsAuthenticator as credsAuthenticator2 } from 'nats';
import { join as joinGroup } from 'synod';
import { afterEach, describe, expect, it } from 'vitest';
import { Processes } from '../apps/processes.ts';
import { cleanups, type TestConnection } from '../nats/support.ts';
import { authority } from './certificates.ts';

const processes = new Processes();
const after = cleanups();
afterEach(async () => {
  await processes.endAll();
  await after.run();
});

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'synod-secured-'));
  after.add(() => rm(made, { recursive: true, force: true }));
  return made;
}

async function server(extraConfig: string): Promise<NatsServer> {
  const started = await startNatsServer({ extraConfig });
  after.add(() => started.stop());
  return started;
}

/** A group of one over this connection: forms, elects itself, hands back. */
async function plays(connection: TestConnection): Promise<void> {
  after.add(() => connection.close());
  const membership = { role: 'member', voters: ['n1'], journal: await folder() } as const;
  const group = await joinGroup(connection, { group: 'orders', node: 'n1', membership, leaseMs: 1000 });
  const mastership = await group.election().campaign({ timeoutMs: 10_000 });
  expect(mastership.term).toBeGreaterThan(0);
  await group.close();
}

/** `synod serve` becomes master, and `synod whois` hears of it, both with these flags. */
async function serves(url: string, flags: readonly string[], ask: readonly string[] = flags): Promise<void> {
  const common = ['--group', 'orders', '--nats-url', url];
  const journal = await folder();
  const member = processes.start('cli', [
    'serve',
    ...common,
    '--node',
    'n1',
    '--voters',
    'n1',
    '--journal',
    journal,
    ...flags,
  ]);
  await member.until('it is master', ({ stderr, stdout }) => (stderr + stdout).includes('master elected: n1'));
  const whois = await processes.synod(['whois', ...common, '--as', 'web', ...ask]);
  expect(whois).toMatchObject({ code: 0, stdout: expect.stringContaining('n1') });
}

describe('TLS', () => {
  const tls = (files: { cert: string; key: string }, ca: string, isVerified: boolean) =>
    `tls { cert_file: "${files.cert}", key_file: "${files.key}", ca_file: "${ca}", verify: ${isVerified} }`;

  it.each([
    ['@nats-io/transport-node 3', connect],
    ['nats 2', connect2],
  ] as const)(
    'carries a group, by an authority of its own, with certificates on both sides: %s',
    async (_client, open) => {
      const { ca, issue } = await authority(await folder());
      const { url } = await server(tls(await issue('server'), ca, true));
      const { cert, key } = await issue('n1');
      await plays(
        await open({ servers: url, maxReconnectAttempts: -1, tls: { caFile: ca, certFile: cert, keyFile: key } }),
      );
    },
  );

  it('serves the command line by --nats-ca, --nats-cert and --nats-key', async () => {
    const { ca, issue } = await authority(await folder());
    const { url } = await server(tls(await issue('server'), ca, true));
    const { cert, key } = await issue('n1');
    await serves(url, ['--nats-ca', ca, '--nats-cert', cert, '--nats-key', key]);
    // Whom it does not know it does not believe, and who shows nothing is shown out.
    const distrusting = await processes.synod(['whois', '--group', 'orders', '--nats-url', url]);
    expect(distrusting).toMatchObject({ code: 69, stdout: '', stderr: expect.stringContaining('certificate') });
    const anonymous = await processes.synod(['whois', '--group', 'orders', '--nats-url', url, '--nats-ca', ca]);
    expect(anonymous.code).not.toBe(0);
  });

  it('is demanded by tls://: nobody who listens hears a password that was meant for no other', async () => {
    const { url, port } = await server('authorization { user: n1, password: x }');
    expect((await processes.synod(['whois', '--group', 'orders', '--nats-url', url])).code).toBe(77);
    for (const secure of [`tls://n1:x@127.0.0.1:${port}`, `nats://n1:x@127.0.0.1:${port},tls://localhost:${port}`]) {
      const { code, stderr } = await processes.synod(['whois', '--group', 'orders', '--nats-url', secure]);
      expect({ code, stderr }).toMatchObject({ code: 69, stderr: expect.stringContaining("does not support 'tls'") });
    }
  });

  it('trusts the authority of --nats-ca in place of those of this machine, which are trusted without', async () => {
    const [ours, theirs] = [await authority(await folder()), await authority(await folder())];
    const { port } = await server(tls(await ours.issue('server'), ours.ca, false));
    const ask = (...flags: string[]) =>
      processes.synod(
        ['doctor', '--group', 'orders', '--node', 'n1', '--nats-url', `tls://127.0.0.1:${port}`, ...flags],
        {
          env: { NODE_EXTRA_CA_CERTS: ours.ca },
        },
      );
    expect(await ask()).toMatchObject({ code: 0, stdout: expect.stringContaining('TLS') });
    expect(await ask('--nats-ca', theirs.ca)).toMatchObject({
      code: 69,
      stderr: expect.stringContaining('certificate'),
    });
  });

  it('configuration, 78: says which file cannot be read, and what is half given', async () => {
    const args = ['whois', '--group', 'orders', '--nats-ca', '/nowhere/ca.pem', '--nats-cert', '/nowhere/cert.pem'];
    const { code, stderr } = await processes.synod(args);
    expect(code).toBe(78);
    for (const words of ['--nats-ca (or NATS_CA)', '--nats-cert (or NATS_CERT)', 'one is given without the other']) {
      expect(stderr).toContain(words);
    }
  });
});

describe('creds', () => {
  /** What an account is not given it has none of. */
  const unlimited = { conn: -1, leaf: -1, subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true };

  /** A server of an operator with one account, and what makes users of it. */
  async function operated() {
    const [operator, account] = [createOperator(), createAccount()];
    const operatorJwt = await encodeOperator('tests', operator);
    const accountJwt = await encodeAccount('orders', account, { limits: unlimited }, { signer: operator });
    const { url } = await server(`
      operator: ${operatorJwt}
      resolver: MEMORY
      resolver_preload { ${account.getPublicKey()}: ${accountJwt} }
    `);
    /** @param lifeMs - How long they are good for; by default for ever. */
    const credsOf = async (node: string, kind: PermissionsOptions['kind'], lifeMs?: number): Promise<Uint8Array> => {
      const user = createUser();
      const { publish, subscribe } = permissionsOf({ group: 'orders', node, kind });
      const rules = {
        ...{ subs: -1, data: -1, payload: -1 },
        pub: { allow: [...publish.allow], deny: [...publish.deny] },
        sub: { allow: [...subscribe.allow] },
      };
      const limits = lifeMs === undefined ? {} : { exp: Math.ceil((Date.now() + lifeMs) / 1000) };
      return fmtCreds(await encodeUser(node, user, account, rules, limits), user);
    };
    return { url, credsOf };
  }

  it.each(['@nats-io/transport-node 3', 'nats 2'])('carry a group, by the rules of its node: %s', async (client) => {
    const { url, credsOf } = await operated();
    const creds = await credsOf('n1', 'member');
    const options = { servers: url, maxReconnectAttempts: -1 };
    await plays(
      client === 'nats 2'
        ? await connect2({ ...options, authenticator: credsAuthenticator2(creds) })
        : await connect({ ...options, authenticator: credsAuthenticator(creds) }),
    );
  });

  it('serve the command line by --nats-creds; doctor finds them good, and those of another not', async () => {
    const { url, credsOf } = await operated();
    const files = await folder();
    const file = async (node: string, kind: PermissionsOptions['kind']) => {
      const path = join(files, `${node}.creds`);
      await writeFile(path, await credsOf(node, kind));
      return ['--nats-creds', path];
    };
    const n1 = await file('n1', 'member');
    await serves(url, n1, await file('web', 'observer'));
    // The health check of a container has the credentials of its member.
    const check = ['status', '--check', '--group', 'orders', '--nats-url', url, ...n1];
    const healthy = await processes.synod(check, { env: { SYNOD_NODE: 'n1' } });
    expect(healthy).toMatchObject({ code: 0, stderr: '' });
    const doctor = (...flags: string[]) =>
      processes.synod(['doctor', '--group', 'orders', '--nats-url', url, '--timeout-ms', '2000', ...flags]);
    expect(await doctor('--node', 'n1', ...n1)).toMatchObject({ code: 0, stderr: '' });
    expect(await doctor('--node', 'n2', ...n1)).toMatchObject({
      code: 77,
      stdout: expect.stringContaining('missing: publish allow "synod.orders.*.*.from.n2"'),
    });
    const none = await processes.synod(['whois', '--group', 'orders', '--nats-url', url]);
    expect(none).toMatchObject({ code: 77, stdout: '' });
  });

  it('may be short-lived: who serves and who watches go on by the file that was renewed', async () => {
    const { url, credsOf } = await operated();
    const files = await folder();
    const renewed = { n1: join(files, 'n1.creds'), web: join(files, 'web.creds') };
    const common = ['--group', 'orders', '--nats-url', url];
    await writeFile(renewed.n1, await credsOf('n1', 'member', 5000));
    await writeFile(renewed.web, await credsOf('web', 'observer', 5000));
    const member = ['--node', 'n1', '--voters', 'n1', '--journal', await folder(), '--nats-creds', renewed.n1];
    const serve = processes.start('cli', ['serve', ...common, ...member]);
    const watch = processes.start('cli', ['watch', ...common, '--as', 'web', '--nats-creds', renewed.web]);
    await serve.until('it is master', ({ stdout, stderr }) => (stderr + stdout).includes('master elected: n1'));
    await watch.until('it hears of it', ({ stdout }) => stdout.includes('n1'));
    await writeFile(renewed.n1, await credsOf('n1', 'member'));
    await writeFile(renewed.web, await credsOf('web', 'observer'));
    await serve.until('its user is good again', (s) => (s.stderr + s.stdout).includes('connected to NATS again'));
    await watch.until('its user is good again', ({ stderr }) => stderr.includes('connected to NATS again'));
    const whois = await processes.synod(['whois', ...common, '--as', 'web', '--nats-creds', renewed.web]);
    expect(whois).toMatchObject({ code: 0, stdout: expect.stringContaining('n1') });
  });

  it('that nobody renews end who serves and who watches with a reason, which no trace of a stack is', async () => {
    const { url, credsOf } = await operated();
    const file = join(await folder(), 'n1.creds');
    await writeFile(file, await credsOf('n1', 'member', 5000));
    const common = ['--group', 'orders', '--nats-url', url, '--nats-creds', file];
    const member = ['--node', 'n1', '--voters', 'n1', '--journal', await folder()];
    const ended = [
      ['serve', ...common, ...member],
      ['watch', ...common, '--as', 'n1'],
    ].map((args) => processes.synod(args));
    for (const { code, stderr } of await Promise.all(ended)) {
      // A client that dials anew may have met its refusal as a connection that ended.
      expect([69, 77]).toContain(code);
      expect(stderr).toMatch(/^synod: NATS (refuses this user|cannot be reached)/m);
      expect(stderr).not.toMatch(/^ +at /m);
    }
  });

  it('configuration, 78: a file that holds none, also where a server would be waited for', async () => {
    const file = join(await folder(), 'no.creds');
    await writeFile(file, 'not yet');
    const member = ['--group', 'orders', '--node', 'n1', '--voters', 'n1', '--journal', await folder()];
    const { code, stderr } = await processes.synod(['serve', ...member, '--nats-creds', file]);
    expect({ code, stderr }).toMatchObject({ code: 78, stderr: expect.stringContaining('holds no credentials') });
  });
});
