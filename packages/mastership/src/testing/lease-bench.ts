import { type Command, type CommandId, commandId, type Drift, incarnationOf } from '@synod/protocol';
import { seededRandom, VirtualClock } from '@synod/protocol/testing';
import { createActor } from 'xstate';
import { decodeMasterCommand, encodeMasterCommand, type MasterCommand } from '../commands.ts';
import { MasterFold } from '../fold/master-fold.ts';
import { HolderClock } from '../holder-clock.ts';
import { Candidacies, type CandidacyEvent } from '../lease/candidacies.ts';
import { candidateMachine } from '../lease/candidate.machine.ts';
import type { CandidateContext, SessionContext } from '../lease/lease.context.ts';
import type { LeaseRules } from '../lease/lease.rules.ts';
import type { CandidateEvent, CandidateInput, LeaseEvent, SessionInput } from '../lease/lease.types.ts';
import { isMaster, licence, remainingMs } from '../lease/licence.ts';
import { sessionMachine } from '../lease/session.machine.ts';

export const DRIFT: Drift = { maxDriftPpm: 10_000, guardDivisor: 100 };

/** Steady instead of random, so that a test can say the instant: renewals at a quarter of the lease, half of all jitter. */
const halfway = { next: () => 0.5, id: () => 'unused' };

export type Emitted<Type extends CandidacyEvent['type']> = Extract<CandidacyEvent, { type: Type }>;

export type BenchInput = Partial<SessionInput> &
  Partial<Pick<CandidateInput, 'priority' | 'metadata' | 'heirOf' | 'standsBy'>> & {
    rules?: LeaseRules;
    clock?: VirtualClock;
    seed?: number;
  };

const LEASE_EVENTS: ReadonlySet<string> = new Set<LeaseEvent['type']>([
  'applied',
  'seen',
  'outcome',
  'caughtUp',
  'leading',
  'standby',
  'leaseMs',
  'journal.failed',
  'lapsed',
]);

/** One node, `a`, over a log that the test writes by hand; a candidate for `group` unless told. A lease lasts 1000 ms. */
export class Bench {
  readonly clock: VirtualClock;
  readonly fold = new MasterFold();
  readonly holderClock: HolderClock;
  readonly actor;
  readonly candidacies: Candidacies;
  readonly emitted: CandidacyEvent[] = [];
  position = 0;
  /** The machines are told nothing of what is applied, as between the two. */
  isDeaf = false;
  isStopped = false;
  #others = 0;
  readonly #listeners: ((event: Emitted<'propose'>) => void)[] = [];

  constructor(input: BenchInput = {}) {
    const { rules, seed, priority, metadata, heirOf, standsBy = true, ...rest } = input;
    this.clock = input.clock ?? new VirtualClock();
    const { clock } = this;
    const leaseMs = input.leaseMs ?? 1_000;
    this.holderClock = new HolderClock({ clock, leaseMs });
    this.actor = createActor(sessionMachine(rules), {
      clock,
      input: {
        self: 'a',
        incarnation: 'a1',
        leaseMs,
        drift: DRIFT,
        random: seed === undefined ? halfway : seededRandom(seed),
        holderClock: this.holderClock,
        view: this.fold.view,
        ...rest,
        clock,
      },
    });
    const machine = candidateMachine(rules);
    const own = {
      ...(priority === undefined ? {} : { priority }),
      ...(metadata && { metadata }),
      ...(heirOf && { heirOf, standsBy }),
    };
    this.candidacies = new Candidacies({
      session: this.actor,
      candidate: (given) => createActor(machine, { clock, input: { ...given, ...own } }),
      later: (work, delayMs) => clock.setTimeout(work, delayMs),
      tell: (event) => {
        this.emitted.push(event);
        if (event.type === 'stopped') this.isStopped = true;
        if (event.type === 'propose') for (const listener of this.#listeners) listener(event);
      },
    });
    this.fold.onApplied(({ id, applied, reason, news }) => {
      if (this.isDeaf) return;
      if (news) this.send({ type: 'applied', news });
      if (incarnationOf(id) !== 'a1') return;
      this.send(reason ? { type: 'outcome', id, applied, reason } : { type: 'outcome', id, applied });
    });
    this.actor.start();
  }

  onPropose(listener: (event: Emitted<'propose'>) => void): void {
    this.#listeners.push(listener);
  }

  /** To the node, or to its candidate for `election`. */
  send(event: LeaseEvent | CandidateEvent, election = 'group'): void {
    if (LEASE_EVENTS.has(event.type) || 'mode' in event) this.candidacies.send(event as LeaseEvent);
    else this.candidacies.tell(election, event as CandidateEvent);
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

  otherRenews(session: number, leaseMs = 1_000, incarnation = 'b1'): number {
    const expectedVersion = this.fold.view.session(session)?.version ?? 0;
    return this.other({ type: 'renew', session, expectedVersion, leaseMs }, incarnation);
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

  all<Type extends CandidacyEvent['type']>(type: Type): Emitted<Type>[] {
    return this.emitted.filter((event): event is Emitted<Type> => event.type === type);
  }

  get withdrawn(): CommandId[] {
    return this.all('withdraw').map(({ id }) => id);
  }

  get record() {
    return this.fold.view.record('group');
  }

  /** Of the session. */
  get context(): SessionContext {
    return this.actor.getSnapshot().context;
  }

  candidate(election = 'group'): CandidateContext {
    const candidate = this.candidacies.candidate(election);
    if (!candidate) throw new Error(`nobody has spoken to the candidate for ${election}`);
    return candidate.getSnapshot().context;
  }

  /** Of the candidacy. */
  state(election = 'group'): unknown {
    return this.candidacies.candidate(election)?.getSnapshot().value;
  }

  /** Of the session. */
  get session(): unknown {
    const { value } = this.actor.getSnapshot();
    return typeof value === 'object' ? (value.running as { session: unknown }).session : value;
  }

  isMaster(election = 'group'): boolean {
    return this.candidacies.candidate(election) !== undefined && isMaster(this.candidate(election));
  }

  licence(election = 'group') {
    return licence(this.candidate(election));
  }

  get remainingMs(): number {
    return remainingMs(this.candidate());
  }
}

/** The asked-for content of a command. */
export const contentOf = (command: Command): MasterCommand => decodeMasterCommand(command.body) as MasterCommand;
