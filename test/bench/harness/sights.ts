import type { CommandId, MasterNews } from '@synod/protocol';
import { machineNowMs } from './machine-clock.ts';

const ELECTION = 'group';

/**
 * When the lease machine of this process first saw the command that a holder's session is in force by: what T2 waits for.
 * It listens as a user's inspector does, so that the measured code is the code that users run.
 */
export class Sights {
  readonly #seenAtMs = new Map<CommandId, number>();
  /** The command each session was last opened or renewed by, ended sessions included. */
  readonly #setBy = new Map<number, CommandId>();
  #holder: number | null = null;
  #holderBefore: number | null = null;

  /** For `inspect` of `join`. */
  readonly inspect = (inspected: unknown): void => {
    const { type, actorRef, event } = inspected as { type: string; actorRef: { id?: string }; event: LeaseEvent };
    if (type !== '@xstate.event' || actorRef.id !== 'lease') return;
    if (event.type === 'seen' && !this.#seenAtMs.has(event.id)) this.#seenAtMs.set(event.id, machineNowMs());
    if (event.type === 'applied') this.#applied(event.news);
  };

  /** How long before `atMs` the last opening or renewal of the master before the present one was first seen. */
  sinceSightMs(atMs: number): number | null {
    const setBy = this.#holderBefore === null ? undefined : this.#setBy.get(this.#holderBefore);
    const seenAtMs = setBy === undefined ? undefined : this.#seenAtMs.get(setBy);
    return seenAtMs === undefined ? null : atMs - seenAtMs;
  }

  #applied({ sessions, records }: MasterNews): void {
    for (const { id, setBy } of sessions) this.#setBy.set(id, setBy);
    for (const { election, master } of records) {
      if (election !== ELECTION || master === null || master === this.#holder) continue;
      this.#holderBefore = this.#holder;
      this.#holder = master;
    }
  }
}

type LeaseEvent =
  | { readonly type: 'seen'; readonly id: CommandId }
  | { readonly type: 'applied'; readonly news: MasterNews }
  | { readonly type: 'other' };
