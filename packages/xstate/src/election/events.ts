import type { Master } from 'synod';

/** What `electionLogic` and `electionMachine` tell their parent, and emit. Plain data all through. */
export type ElectionEvent =
  | {
      readonly type: 'synod.master.elected';
      readonly election: string;
      readonly term: number;
      readonly leaseMs: number;
    }
  /** `cause`: expired, resigned, deposed, closed or failed. A notice: the licence ended no later (T5). */
  | { readonly type: 'synod.master.lost'; readonly election: string; readonly term: number; readonly cause: string }
  /** Who is master, here or elsewhere: the present first, then each change, newest wins. */
  | {
      readonly type: 'synod.master.changed';
      readonly election: string;
      readonly current: Master | null;
      readonly version: number;
    }
  /** What was asked for could not be done; everything goes on as before. */
  | {
      readonly type: 'synod.refused';
      readonly election: string;
      readonly asked: ElectionCommand['type'];
      readonly code: string;
      readonly message: string;
    };

/** What they take. */
export type ElectionCommand =
  /** Hands over, if this process is master, and waits for its turn again. `to`: rather to this node than to any. */
  | { readonly type: 'synod.resign'; readonly to?: string; readonly reason?: string }
  /** Hands over to this node and no other, which must be waiting for it; refused when it does not agree (T8). */
  | { readonly type: 'synod.transfer'; readonly to: string }
  /** Asks for no mastership any more, and gives back what it holds. */
  | { readonly type: 'synod.withdraw' }
  /** Asks again. */
  | { readonly type: 'synod.campaign' };

export interface ElectionInput {
  /** False: looks on until `synod.campaign`. Default true. */
  readonly campaign?: boolean;
}

/** What both know of the election, as JSON can say it: news, not a licence. */
export interface ElectionContext {
  readonly election: string;
  /** Whether a mastership is asked for. */
  readonly isCandidate: boolean;
  /** Of the mastership that is held. */
  readonly term: number | null;
  readonly leaseMs: number | null;
  /** How the last mastership here ended. */
  readonly lostBy: string | null;
  readonly current: Master | null;
  readonly version: number;
}

export const initialContext = (election: string, { campaign = true }: ElectionInput = {}): ElectionContext => ({
  election,
  isCandidate: campaign,
  term: null,
  leaseMs: null,
  lostBy: null,
  current: null,
  version: 0,
});

/** What an event changes in the context. */
export function changedBy(event: ElectionEvent | ElectionCommand): Partial<ElectionContext> {
  switch (event.type) {
    case 'synod.master.elected':
      return { term: event.term, leaseMs: event.leaseMs, lostBy: null };
    case 'synod.master.lost':
      return { term: null, leaseMs: null, lostBy: event.cause };
    case 'synod.master.changed':
      return { current: event.current, version: event.version };
    case 'synod.campaign':
      return { isCandidate: true };
    case 'synod.withdraw':
      return { isCandidate: false };
    default:
      return {};
  }
}
