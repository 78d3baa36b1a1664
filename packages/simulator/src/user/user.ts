import type { Group, Mastership } from '@synod/runtime';
import type { Life } from '../group/life.ts';
import type { Chance } from '../world/chance.ts';
import type { Resources } from './resource.ts';

export interface UserManners {
  /** Time between two writes of a master, as a part of the lease. */
  readonly pace: number;
  /** A write is under way for up to so much of the lease. */
  readonly transit: number;
  /** Chance that work goes on after its mastership is lost, and for how much of the lease (fault 29). */
  readonly stubborn: number;
  readonly stubbornFor: number;
}

/** A service that campaigns for ever and works while it is master, its term attached to each act. */
export class User {
  readonly #life: Life;
  readonly #resources: Resources;
  readonly #manners: UserManners;
  readonly #chance: Chance;
  #mastership: Mastership | null = null;

  constructor(life: Life, resources: Resources, manners: UserManners, chance: Chance) {
    this.#life = life;
    this.#resources = resources;
    this.#manners = manners;
    this.#chance = chance;
  }

  campaign(group: Group): void {
    group
      .election()
      .runWhileMaster((mastership) => this.#work(mastership))
      // The group was left: its life has ended, and says why.
      .catch(() => {});
  }

  /** Gives back what it holds, if it holds anything. */
  resign(): void {
    void this.#mastership?.resign().catch(() => {});
  }

  async #work(mastership: Mastership): Promise<void> {
    this.#mastership = mastership;
    const { leaseMs } = this.#life;
    const { pace, stubborn, stubbornFor } = this.#manners;
    while (!mastership.signal.aborted) {
      await mastership.run((term) => this.#write(term));
      await this.#pause(pace * leaseMs, mastership.signal);
    }
    if (!this.#chance.happens(stubborn)) return;
    await this.#pause(this.#chance.between(0, stubbornFor * leaseMs));
    // It never looked at its signal: the fence is the guard.
    this.#write(mastership.term);
  }

  #write(term: number): void {
    this.#resources.write(this.#life, term, this.#chance.between(0, this.#manners.transit * this.#life.leaseMs));
  }

  #pause(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      this.#life.process.clock.setTimeout(wake, ms);
      signal?.addEventListener('abort', wake);
    });
  }
}
