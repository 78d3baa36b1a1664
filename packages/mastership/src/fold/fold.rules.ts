import { type Cause, type CommandId, incarnationOf, MIN_LEASE_MS, type Session } from '@synod/protocol';
import type {
  BeMaster,
  EndSession,
  Expire,
  MasterCommand,
  OpenSession,
  Renew,
  Resign,
  Take,
  Transfer,
} from '../commands.ts';
import type { Change, FoldState } from './change.ts';

/** Why a command changed nothing. */
export type Refusal =
  /** No version of this program understands it. */
  | 'unreadable'
  /** It speaks for a session of another incarnation (T3). */
  | 'foreign'
  /** This command, or a later one of its incarnation, has opened a session already. */
  | 'repeated'
  /** leaseMs is outside the bounds of the group. */
  | 'bounds'
  /** The session it names has ended, or never was. */
  | 'ended'
  /** Its expectedVersion is not the present one: its sender has not seen the news. */
  | 'version'
  /** The record's master is not the holder it names. */
  | 'holder'
  /** The holder has renewed since the sender looked. */
  | 'renewed'
  /** It resigns or transfers a term that is not in force. */
  | 'term';

/** What became of a command: `refused` stands beside `applied` when a session opened but its taking was refused. */
export interface Verdict {
  readonly applied: boolean;
  readonly refused: Refusal | null;
}

/** How many incarnations that once opened a session are remembered, at least. A constant: part of the state machine. */
export const OPENERS_REMEMBERED = 10_000;

/** The table of section 3: for each command what refuses it, and what it does. One object, so that a control can break one. */
export interface FoldRules {
  isOwn(change: Change, session: Session): boolean;
  hasOpened(change: Change): boolean;
  isWithinBounds(change: Change, leaseMs: number): boolean;
  refuseTake(change: Change, session: Session | undefined, take: Take): Refusal | null;
  refuseRenew(change: Change, command: Renew): Refusal | null;
  refuseResign(change: Change, command: Resign): Refusal | null;
  refuseTransfer(change: Change, command: Transfer): Refusal | null;
  refuseEnd(change: Change, command: EndSession): Refusal | null;
  refuseExpire(change: Change, command: Expire): Refusal | null;
  sessionId(change: Change): number;
  open(change: Change, command: OpenSession): Session;
  renew(change: Change, session: Session, leaseMs: number): void;
  take(change: Change, session: Session, take: Take): void;
  end(change: Change, session: Session, cause: Cause): void;
  free(change: Change, election: string, cause: Cause): void;
  transfer(change: Change, command: Transfer, to: Session): void;
}

/** What the protocol says. Production hands in nothing else. */
export const foldRules: FoldRules = {
  /** T3, I4: a command speaks only for sessions of the incarnation that made it. */
  isOwn: (change, session) => session.incarnation === incarnationOf(change.id),

  /** A command chosen twice, or overtaken by a later one of its incarnation, opens nothing. */
  hasOpened: ({ state, id }) => numberOf(id) <= (state.openers.get(incarnationOf(id)) ?? -1),

  isWithinBounds: ({ state }, leaseMs) => leaseMs >= MIN_LEASE_MS && leaseMs <= state.maxLeaseMs,

  /**
   * The seed's version rule: who was cut off during two renewals asks with a stale version and gets only the news.
   *
   * A record that came free keeps its term: whoever names that, and no holder, knows that nobody has been master since. So a
   * taking can be made before the Resign it follows is chosen (T11).
   */
  refuseTake(change, session, { election, expectedVersion, holder }) {
    if (!session) return 'ended';
    if (!this.isOwn(change, session)) return 'foreign';
    const record = change.record(election);
    const isFree = record.master === null && holder === null;
    if (record.version !== expectedVersion && !(isFree && record.term === expectedVersion)) return 'version';
    if (record.master !== (holder?.session ?? null) || record.master === session.id) return 'holder';
    if (holder && change.session(holder.session)?.version !== holder.version) return 'renewed';
    return null;
  },

  refuseRenew(change, { session: id, expectedVersion, leaseMs }) {
    const session = change.session(id);
    if (!session) return 'ended';
    if (!this.isOwn(change, session)) return 'foreign';
    if (!this.isWithinBounds(change, leaseMs)) return 'bounds';
    return session.version === expectedVersion ? null : 'version';
  },

  refuseResign(change, { election, session: id, term }) {
    const session = change.session(id);
    if (!session) return 'ended';
    if (!this.isOwn(change, session)) return 'foreign';
    const record = change.record(election);
    return record.master === id && record.term === term ? null : 'term';
  },

  refuseTransfer(change, command) {
    return this.refuseResign(change, { ...command, type: 'resign' }) ?? (change.session(command.to) ? null : 'ended');
  },

  refuseEnd(change, { session: id }) {
    const session = change.session(id);
    if (!session) return 'ended';
    return this.isOwn(change, session) ? null : 'foreign';
  },

  /** Anybody's who has waited T2; the fold sees only that the session has not been renewed since. */
  refuseExpire(change, { session: id, expectedVersion }) {
    const session = change.session(id);
    if (!session) return 'ended';
    return session.version === expectedVersion ? null : 'version';
  },

  /** Positions are never reused, so neither are ids. */
  sessionId: ({ position }) => position,

  open(change, { node, incarnation, leaseMs }) {
    const { position, id, state } = change;
    const session: Session = {
      id: this.sessionId(change),
      node,
      incarnation,
      leaseMs,
      version: position,
      setBy: id,
      openedBy: id,
    };
    rememberOpener(state, id);
    change.putSession(session);
    return session;
  },

  renew(change, session, leaseMs) {
    change.putSession({ ...session, leaseMs, version: change.position, setBy: change.id });
  },

  /** The session is left as it is: taking never extends a deadline. */
  take(change, session, { election, holder, metadata }) {
    const loser = holder && change.session(holder.session);
    if (loser) this.end(change, loser, 'expired');
    const { position, id } = change;
    const { node } = session;
    const record = change.record(election);
    change.putRecord({ ...record, master: session.id, term: position, version: position, setBy: id, metadata, node });
  },

  end(change, session, cause) {
    for (const election of [...change.state.registry.held(session.id)]) this.free(change, election, cause);
    change.dropSession(session);
  },

  /** The term stays: it is that of the last mastership, and the next one is higher. */
  free(change, election, cause) {
    const { position, id } = change;
    change.putRecord({ ...change.record(election), master: null, version: position, setBy: id, metadata: {}, cause });
  },

  transfer(change, { election, metadata }, to) {
    const { position, id } = change;
    const { node } = to;
    const record = { ...change.record(election), master: to.id, term: position, version: position, setBy: id };
    change.putRecord({ ...record, metadata, node, cause: 'transferred' });
  },
};

/** Applies one command by the table of section 3. A command that is refused changes nothing. */
export function applyCommand(rules: FoldRules, change: Change, command: MasterCommand): Verdict {
  switch (command.type) {
    case 'open':
      return applyOpen(rules, change, command);
    case 'beMaster':
      return applyTake(rules, change, change.session(command.session), command);
    case 'renew':
      return unless(rules.refuseRenew(change, command), () =>
        rules.renew(change, sessionOf(change, command), command.leaseMs),
      );
    case 'resign':
      return unless(rules.refuseResign(change, command), () => rules.free(change, command.election, 'resigned'));
    case 'transfer':
      return unless(rules.refuseTransfer(change, command), () =>
        rules.transfer(change, command, sessionOf(change, { session: command.to })),
      );
    case 'end':
      return unless(rules.refuseEnd(change, command), () => rules.end(change, sessionOf(change, command), 'ended'));
    case 'expire':
      return unless(rules.refuseExpire(change, command), () =>
        rules.end(change, sessionOf(change, command), 'expired'),
      );
  }
}

/** If the taking is refused the session still opens. Chosen again it opens nothing, and takes only by the version rule. */
function applyOpen(rules: FoldRules, change: Change, command: OpenSession): Verdict {
  const { take } = command;
  if (command.incarnation !== incarnationOf(change.id)) return refused('foreign');
  if (rules.hasOpened(change)) {
    const session = change.session(change.state.openedBy.get(change.id) ?? -1);
    return take && session ? applyTake(rules, change, session, take) : refused('repeated');
  }
  if (!rules.isWithinBounds(change, command.leaseMs)) return refused('bounds');
  const session = rules.open(change, command);
  return { applied: true, refused: take && applyTake(rules, change, session, take).refused };
}

const applyTake = (rules: FoldRules, change: Change, session: Session | undefined, take: Take | BeMaster): Verdict =>
  unless(rules.refuseTake(change, session, take), () => rules.take(change, session as Session, take));

function unless(refusal: Refusal | null, effect: () => void): Verdict {
  if (refusal) return refused(refusal);
  effect();
  return { applied: true, refused: null };
}

const refused = (refusal: Refusal): Verdict => ({ applied: false, refused: refusal });

const numberOf = (id: CommandId): number => Number(id.slice(id.indexOf('/') + 1));

const sessionOf = (change: Change, { session }: { readonly session: number }): Session =>
  change.session(session) as Session;

/**
 * Bounded, or incarnations would pile up for ever; by the state alone, or folds would differ. One whose session lives is
 * never forgotten. A forgotten one's old command could open an empty session again: nobody holds by it (T3), and the leader
 * expires it.
 */
function rememberOpener(state: FoldState, id: CommandId): void {
  const { openers, registry } = state;
  const incarnation = incarnationOf(id);
  openers.delete(incarnation);
  openers.set(incarnation, numberOf(id));
  if (openers.size <= 2 * OPENERS_REMEMBERED) return;
  const living = new Set(Array.from(registry.sessions(), (session) => session.incarnation));
  for (const old of openers.keys()) {
    if (openers.size <= OPENERS_REMEMBERED) return;
    if (!living.has(old) && old !== incarnation) openers.delete(old);
  }
}
