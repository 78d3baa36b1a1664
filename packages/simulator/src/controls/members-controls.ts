import { dutyRules, eraOf, membershipRules, newestEra, quorumOf, voterId } from '@synod/paxos/internal';
import { after } from '../explorer/explore.ts';
import { isVoter } from '../explorer/members-bounds.ts';
import { type MembersRules, membersPorts, membersRules } from '../explorer/members-node.ts';
import { MembersWorld } from '../explorer/members-world.ts';
import {
  forgets,
  goesOn,
  learnsTwoPromotions,
  learnsTwoRemovals,
  type MembersScene,
  pending,
  replaced,
  replacedStore,
  twoSlotsLater,
} from '../explorer/members-worlds.ts';
import type { Control, ExplorerEngine } from './control.ts';

type BrokenMembers = { readonly [K in 'membership' | 'duties' | 'ports']?: Partial<MembersRules[K]> };

/** The machines know nothing of these rules yet: whole groups cannot be handed them. */
const explored = ({ bounds, scene }: MembersScene, broken: BrokenMembers): ExplorerEngine => ({
  kind: 'explorer',
  broken: {},
  world: () => {
    const rules = {
      ...membersRules,
      membership: { ...membershipRules, ...broken.membership },
      duties: { ...dutyRules, ...broken.duties },
      ports: { ...membersPorts, ...broken.ports },
    };
    return after(new MembersWorld(bounds, rules), scene);
  },
  sound: () => after(new MembersWorld(bounds), scene),
});

/** Leads on by the promises it has: those of an earlier configuration of the group will do. */
const preparedOnce: BrokenMembers = {
  duties: {
    mayPropose: ({ eras }, promised, slot) =>
      eras.some((era) => era.from <= slot && quorumOf(era).isPrepareQuorum(promised)),
  },
};

/** Broken rules of a change of the members (section 8), each with the smallest world that shows what comes of it. */
export const membersControls: readonly Control[] = [
  {
    name: 'two-changes-while-leading',
    rule: 'section 8, "promises at its ballot from a prepare quorum of C"',
    sentence: 'A leader that learns of two changes leads on by the promises of the configuration it began in.',
    engines: [explored(learnsTwoRemovals, preparedOnce), explored(learnsTwoPromotions, preparedOnce)],
    finds: /S1/,
  },
  {
    name: 'replaced-while-leading',
    rule: 'section 8, "promises at its ballot from a prepare quorum of C"',
    sentence: 'A leader that learns that a voter was replaced leads on by the promises it has.',
    engines: [explored(replaced, preparedOnce)],
    finds: /S1/,
  },
  {
    name: 'prepares-by-the-newest-alone',
    rule: 'section 8, "in a slot of configuration C"',
    sentence: 'A leader that knows of a change prepares by it alone, and fills slots before it.',
    engines: [
      explored(twoSlotsLater, {
        duties: { mayPropose: (state, promised) => quorumOf(newestEra(state)).isPrepareQuorum(promised) },
      }),
    ],
    finds: /S1/,
  },
  {
    name: 'promises-of-a-node',
    rule: 'I2, "a voter is (node, storeId)"',
    sentence: 'Promises are counted by nodes, and one of them has come back with another folder.',
    engines: [
      explored(replacedStore, {
        duties: {
          mayPropose(state, promised, slot) {
            const nodes = new Set([...promised].map((id) => id.split('/')[0]));
            const era = eraOf(state, slot);
            const voters = era.configuration.voters.filter(({ node }) => nodes.has(node));
            return quorumOf(era).isPrepareQuorum(new Set(voters.map(voterId)));
          },
        },
      }),
    ],
    finds: /S1/,
  },
  {
    name: 'in-force-at-once',
    rule: 'section 8, "takes effect at slot s + 32"',
    sentence: 'A change takes effect in the next slot, in which others propose that cannot know of it yet.',
    engines: [explored(twoSlotsLater, { membership: { inForceFrom: (_, slot) => slot + 1 } })],
    finds: /two configurations/,
  },
  {
    name: 'snapshot-without-the-pending-change',
    rule: 'P6, "the configuration with any pending change and its slot"',
    sentence: 'A snapshot holds the configuration in force, and not the one to come.',
    engines: [
      explored(pending, {
        ports: {
          snapshot: (state) => ({ ...state, eras: state.eras.filter(({ from }) => from <= state.through + 1) }),
        },
      }),
    ],
    finds: /two configurations/,
  },
  {
    name: 'counts-by-the-former-configuration',
    rule: 'section 8',
    sentence: 'In the first slot of a configuration acceptances are counted by the one before.',
    engines: [
      explored(replaced, {
        duties: {
          isDecided: (state, accepted, slot) => quorumOf(eraOf(state, Math.max(1, slot - 1))).isAcceptQuorum(accepted),
        },
      }),
    ],
    finds: /B3|S1/,
  },
  {
    name: 'removed-voter-falls-silent',
    rule: 'section 8, "while any slot it has not applied lies in a configuration that holds it"',
    sentence: 'A removed voter answers no more when it learns that it is removed, before the change is in force.',
    engines: [
      explored(goesOn, {
        duties: {
          answers: (state, self) => newestEra(state).configuration.voters.some((other) => isVoter(other, self)),
        },
      }),
    ],
    finds: /stuck for ever/,
  },
  {
    name: 'removed-voter-serves-no-more',
    rule: 'section 8, "serves catch-up until a majority of the new configuration has applied s + 31"',
    sentence: 'A removed voter is switched off as soon as it has applied every slot it voted in.',
    engines: [explored(goesOn, { duties: { isRelieved: (state, self) => !dutyRules.answers(state, self) } })],
    finds: /stuck for ever/,
  },
  {
    name: 'relieved-by-what-a-crash-undoes',
    rule: 'section 8, P3',
    sentence: 'A store says that it has applied what a crash makes it forget, and who is removed goes by that.',
    engines: [explored(forgets, { ports: { saysApplied: ({ values }) => values.length } })],
    finds: /stuck for ever/,
  },
  {
    name: 'nobody-fills',
    rule: 'section 8, "the leader fills with no-ops until then"',
    sentence: 'A leader waits for commands, and a change that is chosen waits with it.',
    engines: [explored(goesOn, { duties: { fillThrough: () => 0 } })],
    finds: /stuck for ever/,
  },
];
