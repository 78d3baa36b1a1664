import {
  type Ballot,
  type Configuration,
  compareBallots,
  configurationDigest,
  type JournalRecord,
  quorumSystemOf,
  type Value,
} from '@synod/protocol';
import type { Invariant } from './invariant.ts';

/**
 * No slot is ever chosen with two values; what a node takes for chosen is.
 *
 * The truth is counted from outside: a value is chosen when an accept quorum of stores holds it durably, accepted at one
 * ballot. What nodes say or write of chosen slots is compared with that, so that a node which believes too early is found
 * although no other value was chosen later.
 */
export const agreement: Invariant = {
  name: 'agreement per slot',
  source: 'S1 and B3, protocol.md sections 1 and 2; Paxos Made Simple §2.1',
  watch: ({ isOutcast }, fail) => {
    const configurations = new Map<string, Configuration>();
    const slots = new Map<number, Slot>();
    const slotOf = (slot: number): Slot => {
      let found = slots.get(slot);
      if (!found) {
        found = { ballots: [], chosen: null };
        slots.set(slot, found);
      }
      return found;
    };

    const accept = (storeId: string, { slot, ballot, value }: JournalRecord & { type: 'accepted' }): void => {
      if (isOutcast(storeId)) return;
      const known = slotOf(slot);
      let votes = votesAt(known, ballot);
      if (!votes) {
        votes = { ballot, value, stores: new Set() };
        known.ballots.push(votes);
      }
      if (!isSame(votes.value, value))
        fail(`B2: slot ${slot} was proposed with two values at ballot ${inWords(ballot)}`);
      votes.stores.add(storeId);
      if (known.chosen === votes.value || !hasQuorum(configurations.values(), votes.stores)) return;
      if (known.chosen !== null && !isSame(known.chosen, value)) fail(`slot ${slot} was chosen with two values`);
      known.chosen ??= value;
    };

    return {
      durable: (_machine, storeId, record) => {
        if (record.type === 'accepted') accept(storeId, record);
        else if (record.type === 'kept') {
          configurations.set(configurationDigest(record.configuration), record.configuration);
        }
      },
      recovered: (life, { learned }) => {
        for (const [slot, value] of learned) {
          const { chosen } = slotOf(slot);
          if (chosen === null || !isSame(chosen, value))
            fail(`${life.node} comes back with a value of slot ${slot} that is not chosen (B3, P5)`);
        }
      },
      noted: (life, record) => {
        if (record.type === 'learned') {
          const { chosen } = slotOf(record.slot);
          if (chosen === null) fail(`${life.node} takes slot ${record.slot} for chosen, which it is not (N2)`);
          else if (!isSame(chosen, record.value)) fail(`${life.node} learned another value of slot ${record.slot}`);
        } else if (record.type === 'chosen') {
          const known = slotOf(record.slot);
          const { chosen } = known;
          const held = votesAt(known, record.ballot);
          if (chosen === null) fail(`${life.node} takes slot ${record.slot} for chosen, which it is not (B3)`);
          else if (!held || !isSame(chosen, held.value)) fail(`${life.node} took a value of another ballot (B3)`);
        }
      },
      said: (life, _address, message) => {
        if (message.type === 'chosen') {
          const { chosen } = slotOf(message.slot);
          if (chosen === null) fail(`${life.node} says that slot ${message.slot} is chosen, which it is not (B3)`);
        } else if (message.type === 'learned') {
          for (const { slot, value } of message.entries) {
            const { chosen } = slotOf(slot);
            if (chosen === null || !isSame(chosen, value))
              fail(`${life.node} tells a value of slot ${slot} not chosen`);
          }
        }
      },
    };
  },
};

interface Slot {
  /** One or two, mostly. */
  readonly ballots: Votes[];
  chosen: Value | null;
}

interface Votes {
  readonly ballot: Ballot;
  readonly value: Value;
  readonly stores: Set<string>;
}

const votesAt = ({ ballots }: Slot, ballot: Ballot): Votes | undefined => {
  for (let i = 0; i < ballots.length; i++) {
    const votes = ballots[i] as Votes;
    if (compareBallots(votes.ballot, ballot) === 0) return votes;
  }
  return undefined;
};

const inWords = ({ round, nodeId, incarnation }: Ballot): string => `${round}.${nodeId}.${incarnation}`;

function hasQuorum(configurations: Iterable<Configuration>, stores: ReadonlySet<string>): boolean {
  for (const configuration of configurations) {
    const { voters } = configuration;
    const nodes = voters.filter(({ storeId }) => stores.has(storeId)).map(({ node }) => node);
    if (quorumSystemOf(configuration).isAcceptQuorum(new Set(nodes))) return true;
  }
  return false;
}

export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true;
  if (a.byteLength !== b.byteLength) return false;
  for (let i = 0; i < a.byteLength; i++) if (a[i] !== b[i]) return false;
  return true;
}
