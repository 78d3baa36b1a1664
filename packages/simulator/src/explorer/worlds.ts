import { DRIFT, fast, leader, node, slow } from './bounds.ts';
import { after, type Model } from './explore.ts';
import { type FormationBounds, FormationWorld } from './formation-world.ts';
import type { CandidateBounds, LeaseBounds } from './lease-node.ts';
import { LeaseWorld } from './lease-world.ts';
import type { LogNodeBounds } from './log-node.ts';
import { type LogBounds, LogWorld } from './log-world.ts';
import { MembersWorld } from './members-world.ts';
import * as changing from './members-worlds.ts';

/** How much is explored: `small` in every test run, `full` when there is a minute or two. */
export type Bounds = 'small' | 'full';

/** A world that is explored whole, by the rules of production. */
export interface World {
  readonly name: string;
  /** What may happen in it, in words. */
  readonly bounds: string;
  readonly isSmall: boolean;
  readonly model: () => Model;
}

const log = (name: string, nodes: readonly LogNodeBounds[], more: Partial<LogBounds> = {}) =>
  new LogWorld({
    name,
    voters: ['n1', 'n2', 'n3'],
    nodes,
    crashes: 0,
    network: 'any',
    rejects: false,
    words: 30,
    ...more,
  });

/** ρ = 20 %, steps of a quarter of the lease: at this ρ the deadline and the wait fall on the same step, with nothing to spare. */
const lease = (name: string, candidates: readonly CandidateBounds[], more: Partial<LeaseBounds> = {}) =>
  new LeaseWorld({
    name,
    candidates,
    elections: ['group'],
    drift: DRIFT,
    tickMs: 25,
    log: 4,
    ...more,
  });

const formation = (name: string, more: Partial<FormationBounds> = {}) =>
  new FormationWorld({ name, voters: ['n1', 'n2', 'n3'], wipes: 0, askings: 1, ...more });

const members = ({ bounds, scene }: changing.MembersScene) => after(new MembersWorld(bounds), scene);

/** n1 leads by its own promise and that of n2. */
const n1Leads = [/^n1 wants to lead/, /^n1 hears prepare/, /^n2 hears prepare/, /^n1 hears promise/];

/** a is master, and b knows. */
const aHolds = [/^a asks for/, /^a-1.* is chosen/, /^a learns/, /^b learns/];

/** The taking of b, who stands by, is chosen while a holds: it opens a session that is of no use. */
const heirTooEarly = [/^b stands by/, /^b-1.* is chosen/, /^b learns/, /^a learns/];

const small = (name: string, bounds: string, model: () => Model): World => ({ name, bounds, isSmall: true, model });
const full = (name: string, bounds: string, model: () => Model): World => ({ name, bounds, isSmall: false, model });

/** Every world that is explored; what they leave out is in the README. */
export const worlds: readonly World[] = [
  small('duel', 'two proposers, a ballot each, three acceptors', () =>
    log('duel', [leader('n1'), leader('n2'), node('n3')]),
  ),
  small('twice', 'one proposer, two ballots, two commands', () =>
    log('twice', [leader('n1', { ballots: 2, commands: 2 }), node('n2'), node('n3')]),
  ),
  small('acceptor crashes', 'the duel, and one crash of an acceptor at any line', () =>
    log('acceptor crashes', [leader('n1'), leader('n2'), node('n3', { crashes: true })], { crashes: 1 }),
  ),
  full('anybody crashes', 'the duel, and one crash of any node at any line', () =>
    log(
      'anybody crashes',
      [leader('n1', { crashes: true }), leader('n2', { crashes: true }), node('n3', { crashes: true })],
      { crashes: 1 },
    ),
  ),
  full('rejects', 'the duel, with Reject', () =>
    log('rejects', [leader('n1'), leader('n2'), node('n3')], { rejects: true }),
  ),
  full('learners', 'the duel, and proposers that hear what is chosen', () =>
    log('learners', [leader('n1', { learns: true }), leader('n2', { learns: true }), node('n3')]),
  ),
  small('told by acceptors', 'the duel, and a learner that is told by the acceptors of both and counts', () =>
    log('told by acceptors', [leader('n1', { tells: 'n3' }), leader('n2', { tells: 'n3' }), node('n3')]),
  ),
  full(
    'three ballots',
    'n1 leads and its own vote is cast, n2 has promised itself; then on, and another ballot of n1',
    () =>
      after(log('three ballots', [leader('n1', { ballots: 2 }), leader('n2'), node('n3')]), [
        ...n1Leads,
        /^n1 hears accept/,
        /^n2 wants to lead/,
        /^n2 hears prepare .* of n2/,
      ]),
  ),
  full('trim', 'a leader that makes a checkpoint and trims, and a node that heard of nothing and leads', () =>
    log('trim', [leader('n1', { checkpoints: 1 }), node('n2'), leader('n3')]),
  ),
  full('wiped voter', 'a value is chosen; then one folder is emptied, and another node leads', () =>
    after(log('wiped voter', [leader('n1'), leader('n2'), node('n3')], { wipes: 1 }), [
      ...n1Leads,
      /^n1 hears accept/,
      /^n2 hears accept/,
      /^n1 hears accepted/,
    ]),
  ),
  small('takeover', 'a candidate as slow as ρ allows that renews, and one as fast', () =>
    lease('takeover', [slow({ renewals: 1 }), fast()]),
  ),
  small('restarts', 'the same, and a restart of each', () =>
    lease('restarts', [slow({ renewals: 1, restarts: 1 }), fast({ restarts: 1 })], { log: 3 }),
  ),
  full('renewals', 'two renewals, each of which may be chosen at any time or never', () =>
    lease('renewals', [slow({ renewals: 2 }), fast()]),
  ),
  full('both renew', 'a takeover, after which the other renews too', () =>
    lease('both renew', [slow({ renewals: 1 }), fast({ renewals: 1 })]),
  ),
  full('seen on the way', 'commands that are seen before they are chosen, or though they never are', () =>
    lease('seen on the way', [slow({ renewals: 1 }), fast()], { sees: true, log: 3 }),
  ),
  full('chosen twice', 'commands that are chosen a second time', () =>
    lease('chosen twice', [slow({ renewals: 1 }), fast()], { repeats: 1 }),
  ),
  full('lengths', 'a renewal that makes the lease shorter', () =>
    after(lease('lengths', [slow({ renewals: 1, leasesMs: [200, 100] }), fast()], { log: 3 }), aHolds),
  ),
  full('resigns', 'a holder that renews, resigns and asks again', () =>
    after(lease('resigns', [slow({ asks: 2, renewals: 1, resigns: 1 }), fast()], { log: 3 }), aHolds),
  ),
  small('stand by', 'a holder that resigns and asks again, and an heir whose taking may be chosen at any time', () =>
    after(lease('stand by', [slow({ asks: 2, resigns: 1 }), fast({ asks: 0, standbys: 1 })]), aHolds),
  ),
  full('heir that asks', 'an heir that asks too, by a wait of its own', () =>
    after(lease('heir that asks', [slow({ resigns: 1 }), fast({ standbys: 1 })]), aHolds),
  ),
  full('heir that restarts', 'an heir that restarts, and asks', () =>
    after(lease('heir that restarts', [slow({ resigns: 1 }), fast({ standbys: 1, restarts: 1 })]), aHolds),
  ),
  full('two heirs', 'two that stand by for one holder, who resigns', () =>
    after(
      lease(
        'two heirs',
        [slow({ resigns: 1 }), fast({ asks: 0, standbys: 1 }), fast({ name: 'c', rate: 1, asks: 0, standbys: 1 })],
        { log: 3 },
      ),
      [...aHolds, /^c learns/, /^b stands by/, /^c stands by/],
    ),
  ),
  full(
    'heir too early',
    'an heir whose taking is chosen before the Resign and again after it, while its session is ended',
    () =>
      after(
        lease('heir too early', [slow({ asks: 2, resigns: 1 }), fast({ asks: 0, standbys: 1 })], {
          repeats: 1,
          endsStrays: true,
          log: 6,
        }),
        [...aHolds, ...heirTooEarly],
      ),
  ),
  full('transfer', 'a mastership that is handed to a session opened for it', () =>
    lease('transfer', [slow({ opens: 1, asks: 0, sharesSession: true }), fast({ asks: 2, transfers: 1 })]),
  ),
  full('two elections', 'a holder of one election that takes another with the same session, and renews it', () =>
    after(
      lease('two elections', [slow({ asks: 2, renewals: 1, sharesSession: true }), fast()], {
        elections: ['one', 'two'],
        log: 3,
      }),
      aHolds,
    ),
  ),
  full('hearer', 'a holder outside the log, that hears of sessions before it hears of records', () =>
    lease('hearer', [slow({ renewals: 1, isHearer: true }), fast()]),
  ),
  small('formation', 'three stores, one of which is emptied at any moment', () => formation('formation', { wipes: 1 })),
  small('bootstrap', 'two nodes that are given different names of the stores', () =>
    formation('bootstrap', {
      askings: 2,
      named: {
        n1: { n1: 'n1-s', n2: 'n2-s', n3: 'n3-s' },
        n2: { n1: 'n1-s', n2: 'n2-s', n3: 'n3-s2' },
      },
    }),
  ),
  small('two removed', 'of three voters two are removed; another leader has a higher ballot', () =>
    members(changing.twoRemoved),
  ),
  small('goes on', 'a voter is replaced and another may die: the rest goes on, whenever', () =>
    members(changing.goesOn),
  ),
  small('forgets', 'the same, and a store forgets what it learned and did not save', () => members(changing.forgets)),
  full('removed leads', 'the one that is replaced leads, and another may die', () => members(changing.removedLeads)),
  full('forgets twice', 'two restarts that forget, and any one store may die', () => members(changing.forgetsTwice)),
  full('two promoted', 'two stores have come in; a leader with a higher ballot learns of both', () =>
    members(changing.learnsTwoPromotions),
  ),
  full('replaced store', 'a voter is replaced by another folder of its node; another leader has a higher ballot', () =>
    members(changing.replacedStore),
  ),
  full('pending', 'slots of both configurations are open when a change is learned, with snapshots', () =>
    members(changing.pending),
  ),
];
