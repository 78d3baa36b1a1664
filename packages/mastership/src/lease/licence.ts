import type { CommandId } from '@synod/protocol';
import type { CandidateContext, SessionContext } from './lease.context.ts';
import { licenceOf } from './lease.rules.ts';
import type { Licence } from './lease.types.ts';
import { shortestMs } from './session.rules.ts';

/**
 * T5: may this node act as master at this very instant? Compares clocks at each call, two readings of them, and allocates
 * nothing. No event, signal or state of a machine is a licence; this is, and the fence at the resource.
 */
export const isMaster = (context: CandidateContext): boolean => context.rules.holds(context);

/** What is left of the mastership in force, ms; 0 when there is none. */
export const remainingMs = (context: CandidateContext): number =>
  context.rules.holds(context) ? Math.max(0, context.rules.remainingMs(context.input.lease())) : 0;

/** The mastership in force at this instant, or `null`. */
export const licence = (context: CandidateContext): Licence | null =>
  context.mastership !== null && context.rules.holds(context) ? licenceOf(context, context.mastership) : null;

/** T4: the last instant by which the session held lets us act, monotonic; `null` while none is held. */
export const deadlineOf = (context: SessionContext): number | null =>
  context.holding === null ? null : context.input.clock.now() + context.rules.remainingMs(context);

/** The shortest lease that the session is held by, ms: what T1 takes off at its end is reckoned from it. */
export const shortestLeaseMs = ({ holding }: SessionContext): number => shortestMs(holding?.claims ?? []);

/**
 * T12: the length that what is asked for now has to come to something within, ms. Of a longer one nothing counts before it is
 * known to be chosen; a shorter one counts at once (T4).
 */
export const leaseInForceMs = (context: SessionContext): number => Math.min(context.leaseMs, shortestLeaseMs(context));

/** T2: true when the first sight of this command is known already. */
export const hasSeen = ({ sights }: SessionContext, id: CommandId): boolean => sights.has(id);

/** The session ran out, and its machine does not know yet: timers wait while a machine sleeps (T9). */
export const isOverdue = (context: SessionContext): boolean =>
  context.holding !== null && !context.holding.isOver && context.rules.isLapsed(context);

/** T9: true while the instant of a command of ours may count: as long as that the clock of a holder is to be ticked. */
export const mayCount = ({ holding, opens, input }: SessionContext): boolean =>
  holding !== null || opens.some(({ request }) => input.clock.now() < request.stamp.atMs + request.leaseMs);
