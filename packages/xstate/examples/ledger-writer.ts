// One replica of a service that writes a ledger: NATS_URL=nats://127.0.0.1:4222 node ledger-writer.ts n1 n1,n2,n3
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '@nats-io/transport-node';
import { join } from 'synod';
import { createActor } from 'xstate';
import { ledgerWriter, type Write } from './ledger-writer.machine.ts';

const [node = 'n1', voters = node] = process.argv.slice(2);
const nats = await connect({ servers: process.env['NATS_URL'] ?? 'nats://127.0.0.1:4222', maxReconnectAttempts: -1 });
const group = await join(nats, {
  group: 'ledger',
  node,
  membership: { role: 'member', voters: voters.split(','), journal: `./journal-${node}` },
  leaseMs: 1000,
});

const write: Write = async (mastership, signal) => {
  while (!signal.aborted) {
    // The term goes with each write; what guards the ledger refuses a lower one.
    await mastership.run(async (term) => console.log(`${node} writes with term ${term}`));
    await sleep(500, undefined, { signal });
  }
};

const writer = createActor(ledgerWriter(group.election(), write));
writer.subscribe(({ value, context }) => console.log(`${node} is ${value}, master: ${context.master ?? 'nobody'}`));
writer.start();

process.once('SIGINT', async () => {
  await group.close(); // Hands over first; then the writer is done.
  await nats.close();
});
