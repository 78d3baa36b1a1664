import { type FoldRules, foldRules, type LeaseRules, leaseRules } from '@synod/mastership';
import type { Session } from '@synod/protocol';
import { DRIFT, fast, slow } from '../explorer/bounds.ts';
import { after } from '../explorer/explore.ts';
import type { CandidateBounds, HeldSession, LeaseBounds, Manners } from '../explorer/lease-node.ts';
import { manners } from '../explorer/lease-node.ts';
import { LeaseWorld } from '../explorer/lease-world.ts';
import type { Broken } from './broken.ts';
import type { Control, ExplorerEngine } from './control.ts';

const world = (candidates: readonly CandidateBounds[], more: Partial<LeaseBounds> = {}): LeaseBounds => ({
  name: candidates.map(({ name }) => name).join(' '),
  candidates,
  elections: ['group'],
  drift: DRIFT,
  tickMs: 25,
  log: 4,
  ...more,
});

interface BrokenMastership extends Broken {
  readonly manners?: Partial<Manners>;
}

/** @param scene - What has happened before: see {@link after}. */
const explored = (bounds: LeaseBounds, broken: BrokenMastership, scene: readonly RegExp[] = []): ExplorerEngine => ({
  kind: 'explorer',
  broken,
  world: () => {
    const rules = {
      lease: { ...leaseRules, ...broken.lease },
      fold: { ...foldRules, ...broken.fold },
      manners: { ...manners, ...broken.manners },
    };
    return after(new LeaseWorld(bounds, rules), scene);
  },
  // That a holder looks at its clock too late is a fault of its machine, and no matter while a taking ends its session.
  sound: () => {
    const looksFirst = broken.manners?.looksFirst ?? manners.looksFirst;
    const rules = { lease: leaseRules, fold: foldRules, manners: { ...manners, looksFirst } };
    return after(new LeaseWorld(bounds, rules), scene);
  },
});

const pair = world([slow(), fast()]);
const renewing = world([slow({ renewals: 1 }), fast()]);

/** a holds, and b knows. */
const aHolds = [/^a asks/, /^a-1.* is chosen/, /^a learns/, /^b learns/];

/** b holds, and a knows. */
const bHolds = [/^b asks/, /^b-1.* is chosen/, /^b learns/, /^a learns/];

/** b holds, and a has a session for it to be handed to. */
const bHoldsAndAOpened = [...bHolds, /^a opens/, /^a-1.* is chosen/, /^a learns/, /^b learns/];

/** What b sent, standing by, is chosen while a holds: it opens a session that is of no use, and is ended. */
const heirTooEarly = [...aHolds, /^b stands by/, /^b-1.* is chosen/, /^b learns/, /^a learns/];

/** Both asked, a was first; what came of b has not reached a. */
const crossed = [/^a asks/, /^b asks/, /^a-1.* is chosen/, /^a learns/, /^b learns/, /^b-1.* is chosen/, /^b learns/];

/** Holds by this instant, for this long, whatever was asked for. */
const heldFrom = (session: HeldSession, atMs: number, leaseMs: number): HeldSession => ({
  ...session,
  claims: session.claims.map((claim) => ({ ...claim, stamp: { atMs }, holdMs: leaseMs * 0.8 - 5 })),
});

const ignoring =
  (...refusals: readonly string[]): FoldRules['refuseTake'] =>
  (change, session, take) => {
    const refusal = foldRules.refuseTake.call(foldRules, change, session, take);
    return refusal !== null && refusals.includes(refusal) ? null : refusal;
  };

/** The wait that a session would need whose last command was `setBy`. */
const waitsBy = (setBy: (session: Session) => string): Partial<LeaseRules> => ({
  waitEndsAtMs(c, session) {
    return leaseRules.waitEndsAtMs(c, { ...session, setBy: setBy(session) });
  },
});

/** Broken rules of sections 3 and 4, each with the smallest world that shows what comes of it. */
export const mastershipControls: readonly Control[] = [
  {
    name: 'no-version-check',
    rule: 'section 3, BeMaster',
    sentence: 'A taking applies whatever version of the record its sender has seen.',
    engines: [explored(pair, { fold: { refuseTake: ignoring('version', 'holder', 'renewed') } })],
    finds: /S1|S2|at most one master|terms grow/,
  },
  {
    name: 'no-session-version',
    rule: 'section 3, BeMaster',
    sentence: 'A taking applies although the holder has renewed since its sender looked.',
    engines: [explored(renewing, { fold: { refuseTake: ignoring('renewed') } })],
    finds: /S2/,
  },
  {
    name: 'expiry-by-term',
    rule: 'section 3, Expire and BeMaster; T2',
    sentence: 'A mastership is waited for and taken by its term: renewals do not count.',
    engines: [
      explored(renewing, {
        fold: { refuseTake: ignoring('renewed') },
        lease: waitsBy(({ openedBy }) => openedBy),
      }),
    ],
    finds: /S1|S2|at most one master|terms grow/,
  },
  {
    name: 'renewal-does-not-move-the-wait',
    rule: 'T2',
    sentence: 'The wait runs from the command that opened the session, not from its last renewal.',
    engines: [explored(renewing, { lease: waitsBy(({ openedBy }) => openedBy) })],
    finds: /S1|S2|at most one master|terms grow/,
  },
  {
    name: 'replay-makes-master',
    rule: 'T3',
    sentence: 'A restarted node holds by a command of its former life that it finds in the log.',
    engines: [
      explored(world([slow({ restarts: 1 }), fast()]), {
        lease: {
          rememberedOpening(c, { node, setBy, leaseMs }) {
            if (node !== c.input.self) return undefined;
            return {
              id: setBy,
              leaseMs,
              holdMs: 0.8 * leaseMs - 5,
              expectedVersion: null,
              stamp: c.input.holderClock.stamp(c.leaseMs),
            };
          },
        },
      }),
    ],
    finds: /S1|S2|at most one master|terms grow/,
  },
  {
    name: 'no-wait-after-restart',
    rule: 'T3',
    sentence: 'A process takes over from its node’s former life without waiting, and that one still lives.',
    engines: [
      explored(world([slow({ node: 'm' }), fast({ node: 'm' })]), {
        lease: {
          waitEndsAtMs(c, session) {
            return session.node === c.input.self ? c.input.clock.now() : leaseRules.waitEndsAtMs(c, session);
          },
        },
      }),
    ],
    finds: /S2/,
  },
  {
    name: 'resign-before-stop',
    rule: 'T7',
    sentence: 'A mastership is given back first, and acting by it stops when that is learned.',
    engines: [explored(world([slow({ resigns: 1 }), fast()]), { manners: { stopsBeforeResigning: false } })],
    finds: /S2/,
  },
  {
    name: 'resigned-comes-back',
    rule: 'T7',
    sentence: 'A term that was given up is acted by again while its record still names it.',
    engines: [
      explored(world([slow({ resigns: 1 }), fast()]), {
        lease: {
          holds(c) {
            const mastership = c.mastership && { ...c.mastership, givenUpAtMs: null };
            return leaseRules.holds({ ...c, mastership });
          },
        },
      }),
    ],
    finds: /S2/,
  },
  {
    name: 'lease-from-learning',
    rule: 'T1',
    sentence: 'The lease is counted from the answer, not from the asking.',
    engines: [
      explored(pair, {
        lease: {
          hold(c, session, request) {
            return leaseRules.hold(c, session, {
              ...request,
              stamp: c.input.holderClock.stamp(c.leaseMs),
            });
          },
        },
      }),
    ],
    finds: /S2/,
  },
  {
    name: 'no-margin',
    rule: 'T1, T2',
    sentence: 'Neither holder nor waiter allows for clocks of another rate.',
    engines: [
      explored(pair, {
        lease: {
          request(c, version) {
            const request = leaseRules.request(c, version);
            return { ...request, holdMs: request.leaseMs };
          },
          waitEndsAtMs: (c, { setBy, leaseMs }) => c.sights.note(setBy, 0) + leaseMs,
        },
      }),
    ],
    finds: /S1|S2|at most one master|terms grow/,
  },
  {
    name: 'shorter-renewal-others-learn',
    rule: 'T4',
    sentence: 'A shorter renewal lowers the deadline when it is learned: others may learn it, and wait for it, sooner.',
    engines: [
      explored(world([slow({ renewals: 1, leasesMs: [200, 100] }), fast()]), {
        lease: { claims: (requests, { setBy }) => requests.filter(({ id }) => id === setBy) },
      }),
    ],
    finds: /S2/,
  },
  {
    name: 'longer-lease-at-once',
    rule: 'T12, T4',
    sentence: 'A lease that is made longer is longer at once, for what was asked for before it was.',
    engines: [
      explored(world([slow({ renewals: 1, leasesMs: [100, 200] }), fast()]), {
        lease: {
          claims(requests, session) {
            const claims = leaseRules.claims(requests, session);
            const longest = Math.max(...claims.map(({ holdMs }) => holdMs));
            return claims.map((claim) => ({ ...claim, holdMs: longest }));
          },
        },
      }),
    ],
    finds: /S2/,
  },
  {
    name: 'old-news-raises-the-deadline',
    rule: 'T4',
    sentence:
      'News that is no news sets the deadline anew, by what is applied alone, after a shorter renewal was sent.',
    engines: [
      explored(
        world([slow({ renewals: 1, leasesMs: [200, 100] }), fast({ asks: 2 })]),
        {
          lease: {
            isRenewed: ({ holding, input }) =>
              holding !== null && (input.view.session(holding.session)?.version ?? 0) >= holding.version,
            adopt(c, holding) {
              const { requests, setBy } = holding;
              const now = c.input.view.session(holding.session);
              if (now && now.version > holding.version) return leaseRules.adopt(c, holding);
              return { ...c, holding: { ...holding, claims: requests.filter(({ id }) => id === setBy) } };
            },
          },
        },
        crossed,
      ),
    ],
    finds: /S2/,
  },
  {
    name: 'lapsed-session-used-again',
    rule: 'T6',
    sentence:
      'A session whose deadline has passed is held by again, while the shorter renewal that ended it is not learned.',
    engines: [
      explored(
        world([slow({ renewals: 1, leasesMs: [200, 100] }), fast({ asks: 2 })]),
        { manners: { endsWhatIsOver: false } },
        crossed,
      ),
    ],
    finds: /S2/,
  },
  {
    name: 'heir-takes-what-is-held',
    rule: 'T11; section 3, BeMaster',
    sentence:
      'A taking that names the term and no holder applies while the record is held, not only once it came free.',
    engines: [
      explored(
        world([slow(), fast({ asks: 0, standbys: 1 })]),
        {
          fold: {
            refuseTake(change, session, take) {
              const refusal = foldRules.refuseTake.call(foldRules, change, session, take);
              const namesTerm = take.holder === null && change.record(take.election).term === take.expectedVersion;
              return refusal === 'holder' && namesTerm ? null : refusal;
            },
          },
        },
        aHolds,
      ),
    ],
    finds: /S2/,
  },
  {
    name: 'heir-holds-from-the-resign',
    rule: 'T1, T11',
    sentence: 'What stood by gives a lease from when it is learned behind the Resign, not from when it was sent.',
    engines: [
      explored(
        world([slow({ asks: 0, standbys: 1 }), fast({ asks: 2, resigns: 1 })]),
        {
          lease: {
            hold: (c, session, request) =>
              leaseRules.hold(c, session, { ...request, stamp: c.input.holderClock.stamp(c.leaseMs) }),
          },
        },
        bHolds,
      ),
    ],
    finds: /S2/,
  },
  {
    name: 'heir-holds-by-what-it-ends',
    rule: 'T6, T11',
    sentence:
      'What stood by is chosen too early and again behind the Resign, and is held by although its session is being ended.',
    engines: [
      explored(
        world([slow({ asks: 2, resigns: 1 }), fast({ asks: 0, standbys: 1 })], {
          repeats: 1,
          endsStrays: true,
          log: 6,
        }),
        { lease: { ownSession: (s, sessions) => leaseRules.ownSession({ ...s, endings: new Map() }, sessions) } },
        heirTooEarly,
      ),
    ],
    finds: /S2/,
  },
  {
    name: 'deadline-from-be-master',
    rule: 'section 3, "BeMaster and Transfer never extend a deadline"',
    sentence: 'Taking a second election with a session counts as a renewal of it at the holder.',
    engines: [
      explored(
        world([slow({ asks: 2, sharesSession: true }), fast()], { elections: ['one', 'two'] }),
        {
          manners: {
            extendedBy: (session, _command, taking) => (taking ? { ...session, claims: [taking] } : session),
          },
        },
        aHolds,
      ),
    ],
    finds: /S2/,
  },
  {
    name: 'deadline-from-consent',
    rule: 'T8',
    sentence: 'A transfer gives its target a lease from the moment it is learned.',
    engines: [
      explored(
        world([slow({ opens: 1, asks: 0, sharesSession: true }), fast({ asks: 2, transfers: 1 })], { log: 5 }),
        {
          manners: {
            extendedBy: (session, { asked }) =>
              asked?.type === 'transfer' && asked.to === session.id ? heldFrom(session, 0, 100) : session,
          },
        },
        bHoldsAndAOpened,
      ),
    ],
    finds: /S2/,
  },
  {
    name: 'transfer-before-stop',
    rule: 'T8, "the holder stops acting, then submits"',
    sentence: 'A mastership is handed over first, and acting by it stops when that is learned.',
    engines: [
      explored(
        world([slow({ opens: 1, asks: 0, sharesSession: true }), fast({ asks: 2, transfers: 1 })], { log: 5 }),
        { manners: { stopsBeforeResigning: false } },
        bHoldsAndAOpened,
      ),
    ],
    finds: /S2/,
  },
  {
    name: 'transfer-with-a-longer-lease',
    rule: 'T8, T2',
    sentence: 'The target of a transfer holds for a lease of its own choice; others wait for that of its session.',
    engines: [
      explored(
        world([slow({ opens: 1, asks: 0, sharesSession: true }), fast({ asks: 2, transfers: 1 })], { log: 5 }),
        {
          manners: {
            extendedBy: (session, { asked }) =>
              asked?.type === 'transfer' && asked.to === session.id
                ? { ...session, claims: session.claims.map((claim) => ({ ...claim, holdMs: 2 * claim.holdMs })) }
                : session,
          },
        },
        bHoldsAndAOpened,
      ),
    ],
    finds: /S2/,
  },
  {
    name: 'session-id-reused',
    rule: 'section 1, "session"',
    sentence: 'Sessions are numbered by their incarnation, not by their position: two of them are one.',
    engines: [explored(pair, { fold: { sessionId: () => 1 } })],
    finds: /S1|S2|at most one master|terms grow/,
  },
  {
    name: 'wait-by-position',
    rule: 'T2',
    sentence:
      'The wait runs from the first sight of anything at the session’s version, not of the command that set it.',
    engines: [
      explored(
        world([slow({ renewals: 2 }), fast()], { sees: true, log: 3 }),
        {
          manners: { sightKeys: (_, position) => [`position ${position}`] },
          lease: { waitEndsAtMs: (c, { version, leaseMs }) => c.sights.note(`position ${version}`, 0) + leaseMs * 1.2 },
        },
        [...aHolds, /^a renews/, /^b sees a-1.2/],
      ),
    ],
    finds: /S2/,
  },
  {
    name: 'wait-restarted-by-hearing',
    rule: 'T2',
    sentence: 'Hearing a command again begins its wait anew.',
    engines: [explored(world([slow(), fast()], { sees: true, log: 2 }), { manners: { restartsWait: true } })],
    finds: /T2/,
  },
  {
    name: 'wait-persisted',
    rule: 'T2',
    sentence: 'A restarted node goes on with a wait of its former life, whose clock began elsewhere.',
    engines: [
      explored(world([slow(), fast({ restarts: 1 })], { clockJumpMs: 200 }), {
        manners: {
          afterRestart: (sights, jumpMs) => new Map(Array.from(sights, ([id, atMs]) => [id, atMs - jumpMs])),
        },
      }),
    ],
    finds: /S2/,
  },
  {
    name: 'wait-handed-over',
    rule: 'T2',
    sentence: 'A candidate goes on with a wait that another tells it of, whose clock began elsewhere.',
    engines: [
      explored(world([slow(), fast({ handovers: 1 })], { clockJumpMs: 200 }), {
        manners: {
          handedOver: (sights, jumpMs) => new Map(Array.from(sights, ([id, atMs]) => [id, atMs - jumpMs])),
        },
      }),
    ],
    finds: /S2/,
  },
  {
    name: 'term-does-not-grow',
    rule: 'S1',
    sentence: 'A new mastership keeps the term of the one before.',
    engines: [
      explored(pair, {
        fold: {
          take(change, session, take) {
            foldRules.take.call(this as FoldRules, change, session, take);
            change.putRecord({ ...change.record(take.election), term: 1 });
          },
        },
      }),
    ],
    finds: /S1|S2|at most one master|terms grow/,
  },
  {
    name: 'malformed-command-takes-no-position',
    rule: 'section 1, "position"; N1',
    sentence: 'A command that cannot be read is left out, by those who cannot read it.',
    engines: [
      explored(world([slow(), fast()], { malformed: true, log: 2 }), {
        manners: {
          apply: (fold, position, command) => {
            if (command.body[0] !== 0xc1) fold.apply(position, command);
          },
        },
      }),
    ],
    finds: /section 1/,
  },
  {
    name: 'malformed-command-stops-a-node',
    rule: 'N1',
    sentence: 'A command that cannot be read is a reason to stop.',
    engines: [
      explored(world([slow(), fast()], { malformed: true, log: 2 }), {
        manners: {
          apply: (fold, position, command) => {
            if (command.body[0] === 0xc1) throw new TypeError('unreadable');
            fold.apply(position, command);
          },
        },
      }),
    ],
    finds: /N1/,
  },
  {
    name: 'take-leaves-the-session',
    rule: 'section 3, "ends the holder’s session"',
    sentence:
      'A taking leaves the session it took from, and a holder that looks at its clock too late goes on with it.',
    engines: [
      explored(world([slow({ renewals: 1, isHearer: true }), fast()]), {
        fold: {
          take(change, session, take) {
            foldRules.take.call({ ...(this as FoldRules), end: () => {} }, change, session, take);
          },
        },
        manners: { looksFirst: false },
      }),
    ],
    finds: /S2/,
  },
];
