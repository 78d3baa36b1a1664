import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { judgeHistory, type NatsServer, readHistories, startNatsServer } from '@synod/cli/internal';
import { join as joinGroup } from 'synod';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type AppProcess, eventually, Processes } from './processes.ts';

/** Long enough for a disk that others use too. */
const LEASE_MS = 2000;
const NODES = ['n1', 'n2', 'n3'];

const processes = new Processes();
let folder: string;
let server: NatsServer;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'synod-serve-'));
  server = await startNatsServer();
});
afterEach(async () => {
  await processes.endAll();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

const history = (node: string): string => join(folder, `${node}.jsonl`);
const verdict = () => judgeHistory(readHistories(NODES.map(history)));

function serve(node: string): AppProcess {
  const env = {
    NATS_URL: server.url,
    SYNOD_GROUP: 'orders',
    SYNOD_VOTERS: NODES.join(','),
    SYNOD_LEASE_MS: String(LEASE_MS),
  };
  const own = ['--node', node, '--journal', join(folder, node), '--history', history(node)];
  return processes.start('cli', ['serve', ...own], { env });
}

const ask = (command: string, ...args: string[]) =>
  processes.synod([command, '--group', 'orders', '--nats-url', server.url, ...args]);

/** By the histories: whoever was elected last, after the term given. */
const masterAfter = (term: number) =>
  eventually(`a master after term ${term}`, async () => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    return verdict().tenures.find((tenure) => tenure.term > term);
  });

/** The master by whois: the one that histories name. */
const present = () =>
  eventually('whois and histories to name one master', async () => {
    const { code, stdout } = await ask('whois', '--json');
    const said = code === 0 && JSON.parse(stdout);
    const newest = verdict().tenures.at(-1);
    return said.isMajority && said.master?.node === newest?.node && said.term === newest?.term && newest;
  });

const saidChange = (process: AppProcess, node: string, term: number) =>
  process.until(`the line of ${node}`, ({ lines }) =>
    lines.find(
      (line) => line['term'] === term && String(line['msg']).startsWith(`master elected: ${node} (term ${term},`),
    ),
  );

it('three members: one master, its death, its return, its resignation, the end', async () => {
  const members = new Map(NODES.map((node) => [node, serve(node)]));
  const member = (node: string) => members.get(node) as AppProcess;

  const isWell = async (node: string) => (await ask('status', '--check', '--node', node)).code === 0;
  for (const node of NODES) await eventually(`${node} to be well`, () => isWell(node));
  const first = await present();
  await saidChange(member(first.node), first.node, first.term);
  const status = JSON.parse((await ask('status', '--json')).stdout);
  expect(status.members).toMatchObject(NODES.map((node) => ({ node, state: 'voter', hasQuorum: true })));

  member(first.node).kill('SIGKILL');
  const second = await masterAfter(first.term);
  expect(second.node).not.toBe(first.node);
  members.set(first.node, serve(first.node));
  await member(first.node).until('its second opening of the journal', ({ lines }) =>
    lines.find((line) => line['incarnations'] === 2),
  );
  await eventually('the one that came back to be well', () => isWell(first.node));

  await present();
  const resigned = await ask('resign', '--json');
  expect(resigned.code).toBe(0);
  const { node, term } = JSON.parse(resigned.stdout);
  const successor = await masterAfter(term);
  expect(successor.node).not.toBe(node);

  // To one that is named, and to nobody who is not there.
  await present();
  const nowhere = await ask('transfer', '--to', 'n9');
  expect(nowhere).toMatchObject({ code: 75, stderr: expect.stringContaining(`${successor.node}: `) });
  expect(await ask('transfer', '--to', successor.node)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('as it was'),
  });
  const heir = NODES.find((other) => other !== successor.node && other !== node) as string;
  const transferred = JSON.parse((await ask('transfer', '--to', heir, '--json')).stdout);
  expect(transferred).toMatchObject({ group: 'orders', election: 'group', node: heir });
  const third = await masterAfter(successor.term);
  expect(third).toMatchObject({ node: heir, term: transferred.term });

  // SIGTERM hands over: nobody waits for the lease of one that has left.
  member(third.node).kill('SIGTERM');
  expect(await member(third.node).ended).toEqual({ code: 0, signal: null });
  expect(member(third.node).stdout).toContain(`${third.node} has left`);
  const fourth = await masterAfter(third.term);
  expect(Number(fourth.fromNs - third.toNs) / 1e6).toBeLessThan(LEASE_MS / 2);
  expect(verdict()).toMatchObject({ overlapMs: 0, problems: [] });

  const last = NODES.filter((node) => node !== third.node && node !== fourth.node) as [string];
  member(fourth.node).kill('SIGKILL');
  await member(fourth.node).ended;
  await eventually('the last one to miss the quorum', async () => {
    const check = await ask('status', '--check', '--node', last[0]);
    return check.code === 1 && check.stderr.includes('sees no quorum');
  });
  expect(await ask('whois')).toMatchObject({ code: 69, stderr: expect.stringContaining('no majority') });
  const nobody = await ask('status', '--check', '--node', 'n9', '--timeout-ms', '300');
  expect(nobody).toMatchObject({ code: 69, stderr: expect.stringContaining('n9 is not there') });

  member(last[0]).kill('SIGINT');
  expect(await member(last[0]).ended).toEqual({ code: 130, signal: null });
  expect(verdict()).toMatchObject({ overlapMs: 0, problems: [] });
});

it('a member of more elections than a message can name says how it is all the same', async () => {
  await server.stop();
  server = await startNatsServer({ extraConfig: 'max_payload: 300000' });
  const member = processes.start('cli', ['serve', '--node', 'n1', '--journal', join(folder, 'n1')], {
    env: { NATS_URL: server.url, SYNOD_GROUP: 'orders', SYNOD_VOTERS: 'n1', SYNOD_LEASE_MS: String(LEASE_MS) },
  });
  await member.until('its joining', ({ stdout }) => stdout.includes('joined group'));
  const connection = await connect({ servers: server.url });
  try {
    const membership = { role: 'candidate' } as const;
    const group = await joinGroup(connection, { group: 'orders', node: 'web', membership, leaseMs: LEASE_MS });
    const metadata = { address: 'x'.repeat(2_000) };
    const names = Array.from({ length: 200 }, (_, i) => `shard-${i}`);
    await Promise.all(names.map((name) => group.election(name, { metadata }).campaign()));
    expect(await ask('status', '--check', '--node', 'n1')).toMatchObject({ code: 0 });
    const [status] = JSON.parse((await ask('status', '--json')).stdout).members;
    expect(status).toMatchObject({ node: 'n1', state: 'voter', electionCount: names.length + 1 });
    await group.close();
  } finally {
    await connection.close();
  }
});

it('NATS down at start: it waits, says so, and SIGTERM ends it', async () => {
  await server.kill();
  const process = serve('n1');
  await process.until('the sentence', ({ stdout }) => stdout.includes('waiting for NATS'));
  process.kill('SIGTERM');
  expect(await process.ended).toEqual({ code: 0, signal: null });
});

it('NATS down at start: it joins when NATS comes', async () => {
  await server.kill();
  const started = NODES.map(serve);
  for (const process of started) await process.until('the wait', ({ stdout }) => stdout.includes('waiting for NATS'));
  await server.restart();
  await masterAfter(0);
  for (const process of started) await process.until('its joining', ({ stdout }) => stdout.includes('joined group'));
});

it('a wish to stop while it waits for the others is granted', async () => {
  const process = serve('n1');
  await process.until('the sentence', ({ stdout }) => stdout.includes('n1 waits for n2, n3 to form the group'));
  // Before it has joined it answers already.
  const check = await ask('status', '--check', '--node', 'n1');
  expect(check).toMatchObject({ code: 1, stderr: expect.stringContaining('n1 is connecting') });
  process.kill('SIGTERM');
  expect(await process.ended).toEqual({ code: 0, signal: null });
});

it('a second process of one node id is refused, with host and pid of the first', async () => {
  const env = { NATS_URL: server.url, SYNOD_GROUP: 'orders', SYNOD_VOTERS: 'n1', SYNOD_NODE: 'n1' };
  const first = processes.start('cli', ['serve', '--journal', join(folder, 'a')], { env });
  await first.until('its joining', ({ stdout }) => stdout.includes('n1 joined group orders'));
  const second = await processes.synod(['serve', '--journal', join(folder, 'b')], { env });
  expect(second.code).toBe(78);
  expect(second.stderr).toContain(`pid ${first.pid}`);
  expect(first.isRunning).toBe(true);
});
