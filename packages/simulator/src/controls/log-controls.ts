import { acceptorRules, learnerRules, proposerRules, recoveryRules } from '@synod/paxos';
import { type Ballot, compareBallots, type JournalRecord, type Message, NO_BALLOT, type Value } from '@synod/protocol';
import { leader, node } from '../explorer/bounds.ts';
import { after } from '../explorer/explore.ts';
import type { LogNodeBounds, LogPorts } from '../explorer/log-node.ts';
import { logPorts, logRules } from '../explorer/log-node.ts';
import { type LogBounds, LogWorld } from '../explorer/log-world.ts';
import { type Broken, rulesOf } from './broken.ts';
import type { Control, ExplorerEngine } from './control.ts';

const VOTERS = ['n1', 'n2', 'n3'];

const world = (nodes: readonly LogNodeBounds[], more: Partial<LogBounds> = {}): LogBounds => ({
  name: nodes.map(({ node }) => node).join(' '),
  voters: VOTERS,
  nodes,
  crashes: 0,
  network: 'any',
  rejects: false,
  words: 30,
  ...more,
});

interface BrokenLog extends Broken {
  readonly ports?: Partial<LogPorts>;
}

/** @param scene - What has happened before: see {@link after}. */
const explored = (bounds: LogBounds, broken: BrokenLog, scene: readonly RegExp[] = []): ExplorerEngine => ({
  kind: 'explorer',
  broken,
  world: () => {
    const rules = {
      ...logRules,
      acceptor: { ...acceptorRules, ...broken.acceptor },
      proposer: { ...proposerRules, ...broken.proposer },
      learner: { ...learnerRules, ...broken.learner },
      recovery: { ...recoveryRules, ...broken.recovery },
      ports: { ...logPorts, ...broken.ports },
    };
    return after(new LogWorld(bounds, rules), scene);
  },
  // How a promise is cut into pages is no rule.
  sound: () => {
    const pages = broken.ports?.pages ?? logPorts.pages;
    return after(new LogWorld(bounds, { ...logRules, ports: { ...logPorts, pages } }), scene);
  },
});

/** All ballots of a small world: for rules that look at a value of any of them. */
function* ballots(): Generator<Ballot> {
  for (let round = 5; round > 0; round--) {
    for (const nodeId of VOTERS)
      for (let life = 1; life < 4; life++) yield { round, nodeId, incarnation: `${nodeId}-${life}` };
  }
}

/** What is held of a slot at whatever ballot. */
const anyHeld = (held: (slot: number, ballot: Ballot) => Value | undefined) => (slot: number) => {
  for (const ballot of ballots()) {
    const value = held(slot, ballot);
    if (value) return value;
  }
  return undefined;
};

/** A record of which the first half was written. */
const halved = (record: JournalRecord): JournalRecord =>
  record.type === 'accepted' ? { ...record, value: record.value.slice(0, record.value.byteLength / 2) } : record;

/** One page for each slot, as a promise of long values is sent. */
const paged = (message: Message): readonly Message[] => {
  if (message.type !== 'promise' || message.to <= message.fromSlot) return [message];
  const { fromSlot, to, entries } = message;
  return Array.from({ length: to - fromSlot + 1 }, (_, i) => {
    const slot = fromSlot + i;
    return { ...message, fromSlot: slot, to: slot, entries: entries.filter((entry) => entry.slot === slot) };
  });
};

/** n1 leads by its own promise and that of `other`, and has proposed in slots 1 and 2. */
const leadsWithTwo = (other: string): readonly RegExp[] => [
  /^n1 wants to lead/,
  /^n1 hears prepare/,
  new RegExp(`^${other} hears prepare`),
  /^n1 hears promise/,
  /^n1 is asked/,
];

/** Both slots are chosen by n1 and the other; the third node has heard of nothing. */
const chosenTwice = (other: string): readonly RegExp[] => [
  ...leadsWithTwo(other),
  ...[1, 2].flatMap((slot) => [
    new RegExp(`^n1 hears accept .* slot ${slot}`),
    new RegExp(`^${other} hears accept .* slot ${slot}`),
    new RegExp(`^n1 hears accepted .* slot ${slot}`),
  ]),
];

const duel = world([leader('n1'), leader('n2'), node('n3')]);

/** What was promised is all that an acceptance leaves. */
const promisesNothing: Broken = {
  acceptor: {
    accept(state, store, message, draft) {
      const { promised } = state;
      acceptorRules.accept(state, store, message, draft);
      state.promised = promised;
    },
  },
};

const recoversByPromisesAlone: Broken = {
  recovery: {
    recover(records) {
      const recovered = recoveryRules.recover(records);
      const promises = records.flatMap((record) => (record.type === 'promised' ? [record.ballot] : []));
      recovered.acceptor.promised = promises.sort(compareBallots).at(-1) ?? NO_BALLOT;
      return recovered;
    },
  },
};

/** Broken rules of the log (section 2), each with the smallest world that shows what comes of it. */
export const logControls: readonly Control[] = [
  {
    name: 'replies-counted',
    rule: 'section 2, "voters are counted in a set of ids"',
    sentence: 'A voter that answers twice counts twice.',
    engines: [
      explored(world([leader('n1'), node('n2'), node('n3')]), {
        proposer: {
          noteAccepted(state, input, message, out) {
            const open = state.open.get(message.slot);
            const other = open?.voters.has(message.from)
              ? [...input.quorum.voters].find((id) => !open.voters.has(id))
              : undefined;
            proposerRules.noteAccepted(state, input, { ...message, from: other ?? message.from }, out);
          },
        },
      }),
    ],
    finds: /B3|agreement/,
  },
  {
    name: 'replies-counted-by-a-learner',
    rule: 'N4, "counted in a set of voters"',
    sentence: 'A voter that answers twice counts twice at the learner that waits.',
    engines: [
      explored(world([leader('n1', { tells: 'n3' }), node('n2'), node('n3')]), {
        learner: {
          accepted(state, input, message, out) {
            const votes = state.votes.get(message.slot);
            const other = votes?.voters.has(message.from)
              ? [...input.quorum.voters].find((id) => !votes.voters.has(id))
              : undefined;
            learnerRules.accepted(state, input, { ...message, from: other ?? message.from }, out);
          },
        },
      }),
    ],
    finds: /B3|agreement/,
  },
  {
    name: 'ballots-mixed-by-a-learner',
    rule: 'N4, "of one ballot"',
    sentence: 'The learner that waits counts answers to different ballots together.',
    engines: [
      explored(world([leader('n1', { tells: 'n3' }), leader('n2', { tells: 'n3' }), node('n3')]), {
        learner: {
          accepted(state, input, message, out) {
            const ballot = state.votes.get(message.slot)?.ballot ?? message.ballot;
            learnerRules.accepted(state, input, { ...message, ballot }, out);
          },
        },
      }),
    ],
    finds: /B3|S1|agreement/,
  },
  {
    name: 'old-ballots-counted',
    rule: 'B4',
    sentence: 'An answer to an older ballot counts for the present one.',
    engines: [
      explored(world([leader('n1', { ballots: 2, commands: 2 }), leader('n2'), node('n3')]), {
        proposer: {
          noteAccepted: (state, input, message, out) =>
            proposerRules.noteAccepted(state, input, { ...message, ballot: state.ballot }, out),
        },
      }),
    ],
    finds: /B3|S1/,
  },
  {
    name: 'promise-forgotten',
    rule: 'P2',
    sentence: 'An Accept below the promise is accepted.',
    engines: [
      explored(
        { ...duel, keepsAll: true },
        {
          acceptor: {
            accept(state, store, message, draft) {
              state.promised = message.ballot;
              acceptorRules.accept(state, store, message, draft);
            },
          },
        },
      ),
    ],
    finds: /P1|S1|agreement|promises/,
  },
  {
    name: 'acceptance-is-no-promise',
    rule: 'P2, "promised := b"',
    sentence: 'An acceptor that accepts at a ballot it was not asked to promise still answers lower ones.',
    engines: [{ kind: 'seeds', seed: 326, rules: () => rulesOf(promisesNothing) }],
    finds: /promises are kept across crashes/,
  },
  {
    name: 'recovers-by-promises-alone',
    rule: 'P2, P5',
    sentence: 'A restarted acceptor has promised what its journal says it promised, and not what it says it accepted.',
    engines: [
      explored(
        world([leader('n1'), leader('n2'), node('n3', { crashes: true })], { crashes: 1, keepsAll: true }),
        recoversByPromisesAlone,
      ),
    ],
    finds: /P1|P2|S1/,
  },
  {
    name: 'promise-before-flush',
    rule: 'P3',
    sentence: 'Replies leave before the flush that holds what they say, and a crash loses it.',
    engines: [
      explored(world([leader('n1'), leader('n2'), node('n3', { crashes: true })], { crashes: 1, keepsAll: true }), {
        ports: { early: (replies) => replies },
      }),
    ],
    finds: /P1|S1/,
  },
  {
    name: 'torn-record-accepted',
    rule: 'P5',
    sentence: 'A record of which a part was written counts as written.',
    engines: [
      explored(world([leader('n1'), leader('n2'), node('n3', { crashes: true })], { crashes: 1 }), {
        ports: { readBack: (whole, torn) => (torn ? [...whole, halved(torn)] : whole) },
      }),
    ],
    finds: /S1|B2/,
  },
  {
    name: 'value-of-another-ballot',
    rule: 'B3',
    sentence: 'A learner takes the value it holds, at whatever ballot it was accepted.',
    engines: [
      explored(world([leader('n1'), leader('n2'), node('n3', { learns: true })]), {
        learner: {
          chosen: (state, input, message, out) => {
            const held = anyHeld(input.held);
            learnerRules.chosen(state, { ...input, held: (slot) => held(slot) }, message, out);
          },
        },
      }),
    ],
    finds: /S1|B3/,
  },
  {
    name: 'accepted-taken-as-learned',
    rule: 'N2',
    sentence: 'A fetch is answered with what was merely accepted.',
    engines: [
      explored(world([leader('n1'), node('n2'), node('n3', { learns: true, fetches: 1 })]), {
        learner: {
          answer(state, input, message, out) {
            const slot = message.fromSlot;
            const value = anyHeld(input.held)(slot);
            if (value === undefined || state.learned.has(slot)) return learnerRules.answer(state, input, message, out);
            const entries = [{ slot, value }];
            out.push({
              type: 'send',
              to: message.from,
              message: { type: 'learned', entries, learnedThrough: state.through },
            });
          },
        },
      }),
    ],
    finds: /B3, N2|S1/,
  },
  {
    name: 'two-incarnations-one-id',
    rule: 'I1, section 2 "ballot"',
    sentence: 'Two processes live under one node id, and their ballots do not tell which of them speaks.',
    engines: [
      explored(world([node('n1'), leader('n2'), node('n3'), leader('n2', { votes: false })], { keepsAll: true }), {
        ports: { incarnation: (process) => process.replace('x', '') },
      }),
    ],
    finds: /B2|S1/,
  },
  {
    name: 'window-as-a-count',
    rule: 'B3',
    sentence: 'Slots are proposed while fewer than 32 are open, however far the oldest lies back.',
    engines: [
      explored(
        world([leader('n1', { commands: 36, slots: 100 })], { voters: ['n1'], network: 1 }),
        {
          proposer: {
            propose(state, input, out) {
              const { learnedThrough } = state;
              state.learnedThrough = Math.max(learnedThrough, state.nextSlot - 1 - state.open.size);
              proposerRules.propose(state, input, out);
              state.learnedThrough = learnedThrough;
            },
          },
        },
        [/wants to lead/, /hears prepare/, /hears promise/, /^lost: accept/],
      ),
    ],
    finds: /B3 the window is a distance/,
  },
  {
    name: 'same-ballot-again',
    rule: 'B2',
    sentence: 'Who prepares again does so with the ballot it had, and proposes a second value at it.',
    engines: [
      explored(
        world([leader('n1', { ballots: 2, commands: 2 }), leader('n2', { commands: 0 }), node('n3')], {
          keepsAll: true,
        }),
        {
          proposer: {
            prepare(state, input, out) {
              state.round = 0;
              proposerRules.prepare(state, input, out);
            },
          },
        },
      ),
    ],
    finds: /B2/,
  },
  {
    name: 'accepted-values-ignored',
    rule: 'B2',
    sentence: 'A new leader does not propose again what promises tell of.',
    engines: [
      explored(duel, {
        proposer: {
          notePromise: (state, input, message) => proposerRules.notePromise(state, input, { ...message, entries: [] }),
        },
      }),
    ],
    finds: /S1/,
  },
  {
    name: 'prepares-over-trimmed-slots',
    rule: 'B2, P4',
    sentence: 'A fresh learner that prepares proposes in slots that its voters have trimmed.',
    engines: [
      explored(world([leader('n1', { checkpoints: 1 }), node('n2'), leader('n3')]), {
        proposer: {
          base: () => 0,
          notePromise: (state, input, message) =>
            proposerRules.notePromise(state, input, { ...message, trimmedThrough: 0, chosenThrough: 0, lastSlot: 0 }),
        },
      }),
    ],
    finds: /S1/,
  },
  {
    name: 'pages-straddle-a-trim',
    rule: 'P4',
    sentence: 'A promise whose pages stand before and after a trim counts by the trimmedThrough of its first page.',
    engines: [
      explored(
        world([leader('n1', { checkpoints: 1, commands: 2, slots: 2 }), node('n2'), leader('n3', { slots: 3 })]),
        {
          ports: { pages: paged },
          proposer: {
            notePromise(state, input, message) {
              const isFirst = !state.pages.has(message.from);
              proposerRules.notePromise(
                state,
                input,
                isFirst ? message : { ...message, trimmedThrough: 0, chosenThrough: 0 },
              );
            },
          },
        },
        chosenTwice('n2'),
      ),
    ],
    finds: /S1/,
  },
  {
    name: 'starts-above-a-hole',
    rule: 'B2',
    sentence: 'A learner with a hole prepares from above it, and fills the hole with what it does not know of.',
    engines: [
      explored(
        world([leader('n1', { commands: 2, slots: 2 }), leader('n2', { learns: true, slots: 0 }), node('n3')]),
        {
          proposer: {
            prepare(state, input, out) {
              const { learnedThrough } = state;
              state.learnedThrough = state.known;
              proposerRules.prepare(state, input, out);
              state.learnedThrough = learnedThrough;
            },
          },
        },
        chosenTwice('n3'),
      ),
    ],
    finds: /S1/,
  },
  {
    name: 'hole-skipped',
    rule: 'N1',
    sentence: 'A learner with a hole applies what lies above it.',
    engines: [
      explored(world([leader('n1', { commands: 2, slots: 2 }), node('n2', { learns: true }), node('n3')]), {
        learner: {
          applyInOrder(state, out) {
            for (const [slot, value] of state.learned) {
              if (slot <= state.through) continue;
              state.through = slot;
              out.push({ type: 'apply', slot, value });
            }
          },
        },
      }),
    ],
    finds: /N1/,
  },
  {
    name: 'wiped-voter-votes',
    rule: 'I2',
    sentence: 'A store that was emptied votes under the name of the one it was.',
    engines: [
      explored(world([leader('n1'), leader('n2'), node('n3')], { wipes: 1 }), { ports: { admits: () => true } }),
    ],
    finds: /S1/,
  },
];
