import { ClosedError, type Election, type Master, type Mastership, type MastershipLostError, SynodError } from 'synod';
import type { ElectionCommand, ElectionEvent } from './events.ts';
import { hold, letGo } from './held.ts';

export interface CampaignerPorts {
  readonly tell: (event: ElectionEvent) => void;
  /** The group was closed, or had to be left: nothing more is told. */
  readonly end: (error: unknown) => void;
}

/** Asks for the mastership of an election again and again, and tells what becomes of it. */
export class Campaigner {
  readonly #election: Election;
  readonly #ports: CampaignerPorts;
  readonly #life = new AbortController();
  /** Of the asking that goes on now. */
  #wish: AbortController | null = null;
  /** Another actor of this process may hold the election: that is not this one's to give back. */
  #mastership: Mastership | null = null;
  #toldVersion = -1;

  constructor(election: Election, ports: CampaignerPorts) {
    this.#election = election;
    this.#ports = ports;
  }

  start(isCandidate: boolean): void {
    void this.#follow();
    if (isCandidate) this.#campaign();
  }

  obey(command: ElectionCommand): void {
    switch (command.type) {
      case 'synod.campaign':
        this.#campaign();
        break;
      case 'synod.withdraw':
        this.#withdraw('withdrawn');
        break;
      case 'synod.resign': {
        const { type: _, ...options } = command;
        this.#attempt(command, this.#mastership?.resign(options));
        break;
      }
      case 'synod.transfer':
        this.#attempt(command, this.#election.transfer(command.to));
        break;
    }
  }

  /** Tells nothing any more, and gives back what it holds. */
  stop(): void {
    if (this.#life.signal.aborted) return;
    this.#life.abort();
    this.#withdraw('its actor was stopped');
  }

  /** The present, and each change of it, until the group is left. */
  async #follow(): Promise<void> {
    for await (const { current, version } of this.#election.changes({ signal: this.#life.signal })) {
      this.#tellChange(current, version);
    }
    // Who asks for a mastership hears by its refusal why the group was left.
    if (this.#wish === null) this.#end(undefined);
  }

  #campaign(): void {
    if (this.#wish || this.#life.signal.aborted) return;
    const wish = new AbortController();
    this.#wish = wish;
    void this.#ask(wish.signal).catch((error: unknown) => {
      if (!wish.signal.aborted) this.#end(error instanceof ClosedError ? undefined : error);
    });
  }

  #withdraw(reason: string): void {
    this.#wish?.abort();
    this.#wish = null;
    void this.#mastership?.resign({ reason });
  }

  async #ask(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const mastership = await this.#election.campaign({ signal });
      // Over before its turn came, told or not (T5): nothing begins by it.
      if (signal.aborted || mastership.remainingMs() <= 0) void mastership.resign({ reason: 'over before it began' });
      else await this.#hold(mastership);
    }
  }

  /** Resolves when the mastership is over; told in the very step in which its signal aborts. */
  #hold(mastership: Mastership): Promise<void> {
    const { election, term, signal } = mastership;
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        letGo(this.#election, mastership);
        this.#mastership = null;
        this.#tell({ type: 'synod.master.lost', election, term, cause: (signal.reason as MastershipLostError).lostBy });
        resolve();
      });
      hold(this.#election, mastership);
      this.#mastership = mastership;
      // The news of it is on its way: whoever hears that this process is elected knows the record already.
      const { master } = this.#election;
      if (master?.term === term) this.#tellChange(master, master.version);
      const leaseMs = master?.leaseMs ?? mastership.remainingMs();
      this.#tell({ type: 'synod.master.elected', election, term, leaseMs });
    });
  }

  #attempt({ type: asked }: ElectionCommand, done: Promise<unknown> | undefined): void {
    done?.catch((error: unknown) => {
      const code = error instanceof SynodError ? error.code : 'ERR_SYNOD_INTERNAL';
      const message = error instanceof Error ? error.message : String(error);
      this.#tell({ type: 'synod.refused', election: this.#election.name, asked, code, message });
    });
  }

  #tellChange(current: Master | null, version: number): void {
    if (version <= this.#toldVersion) return;
    this.#toldVersion = version;
    this.#tell({ type: 'synod.master.changed', election: this.#election.name, current, version });
  }

  #tell(event: ElectionEvent): void {
    if (!this.#life.signal.aborted) this.#ports.tell(event);
  }

  #end(error: unknown): void {
    if (this.#life.signal.aborted) return;
    this.#life.abort();
    this.#ports.end(error);
  }
}
