import { type Command, type CommandId, commandId, type Drift, incarnationOf } from '@synod/protocol';
import { seededRandom, VirtualClock } from '@synod/protocol/testing';
import { createActor } from 'xstate';
import { decodeMasterCommand, encodeMasterCommand, type MasterCommand } from '../commands.ts';
import { MasterFold } from '../fold/master-fold.ts';
import { HolderClock } from '../holder-clock.ts';
import { leaseMachine } from './lease.machine.ts';
import type { LeaseRules } from './lease.rules.ts';
import type { LeaseEmitted, LeaseEvent, LeaseInput } from './lease.types.ts';
import { isMaster, remainingMs } from './licence.ts';

export const DRIFT: Drift = { maxDriftPpm: 10_000, guardDivisor: 100 };

/** Steady instead of random, so that a test can say the instant: renewals at a quarter of the lease, half of all jitter. */
const halfway = { next: () => 0.5, id: () => 'unused' };

export type Emitted<Type extends LeaseEmitted['type']> = Extract<LeaseEmitted, { type: Type }>;

/** One candidate, `a`, over a log that the test writes by hand. A lease lasts 1000 ms unless told. */
export class Bench {
  readonly clock: VirtualClock;
  readonly fold = new MasterFold();
  readonly holderClock: HolderClock;
  readonly actor;
  readonly emitted: LeaseEmitted[] = [];
  position = 0;
  /** The machine is told nothing of what is applied, as between the two. */
  isDeaf = false;
  #others = 0;

  constructor(input: Partial<LeaseInput> & { rules?: LeaseRules; clock?: VirtualClock; seed?: number } = {}) {
    const { rules, seed, ...rest } = input;
    this.clock = input.clock ?? new VirtualClock();
    const leaseMs = input.leaseMs ?? 1_000;
    this.holderClock = new HolderClock({ clock: this.clock, leaseMs });
    this.actor = createActor(leaseMachine(rules), {
      clock: this.clock,
      input: {
        self: 'a',
        incarnation: 'a1',
        leaseMs,
        drift: DRIFT,
        random: seed === undefined ? halfway : seededRandom(seed),
        holderClock: this.holderClock,
        view: this.fold.view,
        ...rest,
        clock: this.clock,
      },
    });
    this.actor.on('*', (event) => this.emitted.push(event as LeaseEmitted));
    this.fold.onApplied(({ id, applied, reason, news }) => {
      if (this.isDeaf) return;
      if (news) this.send({ type: 'applied', news });
      if (incarnationOf(id) !== 'a1') return;
      this.send(reason ? { type: 'outcome', id, applied, reason } : { type: 'outcome', id, applied });
    });
    this.actor.start();
  }

  send(event: LeaseEvent): void {
    if (this.actor.getSnapshot().status === 'active') this.actor.send(event);
  }

  /** Chooses a command: it is seen, and applied. @returns its position. */
  choose(command: Command): number {
    this.position += 1;
    this.send({ type: 'seen', id: command.id });
    this.fold.apply(this.position, command);
    return this.position;
  }

  /** A command of another incarnation, chosen now. */
  other(command: MasterCommand, incarnation = 'b1'): number {
    this.#others += 1;
    return this.choose(encodeMasterCommand(commandId(incarnation, this.#others), command));
  }

  /** Another node opens a session and becomes master with it. */
  otherMaster(leaseMs = 1_000): number {
    const take = { election: 'group', expectedVersion: this.record.version, holder: null, metadata: {} };
    return this.other({ type: 'open', node: 'b', incarnation: 'b1', leaseMs, take });
  }

  otherRenews(session: number, leaseMs = 1_000): number {
    const expectedVersion = this.fold.view.session(session)?.version ?? 0;
    return this.other({ type: 'renew', session, expectedVersion, leaseMs });
  }

  /** Wants, asks, and is chosen at once. @returns term and session. */
  becomeMaster(): number {
    this.send({ type: 'want' });
    this.clock.advance(100);
    return this.choose(this.last('open'));
  }

  /** What was asked for and neither chosen by the test nor forgotten: all proposals of a type, oldest first. */
  proposals(type: MasterCommand['type']): Command[] {
    const commands = this.all('propose').map(({ command }) => command);
    return commands.filter(({ body }) => decodeMasterCommand(body)?.type === type);
  }

  last(type: MasterCommand['type']): Command {
    const command = this.proposals(type).at(-1);
    if (!command) throw new Error(`nothing of type ${type} was proposed`);
    return command;
  }

  all<Type extends LeaseEmitted['type']>(type: Type): Emitted<Type>[] {
    return this.emitted.filter((event): event is Emitted<Type> => event.type === type);
  }

  get withdrawn(): CommandId[] {
    return this.all('withdraw').map(({ id }) => id);
  }

  get record() {
    return this.fold.view.record('group');
  }

  get context() {
    return this.actor.getSnapshot().context;
  }

  /** Of the candidacy. */
  get state(): unknown {
    const { value } = this.actor.getSnapshot();
    return typeof value === 'object' ? (value.running as { candidacy: unknown }).candidacy : value;
  }

  get isMaster(): boolean {
    return isMaster(this.context);
  }

  get remainingMs(): number {
    return remainingMs(this.context);
  }
}

/** The asked-for content of a command. */
export const contentOf = (command: Command): MasterCommand => decodeMasterCommand(command.body) as MasterCommand;
