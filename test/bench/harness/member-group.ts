import { EventEmitter, once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { HistoryLine } from 'synod';
import type { Lab } from './lab.ts';
import { msOfNs } from './machine-clock.ts';
import { MemberProcess } from './member-process.ts';

export const VOTERS = ['n1', 'n2', 'n3'] as const;

/** A mastership as its holder's history tells it. */
export interface Reign {
  readonly node: string;
  readonly term: number;
  /** `acquired`, on the machine's clock. */
  readonly atMs: number;
  /** From the first sight of the last renewal of the master before; `null` where it is not asked for, or there was none. */
  readonly sinceSightMs: number | null;
}

export interface MemberGroupOptions {
  readonly leaseMs: number;
  readonly tellsSights?: boolean;
  /** Members run from what {@link build} made, as users run them, instead of from the sources. */
  readonly isBuilt?: boolean;
  /** Default: after the lease. Another one where a bench has several groups: terms begin anew in each. */
  readonly name?: string;
  /** Hears each line of all histories, besides the lab. */
  readonly onHistory?: (line: HistoryLine) => void;
  /** Members tell no history, and campaign for nothing but what they are told to. */
  readonly isQuiet?: boolean;
  /** By how much renewals are told later; default 20. */
  readonly renewalsWaitMs?: number;
}

/** Where members find NATS: one server for all, or for each a list, the first one first. */
export type Servers = { readonly url: string } | ((node: string) => readonly string[]);

/** Three members, three processes, and NATS: their histories go to the lab as they are written. */
export class MemberGroup {
  readonly name: string;
  readonly #lab: Lab;
  readonly #options: MemberGroupOptions;
  readonly #servers: Servers;
  readonly #folder: string;
  readonly #members = new Map<string, MemberProcess>();
  readonly #reigns = new EventEmitter();
  #latest: Reign | null = null;
  #isReigning = false;

  private constructor(lab: Lab, options: MemberGroupOptions, servers: Servers, folder: string) {
    this.name = options.name ?? `bench-${options.leaseMs}`;
    this.#lab = lab;
    this.#options = options;
    this.#servers = servers;
    this.#folder = folder;
  }

  /** Starts nobody yet. */
  static async create(lab: Lab, servers: Servers, options: MemberGroupOptions): Promise<MemberGroup> {
    return new MemberGroup(lab, options, servers, await lab.temporaryFolder());
  }

  /** All members joined, and one of them is master. */
  static async start(lab: Lab, servers: Servers, options: MemberGroupOptions): Promise<MemberGroup> {
    const group = await MemberGroup.create(lab, servers, options);
    const members = VOTERS.map((node) => group.spawn(node));
    await Promise.all(members.map((member) => member.said('joined')));
    if (!options.isQuiet) await group.masterAfter(0);
    return group;
  }

  get members(): MemberProcess[] {
    return [...this.#members.values()];
  }

  member(node: string): MemberProcess {
    const member = this.#members.get(node);
    if (!member) throw new Error(`${node} does not run`);
    return member;
  }

  /** The last to acquire, while it has not said that it lost it. */
  get master(): Reign | null {
    return this.#isReigning ? this.#latest : null;
  }

  /** The first mastership above `term`; waits for it. */
  async masterAfter(term: number): Promise<Reign> {
    const withinMs = 10 * this.#options.leaseMs + 20_000;
    const reached = async () => {
      while ((this.#latest?.term ?? 0) <= term) await once(this.#reigns, 'acquired', { signal: this.#lab.signal });
      return this.#latest as Reign;
    };
    return this.#lab.expect(`a master after term ${term} of ${this.name}`, reached(), withinMs);
  }

  /** Starts a member's process, its journal as its last one left it. */
  spawn(node: string, { waits = false } = {}): MemberProcess {
    const { leaseMs, tellsSights = false, isBuilt = false, isQuiet = false, renewalsWaitMs = 20 } = this.#options;
    const member = new MemberProcess(this.#lab, {
      servers: typeof this.#servers === 'function' ? this.#servers(node) : [this.#servers.url],
      group: this.name,
      node,
      voters: VOTERS,
      journal: join(this.#folder, node),
      leaseMs,
      waits,
      tellsSights,
      isQuiet,
      renewalsWaitMs,
      isBuilt,
      onHistory: (line, sinceSightMs) => this.#record(line, sinceSightMs),
    });
    this.#members.set(node, member);
    return member;
  }

  /** Starts a killed member again; resolves when it knows all that the present master knew. */
  async restart(node: string): Promise<void> {
    const member = this.spawn(node);
    await member.said('joined');
    await this.caughtUp(node);
  }

  /** Resolves when this member knows all that the present master knew. */
  async caughtUp(node: string): Promise<void> {
    const member = this.member(node);
    const { node: master, term } = await this.masterAfter(0);
    const { learnedThrough } = await this.member(master).status();
    const caughtUp = async () => {
      for (;;) {
        const status = await member.status();
        if (status.state === 'voter' && status.term >= term && status.learnedThrough >= learnedThrough) return;
        await delay(5, undefined, { signal: this.#lab.signal });
      }
    };
    await this.#lab.expect(`${node} caught up`, caughtUp());
  }

  /**
   * All members end in good order: the others stop asking, the master gives back while they can still vote on it, then all
   * leave. Whoever starts next finds a record that is free, and waits for nobody's lease.
   */
  async close(): Promise<void> {
    const master = this.master?.node;
    await Promise.all(this.members.filter(({ node }) => node !== master).map((member) => member.rest()));
    if (master !== undefined) await this.member(master).rest();
    await Promise.all(this.members.map((member) => member.close()));
    this.#members.clear();
  }

  #record(line: HistoryLine, sinceSightMs: number | null): void {
    this.#lab.record(line);
    this.#options.onHistory?.(line);
    const { event, node, term } = line;
    if (event === 'acquired' && term > (this.#latest?.term ?? 0)) {
      this.#latest = { node, term, atMs: msOfNs(line.at_ns), sinceSightMs };
      this.#isReigning = true;
      this.#reigns.emit('acquired');
    }
    if (event === 'lost' && term === this.#latest?.term) this.#isReigning = false;
  }
}
