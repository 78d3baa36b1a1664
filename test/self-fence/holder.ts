// Run as a process of its own: `holder.ts <nats url> <journal> <notify | abort> <what it does as master>`.
import { connect } from '@nats-io/transport-node';
import { type JoinOptions, join, type Mastership } from 'synod';

const [servers = '', journal = '', onOverrun, deed = ''] = process.argv.slice(2);
/** A lease that is to end in order is long: the watchdog lets a timer be late by a hundredth of it. */
const leaseMs = deed === 'hold' ? 3000 : 300;

const say = (fact: object): void => console.log(JSON.stringify(fact));
const nowNs = (): bigint => process.hrtime.bigint();

/** Keeps the main thread from everything. */
function block(ms: number): void {
  const endsAtMs = performance.now() + ms;
  while (performance.now() < endsAtMs);
}

const over = (mastership: Mastership): Promise<void> =>
  new Promise((resolve) => mastership.signal.addEventListener('abort', () => resolve()));

const deeds: Record<string, (mastership: Mastership) => Promise<void> | void> = {
  /** For longer than its lease. */
  stick: () => block(3 * leaseMs),
  /** Often, but each time for less than its lease. */
  stutter: async () => {
    for (let time = 0; time < 10; time++) {
      block(leaseMs / 4);
      await new Promise((resolve) => setTimeout(resolve, leaseMs / 4));
    }
  },
  'resign-then-stick': async (mastership) => {
    await mastership.resign();
    setImmediate(() => {
      block(3 * leaseMs);
      say({ event: 'went on' });
    });
  },
  /** It is told to stop, and does so for longer than its lease. */
  'stick-while-it-resigns': async (mastership) => {
    void mastership.resign();
    await new Promise((resolve) => setTimeout(resolve, 10));
    block(3 * leaseMs);
  },
  /** As it, for half of it. */
  'stop-slowly': async (mastership) => {
    void mastership.resign();
    await new Promise((resolve) => setTimeout(resolve, 10));
    block(leaseMs / 2);
  },
  /** Until its lease ends, because NATS is gone. */
  hold: over,
};

const nats = await connect({ servers, maxReconnectAttempts: -1, reconnectTimeWait: 20 });
// Two voters: without NATS there is no quorum, and the lease ends.
const voters = ['n1', 'n2'];
const joinAs = (node: string, more: Partial<JoinOptions> = {}) =>
  join(nats, {
    group: 'orders',
    node,
    membership: { role: 'member', voters, journal: `${journal}/${node}` },
    leaseMs,
    ...more,
  });
const [group, other] = await Promise.all([
  joinAs('n1', onOverrun === 'abort' || onOverrun === 'notify' ? { onOverrun } : {}),
  joinAs('n2'),
]);
const ending = new AbortController();
group.addEventListener('lost', ({ detail }) => {
  say({ event: 'lost', lostBy: detail.lostBy });
  ending.abort();
});
const work = deeds[deed] as (mastership: Mastership) => Promise<void> | void;
await group.election().runWhileMaster(
  async (mastership) => {
    const untilNs = nowNs() + BigInt(Math.round(mastership.remainingMs() * 1e6));
    say({ event: 'master', untilNs: String(untilNs) });
    await work(mastership);
  },
  { signal: ending.signal },
);
say({ event: 'went on' });
await group.close();
await other.close();
await nats.close();
