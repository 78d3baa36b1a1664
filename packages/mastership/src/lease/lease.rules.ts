import { type Command, type CommandId, invariant } from '@synod/protocol';
import { encodeMasterCommand, type MasterCommand, type OpenSession, type Take } from '../commands.ts';
import { candidateRules } from './candidate.rules.ts';
import type { Aim, CandidateContext, HeldTerm, Request, SessionContext, Standby } from './lease.context.ts';
import type {
  CandidateEmitted,
  CandidateInput,
  Licence,
  LostBy,
  SessionEmitted,
  SessionInput,
  Wish,
} from './lease.types.ts';
import { sessionRules } from './session.rules.ts';
import { Sights } from './sights.ts';

export { nextId } from './session.rules.ts';

/**
 * The rules of a lease, T1 to T12, as plain functions over the state of a session and of its candidates. They read clocks and
 * chance through the ports of the input, and change nothing but what they return (and the sights). One object, so that a
 * control can break one.
 */
export const leaseRules = { ...sessionRules, ...candidateRules };

/** @see {@link leaseRules} */
export type LeaseRules = typeof leaseRules;

/** A node at its start: it holds nothing, whatever the view says of its former lives (T3). */
export function initialSession(input: SessionInput, rules: LeaseRules): SessionContext {
  let number = 0;
  const sights = new Sights(input.view);
  for (const { setBy } of input.view.sessions()) sights.note(setBy, input.clock.now());
  return {
    input: { nextNumber: () => ++number, ...input },
    rules,
    leaseMs: input.leaseMs,
    isCaughtUp: true,
    hasFailed: false,
    isStopping: false,
    sights,
    opening: null,
    opens: [],
    standby: null,
    holding: null,
    endings: new Map(),
    closeAtMs: 0,
    quietAtMs: 0,
    watched: new Map(),
    expiries: new Map(),
    sweepAtMs: 0,
  };
}

export const initialCandidate = (input: CandidateInput, rules: LeaseRules): CandidateContext => ({
  input: { priority: 0, metadata: {}, heirOf: () => null, standsBy: false, ...input },
  rules,
  priority: input.priority ?? 0,
  isWanted: false,
  isEligible: true,
  isStopping: false,
  aim: null,
  notBeforeMs: 0,
  attempt: null,
  mastership: null,
  successor: null,
  resignation: null,
  offer: null,
  wishAtMs: 0,
  wishes: { term: 0, count: 0 },
  served: [],
});

/** The mastership in force; its numbers are meant to be read at once. */
export function licenceOf(c: CandidateContext, { session, term }: HeldTerm): Licence {
  const s = c.input.lease();
  const { version = 0, setBy = '', requests = [] } = s.holding ?? {};
  const leaseMs = requests.find(({ id }) => id === setBy)?.leaseMs ?? 0;
  const deadlineAtMs = s.input.clock.now() + c.rules.remainingMs(s);
  return { election: c.input.election, term, version, session, leaseMs, deadlineAtMs };
}

export const lostNotice = (
  { input }: CandidateContext,
  { term }: HeldTerm,
  lostBy: LostBy,
  reason?: string,
): CandidateEmitted => {
  const notice = { type: 'lost', election: input.election, term, lostBy } as const;
  return reason === undefined ? notice : { ...notice, reason };
};

export const proposal = (
  id: CommandId,
  command: MasterCommand,
  presumedSilent: string | null = null,
  followedBy: Command | null = null,
): Wish => ({
  type: 'propose',
  command: encodeMasterCommand(id, command),
  ...(presumedSilent !== null && { presumedSilent }),
  ...(followedBy !== null && { followedBy }),
});

export const openProposal = (s: SessionContext): Wish => {
  const { request, take, silent } = present(s.opening);
  return proposal(request.id, opening(s, request, take), silent);
};

/** To the holder: what was made ready last. */
export const standbyOf = (s: SessionContext): SessionEmitted => {
  const { take, to } = present(s.standby);
  const { request } = present(s.opens.at(-1));
  const command = encodeMasterCommand(request.id, opening(s, request, take));
  return { type: 'standBy', to, election: take.election, command };
};

export const noStandby = ({ to, take }: Standby): SessionEmitted => ({
  type: 'standBy',
  to,
  election: take.election,
  command: null,
});

const opening = (
  { input: { self: node, incarnation } }: SessionContext,
  { leaseMs }: Request,
  take: Take | null,
): OpenSession => ({ type: 'open', node, incarnation, leaseMs, take });

function present<T>(value: T | null | undefined): T {
  invariant(value !== null && value !== undefined, 'T1 what is sent was made ready first');
  return value;
}

export const takeOf = ({ input }: CandidateContext, { expectedVersion, holder }: Aim): Take => {
  const { election, metadata } = input;
  return { election, expectedVersion, holder, metadata };
};
