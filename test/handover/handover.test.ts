import { type NatsServer, startNatsServer } from '@synod/cli/internal';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../nats/support.ts';
import { CLIENTS, LEASE_MS } from './messages.ts';
import { type Pod, Pods } from './pods.ts';

let server: NatsServer;
let pods: Pods;
beforeEach(async () => {
  server = await startNatsServer();
});
afterEach(async () => {
  await pods.endAll();
  await server.stop();
});

const elected = async (pod: Pod) => pod.ask({ type: 'campaign' }, 'elected');
const sinceMs = (from: { readonly atNs: string }, to: { readonly atNs: string }): number =>
  Number(BigInt(to.atNs) - BigInt(from.atNs)) / 1e6;

describe.each(CLIENTS)('hand-over between processes over %s', (client) => {
  beforeEach(() => {
    pods = new Pods(server.url, client);
  });

  it('resign to one that waits: it is master next, within a fraction of a lease, though another waits too', async () => {
    const [n1, n2, n3] = (await pods.voters()) as [Pod, Pod, Pod];
    const { term } = await elected(n1);
    for (const pod of [n2, n3]) pod.tell({ type: 'campaign' });
    const [next, gone] = await Promise.all([n3.hears('elected'), n1.ask({ type: 'resign', to: 'n3' }, 'lost')]);
    expect(next.term).toBeGreaterThan(term);
    expect(gone).toMatchObject({ term, reason: 'resigned' });
    // S2: the one had said that it was over before the other began.
    expect(sinceMs(gone, next)).toBeGreaterThan(-5);
    expect(sinceMs(gone, next)).toBeLessThan(LEASE_MS / 2);
    expect((await n2.status()).isMaster).toBe(false);
  });

  it('transfer from a voter to a candidate that is none, and back', async () => {
    const [n1] = (await pods.voters()) as [Pod];
    const web = await pods.candidate('web-1');
    await elected(n1);
    web.tell({ type: 'campaign' });
    const [there, handed] = await Promise.all([
      web.hears('elected'),
      n1.ask({ type: 'transfer', to: 'web-1' }, 'resigned'),
    ]);
    expect(handed.term).toBe(there.term);
    n1.tell({ type: 'campaign' });
    const since = n1.said.length;
    const [back] = await Promise.all([n1.hears('elected', since), web.ask({ type: 'transfer', to: 'n1' }, 'resigned')]);
    expect(back.term).toBeGreaterThan(there.term);
  });

  it('a candidate of higher priority that comes later gets it, once', async () => {
    await pods.voters();
    const low = await pods.candidate('web-low');
    const { term } = await elected(low);
    const high = await pods.candidate('web-high', 50);
    const next = await elected(high);
    expect(next.term).toBeGreaterThan(term);
    expect(low.said.filter(({ type }) => type === 'lost')).toMatchObject([{ term, reason: 'resigned' }]);
    low.tell({ type: 'campaign' });
    const middle = await pods.candidate('web-middle', 20);
    middle.tell({ type: 'campaign' });
    await until(async () => expect((await middle.status()).term).toBe(next.term));
    expect((await high.status()).isMaster).toBe(true);
  });
});

describe.each(CLIENTS)('a candidate that is no voter, in a process of its own, over %s', (client) => {
  beforeEach(() => {
    pods = new Pods(server.url, client);
  });

  /** Asked again and again until `end`: at no time was it master no more. */
  async function keeps(pod: Pod, term: number, end: Promise<unknown>): Promise<void> {
    let isOver = false;
    void end.finally(() => {
      isOver = true;
    });
    while (!isOver) expect(await pod.status()).toMatchObject({ isMaster: true, term });
    await end;
    expect(await pod.status()).toMatchObject({ isMaster: true, term });
    expect(pod.said.filter(({ type }) => type === 'lost')).toEqual([]);
  }

  it('keeps its mastership when the leader of the log dies', async () => {
    const voters = await pods.voters();
    const web = await pods.candidate('web-1');
    const { term } = await elected(web);
    const { leader } = await (voters[0] as Pod).status();
    const dead = voters.find(({ node }) => node === leader) as Pod;
    const rest = voters.filter((pod) => pod !== dead);
    await dead.kill();
    const replaced = until(async () => {
      const leaders = await Promise.all(rest.map(async (pod) => (await pod.status()).leader));
      expect(leaders.every((node) => node !== null && node !== dead.node)).toBe(true);
    });
    await keeps(web, term, replaced);
    // Renewed by the new one: longer than any lease of the old one lasts.
    const renewedFrom = performance.now();
    await keeps(
      web,
      term,
      until(() => expect(performance.now() - renewedFrom).toBeGreaterThan(1.5 * LEASE_MS)),
    );
  });

  it('keeps its mastership when NATS is started anew', async () => {
    await pods.voters();
    const web = await pods.candidate('web-1');
    const { term } = await elected(web);
    await server.restart();
    const back = until(async () => expect((await web.status()).isConnected).toBe(true));
    await keeps(web, term, back);
    const renewedFrom = performance.now();
    await keeps(
      web,
      term,
      until(() => expect(performance.now() - renewedFrom).toBeGreaterThan(1.5 * LEASE_MS)),
    );
  });
});
