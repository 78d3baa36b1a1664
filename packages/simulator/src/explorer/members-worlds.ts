import type { Change, Voter } from '@synod/paxos/internal';
import type { MembersBounds } from './members-bounds.ts';

// Small worlds in which the members change: explored whole, and handed broken rules.

const store = (node: string, storeId = node): Voter => ({ node, storeId });

const [n1, n2, n3, n4, n5] = [store('n1'), store('n2'), store('n3'), store('n4'), store('n5')];
/** n3 comes back with an empty folder. */
const n3New = store('n3', 'new');

const three = [n1, n2, n3];
const replaces = (learner: Voter): Change => ({ type: 'replace', voter: n3, learner, follows: 0 });

/** A world, and what has happened before: see {@link after}. */
export interface MembersScene {
  readonly bounds: MembersBounds;
  readonly scene: readonly RegExp[];
}

const leads = (leader: string, other: string, ballot = 1): readonly RegExp[] => [
  new RegExp(`^${leader} prepares`),
  ...[leader, other].map((name) => new RegExp(`^${name} promises ballot ${ballot}`)),
  new RegExp(`^${leader} leads by`),
];

/** Of three voters two are removed: n3 leads with n2, and n1 has a higher ballot. */
export const twoRemoved: MembersScene = {
  bounds: {
    name: 'two removed',
    voters: three,
    distance: 1,
    slots: 3,
    changes: [
      { type: 'remove', voter: n1, follows: 0 },
      { type: 'remove', voter: n2, follows: 1 },
    ],
    changers: [n3],
    ballots: [n3, n1],
    learn: [n1, n3],
  },
  scene: leads('n3', 'n2'),
};

/** n1 leads by its own promise and that of n2, which has accepted both removals; nobody but n3 knows that they are chosen. */
export const learnsTwoRemovals: MembersScene = {
  ...twoRemoved,
  scene: [
    ...twoRemoved.scene,
    /^n3 proposes a change in slot 1/,
    /^n2 accepts slot 1/,
    /^n3 accepts slot 1/,
    /^n3 learns slot 1/,
    /^n3 proposes a change in slot 2/,
    /^n2 accepts slot 2/,
    /^n3 accepts slot 2/,
    ...leads('n1', 'n2', 2),
  ],
};

/**
 * Two stores come in, one after the other: n3 has prepared anew for each, and leads all five with a quorum that n1 and n2 are not
 * of. n1 leads with n2 and a higher ballot, and knows of nothing yet.
 */
export const learnsTwoPromotions: MembersScene = {
  bounds: {
    name: 'two promoted',
    voters: three,
    learners: [n4, n5],
    distance: 1,
    slots: 3,
    changes: [
      { type: 'promote', learner: n4, follows: 0 },
      { type: 'promote', learner: n5, follows: 1 },
    ],
    changers: [n3],
    ballots: [n3, n3, n3, n1],
    learn: [n1, n3, n4, n5],
  },
  scene: [
    ...leads('n3', 'n2'),
    /^n3 proposes a change in slot 1/,
    /^n2 accepts slot 1/,
    /^n3 accepts slot 1/,
    /^n3 learns slot 1/,
    /^n4 learns slot 1/,
    /^n3 prepares/,
    /^n2 promises ballot 2/,
    /^n3 promises ballot 2/,
    /^n4 promises ballot 2/,
    /^n3 leads by/,
    /^n3 proposes a change in slot 2/,
    ...['n2', 'n3', 'n4'].map((name) => new RegExp(`^${name} accepts slot 2`)),
    /^n3 learns slot 2/,
    /^n5 learns slot 1/,
    /^n5 learns slot 2/,
    /^n3 prepares/,
    ...['n3', 'n4', 'n5'].map((name) => new RegExp(`^${name} promises ballot 3`)),
    /^n3 leads by/,
    ...leads('n1', 'n2', 4),
  ],
};

/** The change in slot 1 is chosen by n2 and n3, and n2 knows. */
const changeChosen: readonly RegExp[] = [
  ...leads('n2', 'n3'),
  /^n2 proposes a change in slot 1/,
  /^n2 accepts slot 1/,
  /^n3 accepts slot 1/,
  /^n2 learns slot 1/,
];

/** n3 is replaced by n4; n2 leads, and n1 has a higher ballot. */
export const replaced: MembersScene = {
  bounds: {
    name: 'replaced',
    voters: three,
    learners: [n4],
    distance: 1,
    slots: 2,
    changes: [replaces(n4)],
    changers: [n2],
    ballots: [n2, n2, n1],
    learn: [n1, n2, n4],
  },
  scene: changeChosen,
};

/** The same, and n4 is the node that was n3, with another folder. */
export const replacedStore: MembersScene = {
  bounds: {
    ...replaced.bounds,
    name: 'replaced store',
    learners: [n3New],
    changes: [replaces(n3New)],
    learn: [n1, n2, n3New],
  },
  scene: replaced.scene,
};

/** A change takes effect two slots later, so that a slot of the old configuration is open when it is learned. */
export const twoSlotsLater: MembersScene = {
  bounds: { ...replaced.bounds, name: 'two slots later', distance: 2, slots: 2, ballots: [n2, n1] },
  scene: [
    ...leads('n2', 'n3'),
    /^n2 proposes a change in slot 1/,
    /^n2 proposes a change in slot 2/,
    /^n2 accepts slot 1/,
    /^n3 accepts slot 1/,
  ],
};

/** The same with a slot of the new configuration, and n1 knows of the change; snapshots carry what is pending. */
export const pending: MembersScene = {
  bounds: { ...twoSlotsLater.bounds, name: 'pending', slots: 3, snapshots: true },
  scene: [...twoSlotsLater.scene, /^n2 accepts slot 2/, /^n1 learns slot 1/, /^n4 learns slot 1/],
};

/** n3 is replaced, and n1 may die: those that are left must be able to go on. */
export const goesOn: MembersScene = {
  bounds: {
    name: 'goes on',
    voters: three,
    learners: [n4],
    distance: 2,
    slots: 2,
    changes: [replaces(n4)],
    changers: [n2],
    ballots: [n2],
    learn: [n2, n3, n4],
    mortal: [n1],
    mustGoOn: true,
  },
  scene: [],
};

/** The one that is replaced leads. */
export const removedLeads: MembersScene = {
  bounds: { ...goesOn.bounds, name: 'removed leads', changers: [n3], ballots: [n3] },
  scene: [],
};

/** What was learned and not saved may be forgotten once. */
export const forgets: MembersScene = {
  bounds: {
    ...goesOn.bounds,
    name: 'forgets',
    distance: 1,
    slots: 1,
    learn: [...three, n4],
    mortal: [n1, n2],
    restarts: 1,
  },
  scene: [],
};

/** Twice, and any of them may die. */
export const forgetsTwice: MembersScene = {
  bounds: { ...forgets.bounds, name: 'forgets twice', mortal: [...three, n4], restarts: 2 },
  scene: [],
};
