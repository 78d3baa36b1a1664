import { type NodeId, NoQuorumError, TimeoutError } from '@synod/protocol';
import type { Election, ElectionOptions, Group, Mastership } from '@synod/runtime';
import type { Life } from '../group/life.ts';
import type { GroupWatcher } from '../group/watcher.ts';
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
  /** What it does by `run` takes up to so much of the lease; nothing is drawn for 0. */
  readonly lasting: number;
}

/** How a service stands for one election. */
export interface Campaign {
  readonly election: string;
  /** In this election alone; that of its node where it is left out. */
  readonly priority?: number;
  /** `null` for who holds on for as long as it can. */
  readonly turns: Turns | null;
}

/** Gives back by itself, and comes again; in leases. */
export interface Turns {
  readonly holds: number;
  readonly rests: number;
  /** Asks for no longer than this, then rests; `null` for as long as it takes. */
  readonly patience: number | null;
  /** After so many turns it asks no more, ever; what else its node holds it holds on to. `null`: it comes again and again. */
  readonly rounds: number | null;
}

export interface UserOptions {
  readonly life: Life;
  readonly campaign: Campaign;
  readonly resources: Resources;
  readonly manners: UserManners;
  readonly chance: Chance;
  readonly watcher: GroupWatcher;
}

const NOBODY: GroupWatcher = {};

/** A service that asks for one election and works while it is master, its term attached to each act. */
export class User {
  readonly campaign: Campaign;
  readonly #life: Life;
  readonly #resources: Resources;
  readonly #manners: UserManners;
  readonly #chance: Chance;
  readonly #watcher: GroupWatcher;
  #election: Election | null = null;
  #mastership: Mastership | null = null;
  /** Takes no turns any more. */
  #isStaying = false;
  /** Ends a rest between two turns. */
  #wake: () => void = () => {};
  /** Ends a pause between two writes. */
  #stop: () => void = () => {};
  #hasRetired = false;

  constructor(options: UserOptions) {
    const { life, campaign, resources, manners, chance, watcher } = options;
    this.#life = life;
    this.campaign = campaign;
    this.#resources = resources;
    this.#manners = manners;
    this.#chance = chance;
    this.#watcher = watcher;
  }

  /** Who hears of it. What a process still computes in the step in which it was killed reaches nobody. */
  get #heard(): GroupWatcher {
    return this.#life.ending ? NOBODY : this.#watcher;
  }

  /** It asks no more. */
  get hasRetired(): boolean {
    return this.#hasRetired;
  }

  begin(group: Group): void {
    const { election: name, priority, turns } = this.campaign;
    const options: ElectionOptions = priority === undefined ? {} : { priority };
    const election = group.election(name, options);
    this.#election = election;
    const asking = turns
      ? this.#takeTurns(election, turns)
      : election.runWhileMaster((mastership) => this.#work(mastership));
    // The group was left: its life has ended, and says why.
    asking.catch(() => {});
  }

  /** From now on it asks without rest, and holds on to what it has. */
  stay(): void {
    this.#isStaying = true;
    this.#wake();
  }

  /** Gives back what it holds, if it holds anything; in favour of `to`, if that agrees. */
  resign(to?: NodeId): void {
    void this.#mastership?.resign(to === undefined ? {} : { to }).catch(() => {});
  }

  /** Hands over what it holds, if the other agrees. */
  transfer(to: NodeId): void {
    const { election } = this.campaign;
    const asked = this.#election?.transfer(to);
    asked?.then(({ term }) => this.#heard.transferred?.(this.#life, election, to, term)).catch(() => {});
  }

  async #takeTurns(election: Election, { holds, rests, patience, rounds }: Turns): Promise<void> {
    const { leaseMs } = this.#life;
    const isLast = (round: number): boolean => rounds !== null && round > rounds && !this.#isStaying;
    for (let round = 1; !isLast(round); round++) {
      const isPatient = patience === null || this.#isStaying;
      const mastership = await unlessLate(election.campaign(isPatient ? {} : { timeoutMs: patience * leaseMs }));
      if (mastership) {
        await this.#work(mastership, holds * leaseMs).catch(() => {});
        await mastership.resign();
        this.#heard.resigned?.(this.#life, mastership);
      }
      if (this.#isStaying) continue;
      await this.#pause(rests * leaseMs, (wake) => {
        this.#wake = wake;
      });
    }
    this.#hasRetired = true;
  }

  async #work(mastership: Mastership, forMs = Number.POSITIVE_INFINITY): Promise<void> {
    this.#mastership = mastership;
    this.#heard.given?.(this.#life, mastership);
    const { leaseMs, process } = this.#life;
    const { pace, stubborn, stubbornFor } = this.#manners;
    const untilMs = process.clock.now() + forMs;
    const { signal } = mastership;
    signal.addEventListener('abort', () => this.#stop(), { once: true });
    while (!signal.aborted) {
      await this.#act(mastership);
      if (!signal.aborted) {
        await this.#pause(Math.min(pace * leaseMs, forMs), (stop) => {
          this.#stop = stop;
        });
      }
      if (!this.#isStaying && process.clock.now() >= untilMs) return;
    }
    if (!this.#chance.happens(stubborn)) return;
    await this.#pause(this.#chance.between(0, stubbornFor * leaseMs));
    // It never looked at its signal: the fence is the guard.
    this.#write(mastership.term);
  }

  async #act(mastership: Mastership): Promise<void> {
    const { lasting } = this.#manners;
    await mastership.run((term) => {
      this.#heard.effectBegan?.(this.#life, mastership);
      this.#write(term);
      return lasting > 0 ? this.#pause(this.#chance.between(0, lasting * this.#life.leaseMs)) : undefined;
    });
    this.#heard.effectDone?.(this.#life, mastership);
  }

  #write(term: number): void {
    const delayMs = this.#chance.between(0, this.#manners.transit * this.#life.leaseMs);
    this.#resources.write(this.#life, this.campaign.election, term, delayMs);
  }

  /** @param wakeable - Is given what ends the pause early. */
  #pause(ms: number, wakeable: (wake: () => void) => void = () => {}): Promise<void> {
    return new Promise((resolve) => {
      wakeable(resolve);
      this.#life.process.clock.setTimeout(resolve, ms);
    });
  }
}

/** `null` when nobody has waited long enough. */
async function unlessLate(asking: Promise<Mastership>): Promise<Mastership | null> {
  try {
    return await asking;
  } catch (error) {
    if (error instanceof TimeoutError || error instanceof NoQuorumError) return null;
    throw error;
  }
}
