import { type natsBus, respondAdmin, respondHealth } from '@synod/nats';
import type { Group, GroupStatus, Mastership } from 'synod';

type Bus = ReturnType<typeof natsBus>;

/** Asks whoever holds this very term to hand over. */
export interface ResignRequest {
  readonly election: string;
  readonly term: number;
}

/** The answer: its record is free, or another's already. */
export interface Resigned {
  readonly election: string;
  readonly term: number;
}

/** Asks whoever holds this very term to hand over to that node. */
export interface TransferRequest extends ResignRequest {
  readonly to: string;
}

/** The answer: who is master now, and its term. */
export interface Transferred extends Resigned {
  readonly node: string;
}

/** Asks one member, or all of them, how they are. */
export interface StatusRequest {
  readonly node?: string;
}

/** What a member says of itself; while it joins, little. */
export type MemberStatus =
  | { readonly node: string; readonly state: 'connecting'; readonly isMaster: false; readonly hasQuorum: false }
  | JoinedStatus;

/** Of its elections and sessions no more than how many: thousands fit into no message, and whois tells them. */
export interface JoinedStatus extends Omit<GroupStatus, 'elections' | 'sessions'> {
  readonly isMaster: boolean;
  /** Who is master of the group itself. */
  readonly master: GroupStatus['elections'][number] | null;
  readonly electionCount: number;
  readonly sessionCount: number;
}

/** What answers look at: it changes while the process lives. */
export interface Served {
  readonly group: Group | null;
  readonly mastership: Mastership | null;
}

/** What a health check looks at. */
export type MemberHealth = Pick<MemberStatus, 'node' | 'state' | 'hasQuorum'> & { readonly detail?: string | null };

/** Answers operators, and health checks, for as long as `bus` lives. Who may ask is settled by the permissions of NATS. */
export function answerOperators(bus: Bus, served: () => Served): void {
  respondHealth(bus, (): MemberHealth => {
    const { group } = served();
    if (!group) return { node: bus.node, state: 'connecting', hasQuorum: false };
    const { node, state, hasQuorum, detail } = group.status();
    return { node, state, hasQuorum, detail };
  });
  respondAdmin(bus, 'status', (body) => {
    const { node } = (body ?? {}) as StatusRequest;
    return node === undefined || node === bus.node ? statusOf(bus.node, served()) : undefined;
  });
  respondAdmin(bus, 'resign', async (body, from): Promise<Resigned | undefined> => {
    const held = heldBy(served(), body);
    if (!held) return undefined;
    const { group, mastership } = held;
    await mastership.resign({ reason: `asked by ${from}` });
    await isFree(group, mastership);
    return { election: mastership.election, term: mastership.term };
  });
  respondAdmin(bus, 'transfer', async (body): Promise<Transferred | undefined> => {
    const held = heldBy(served(), body);
    if (!held) return undefined;
    const { election } = held.mastership;
    const { node, term } = await held.group.election(election).transfer((body as TransferRequest).to);
    return { election, node, term };
  });
}

/** Silent unless concerned: whoever holds the term that is asked for answers. */
function heldBy({ group, mastership }: Served, body: unknown): { group: Group; mastership: Mastership } | null {
  const { election, term } = (body ?? {}) as Partial<ResignRequest>;
  const isHeld = mastership?.election === election && mastership?.term === term;
  return group && mastership && isHeld ? { group, mastership } : null;
}

function statusOf(node: string, { group }: Served): MemberStatus {
  if (!group) return { node, state: 'connecting', isMaster: false, hasQuorum: false };
  const { elections, sessions, ...own } = group.status();
  const ofGroup = group.election();
  const master = elections.find(({ election }) => election === ofGroup.name) ?? null;
  return {
    ...own,
    isMaster: ofGroup.isMaster(),
    master,
    electionCount: elections.length,
    sessionCount: sessions.length,
  };
}

/** Resolves when the record does not name the term any more; at the latest when the lease behind it is over. */
async function isFree(group: Group, { election, term }: Mastership): Promise<void> {
  const signal = AbortSignal.timeout(group.status().leaseMs);
  for await (const { current } of group.election(election).changes({ signal })) {
    if (current?.term !== term) return;
  }
}
