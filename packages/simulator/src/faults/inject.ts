import type { NodeId } from '@synod/protocol';
import { GROUP_ELECTION, GUARD_DIVISOR, type LiveSettings } from '@synod/runtime';
import type { Life } from '../group/life.ts';
import type { SimGroup } from '../group/sim-group.ts';
import type { Chance } from '../world/chance.ts';
import type { DiskImage } from '../world/disk.ts';
import type { Link, LinkManners } from '../world/network.ts';
import type { Fault } from './fault.ts';

/** What faults act on. */
export interface Victim {
  readonly group: SimGroup;
  readonly chance: Chance;
  /** The node's process is gone; it starts again after so long. */
  down(node: NodeId, forMs: number): void;
  /** Gives the election back, if it is this life that holds it; in favour of `to`, if that agrees (T8). */
  resign(life: Life, election: string, to?: NodeId): void;
  /** Hands it over, if `to` agrees. */
  transfer(life: Life, election: string, to: NodeId): void;
  setVeto(node: NodeId, isVetoed: boolean): void;
  /** A store that peers must not believe any more, and do not as long as it was opened less often than this (I2). */
  outcast(storeId: string, believedFrom: number): void;
  /** The same, until any other process begins: that the folder was put back stands in no journal, but in memories. */
  outcastWhileRemembered(node: NodeId): void;
  isOutcast(node: NodeId): boolean;
  /** The machine has slept, and no clock that was looked at since says so: until then. */
  unawareUntil(node: NodeId, atMs: number): void;
  /** What the node's folder held at its earlier openings. */
  imagesOf(node: NodeId): readonly DiskImage[];
}

/** Undoes a fault that lasts. */
export type Heal = () => void;

const nothing: Heal = () => {};

/** Lets a fault happen now. @returns what ends it, `null` if it could not happen. */
export function inject(fault: Fault, victim: Victim): Heal | null {
  const { group, chance } = victim;
  const { world, network } = group;
  switch (fault.kind) {
    case 'loss':
    case 'repeat':
    case 'reorder':
      return misbehave(victim, fault, { [fault.kind]: fault.rate });
    case 'delay':
      return misbehave(victim, fault, { late: fault.rate, lateMs: fault.lateMs });
    case 'partition':
      return cut(linksBetween(group, fault.sides, fault.isOneWay));
    case 'stall': {
      const untilMs = world.nowMs + fault.forMs;
      for (const link of linksOf(group, fault.node)) {
        if (fault.way !== 'both' && (fault.way === 'in') !== (link.to === fault.node)) continue;
        link.stalledUntilMs = Math.max(link.stalledUntilMs, untilMs);
      }
      return nothing;
    }
    case 'disconnect':
      network.setOnline(fault.node, false);
      return () => network.setOnline(fault.node, true);
    case 'flood':
      return flood(victim, fault);
    case 'replay': {
      const captured = fault.of === 'commands' ? network.asked : network.captured;
      if (captured.length === 0) return null;
      for (let i = 0; i < fault.messages; i++) network.inject(chance.one(captured));
      return nothing;
    }
    case 'noise': {
      for (let i = 0; i < fault.messages; i++) {
        const payload = new Uint8Array(chance.whole(0, 200));
        for (let at = 0; at < payload.length; at++) payload[at] = chance.whole(0, 255);
        const role = chance.one(['acceptor', 'proposer', 'learner', 'identity', 'formation'] as const);
        network.inject({ from: chance.one(group.names), address: { role, to: fault.node }, payload });
      }
      return nothing;
    }
    case 'crash':
    case 'reboot': {
      const life = group.life(fault.node);
      if (!life || life.ending) return null;
      const die = (): void => {
        if (life.ending) return;
        life.kill();
        if (fault.kind === 'reboot') group.machine(fault.node).clock.reboot(world.nowMs);
        victim.down(fault.node, fault.downMs);
      };
      if (fault.calls === 0) die();
      else life.process.after(fault.calls, die);
      return nothing;
    }
    case 'restart': {
      const life = group.life(fault.node);
      if (!life?.group || life.ending) return null;
      victim.down(fault.node, fault.downMs);
      world.planStep(life.process, world.nowMs, () => void life.group?.close());
      return nothing;
    }
    case 'pause': {
      const process = group.life(fault.node)?.process;
      if (!process || process.isDead || process.isPaused) return null;
      process.pause();
      return () => process.resume(fault.first);
    }
    case 'block': {
      const process = group.life(fault.node)?.process;
      if (!process || process.isDead) return null;
      process.after(fault.calls, () => process.hold(fault.forMs));
      return nothing;
    }
    case 'suspend': {
      const { clock } = group.machine(fault.node);
      const process = group.life(fault.node)?.process;
      if (clock.isAsleep || (process && process.busyUntilMs > world.nowMs)) return null;
      if (world.nowMs - clock.setBackAtMs < betweenLooksMs(victim, fault.node)) return null;
      clock.sleep(world.nowMs);
      return () => wake(group, fault.node);
    }
    case 'wall clock': {
      const { clock } = group.machine(fault.node);
      const isHidden = clock.isAsleep || world.nowMs - clock.wokeAtMs < betweenLooksMs(victim, fault.node);
      if (fault.byMs < 0 && isHidden) return null;
      clock.stepWall(world.nowMs, fault.byMs);
      return nothing;
    }
    case 'drift': {
      const { clock } = group.machine(fault.node);
      clock.setRate(world.nowMs, fault.rate);
      return () => clock.setRate(world.nowMs, group.settingsOf(fault.node).rate);
    }
    case 'timers': {
      return group.machine(fault.node).timers.lay({ earlyMs: 1, late: 0.5, lateMs: fault.lateMs });
    }
    case 'slow disk': {
      return group.machine(fault.node).disk.manners.lay({ minMs: 0, maxMs: 2 * fault.flushMs });
    }
    case 'full disk': {
      return group.machine(fault.node).disk.manners.lay({ failure: 'no space left on device (ENOSPC)' });
    }
    case 'bit flip': {
      const { disk } = group.machine(fault.node);
      group.crash(fault.node);
      victim.down(fault.node, fault.downMs);
      return disk.flip() ? nothing : null;
    }
    case 'wipe': {
      const { disk } = group.machine(fault.node);
      if (twins(group).size > 0 && !isRemembered(victim, fault.node)) return null;
      group.crash(fault.node);
      victim.down(fault.node, fault.downMs);
      victim.outcast(disk.storeId, Number.POSITIVE_INFINITY);
      disk.wipe();
      return nothing;
    }
    case 'roll back':
      return rollBack(victim, fault);
    case 'twin': {
      if (!group.life(fault.node)?.isReady || !isRemembered(victim, fault.node)) return null;
      const twin = group.startTwin(fault.node);
      return () => twin.kill();
    }
    case 'veto':
      victim.setVeto(fault.node, true);
      return () => victim.setVeto(fault.node, false);
    case 'isolate': {
      const master = masterOf(group, fault.election);
      if (!master) return null;
      return fault.lateMs === null ? cutOff(group, master.node) : muffle(group, master.node, fault.lateMs);
    }
    case 'sleep':
      return sleep(victim, fault);
    case 'resign':
      return asMaster(group, fault.election, (life, election) => victim.resign(life, election));
    case 'hand over':
      return asMaster(group, fault.election, (life, election) => victim.resign(life, election, fault.to));
    case 'transfer':
      return asMaster(group, fault.election, (life, election) => victim.transfer(life, election, fault.to));
    case 'priority':
      return configure(group, fault.node, { priority: fault.priority });
    case 'lease':
      return configure(group, fault.node, { leaseMs: fault.leaseMs });
    case 'checkpoint':
      // The journal says that it has grown: the node does the rest by itself (P6).
      group.machine(fault.node).disk.bytesSinceCheckpoint += 4 * 1024 * 1024;
      return nothing;
  }
}

/** Whoever has a mastership of the election, given up or not; by default of the group. */
export const masterOf = ({ lives }: SimGroup, election: string = GROUP_ELECTION): Life | null =>
  [...lives].find((life) => life.mayHold && life.minds(election)) ?? null;

/** Whoever is master is told, in a step of its own. */
function asMaster(
  group: SimGroup,
  election: string = GROUP_ELECTION,
  order: (life: Life, election: string) => void,
): Heal | null {
  const { world } = group;
  const master = masterOf(group, election);
  if (!master) return null;
  world.planStep(master.process, world.nowMs, () => order(master, election));
  return nothing;
}

function configure(group: SimGroup, node: NodeId, settings: LiveSettings): Heal | null {
  const life = group.life(node);
  if (!life?.group || life.ending) return null;
  group.world.planStep(life.process, group.world.nowMs, () => life.group?.configure(settings));
  return nothing;
}

/**
 * T9: between two ticks a sleep shows in the wall clock alone. Put back in the very same time, it hides that much of the sleep
 * until the next tick reads the boot clock: no clock that is looked at says so, and the model leaves it out. Two ticks lie a
 * twentieth of a lease apart; timers may be late.
 */
const betweenLooksMs = ({ group }: Victim, node: NodeId): number =>
  group.settingsOf(node).leaseMs / 10 + 2 * group.machine(node).timers.now.lateMs;

function wake(group: SimGroup, node: NodeId): void {
  const { clock } = group.machine(node);
  clock.wake(group.world.nowMs);
  for (const life of group.lives) if (life.machine.clock === clock) life.process.release();
}

function sleep(victim: Victim, { election, sleepMs, isHidden }: Fault & { kind: 'sleep' }): Heal | null {
  const { group } = victim;
  const { world } = group;
  const node = masterOf(group, election)?.node;
  if (node === undefined) return null;
  const { clock } = group.machine(node);
  const isAwake = !clock.isAsleep && (group.life(node)?.process.busyUntilMs ?? 0) <= world.nowMs;
  if (!isAwake || (isHidden && !hasBootClock(group, node))) return null;
  const wallLeadMs = () => clock.wall(world.nowMs) - clock.monotonic(world.nowMs);
  const beforeMs = wallLeadMs();
  clock.sleep(world.nowMs);
  const connect = cutOff(group, node);
  const end = (): void => {
    if (!clock.isAsleep) return;
    if (isHidden) {
      clock.stepWall(world.nowMs, beforeMs - wallLeadMs());
      victim.unawareUntil(node, world.nowMs + betweenLooksMs(victim, node));
    }
    wake(group, node);
  };
  world.plan(world.nowMs + sleepMs, end);
  return () => {
    end();
    connect();
  };
}

/** One that counts (T9): what it leaves out of a sleep, its step at either end, is less than what a holder gives up by T1. */
function hasBootClock(group: SimGroup, node: NodeId): boolean {
  const { leaseMs, bootStepMs } = group.settingsOf(node);
  return bootStepMs !== null && bootStepMs <= leaseMs / 20 && 2 * bootStepMs < Math.max(5, leaseMs / GUARD_DIVISOR);
}

function misbehave({ group }: Victim, way: { from: string; to: string }, manners: Partial<LinkManners>): Heal {
  const isMeant = (end: string, node: NodeId): boolean => end === '*' || end === node;
  const links = linksWhere(group, (from, to) => isMeant(way.from, from) && isMeant(way.to, to));
  const heals = links.map((link) => link.manners.lay({ ...manners }));
  return () => {
    for (const heal of heals) heal();
  };
}

function cut(links: readonly Link[]): Heal {
  for (const link of links) link.cuts++;
  return () => {
    for (const link of links) link.cuts--;
  };
}

/** Nothing that the node says arrives any more, nor what it has said. */
export const silence = (group: SimGroup, node: NodeId): Heal =>
  cut(linksOf(group, node).filter(({ from }) => from === node));

/** Everything that the node hears and says is cut. */
export const cutOff = (group: SimGroup, node: NodeId): Heal => cut(linksOf(group, node));

/**
 * What the node hears comes late by up to `lateMs`. Half-way there nobody hears it any more: what it asked for just before is
 * granted, and it learns of that when the others wait for it already.
 */
function muffle(group: SimGroup, node: NodeId, lateMs: number): Heal {
  const { world } = group;
  const links = linksOf(group, node);
  const untilMs = world.nowMs + lateMs;
  for (const link of links) if (link.to === node) link.stalledUntilMs = Math.max(link.stalledUntilMs, untilMs);
  let heal: Heal | null = nothing;
  world.plan(world.nowMs + lateMs / 2, () => {
    if (heal) heal = cut(links.filter(({ from }) => from === node));
  });
  return () => {
    heal?.();
    heal = null;
  };
}

const linksOf = (group: SimGroup, node: NodeId): Link[] =>
  linksWhere(group, (from, to) => from === node || to === node);

function linksWhere({ names, network }: SimGroup, isMeant: (from: NodeId, to: NodeId) => boolean): Link[] {
  const links: Link[] = [];
  for (const from of names)
    for (const to of names) if (from !== to && isMeant(from, to)) links.push(network.link(from, to));
  return links;
}

function linksBetween(group: SimGroup, sides: readonly (readonly NodeId[])[], isOneWay: boolean): Link[] {
  const links: Link[] = [];
  for (const [i, side] of sides.entries()) {
    for (const [j, other] of sides.entries()) {
      if (i === j || (isOneWay && i > j)) continue;
      // One-way: what the later side says does not reach the earlier one.
      for (const from of other) for (const to of side) links.push(group.network.link(from, to));
    }
  }
  return links;
}

/** The same captured messages over and over, those that make work first. */
function flood({ group, chance }: Victim, { node, messages, forMs }: Fault & { kind: 'flood' }): Heal | null {
  const { network, world } = group;
  const heavy = network.captured.filter(({ address }) => address.role === 'acceptor' || address.role === 'learner');
  if (heavy.length === 0) return null;
  for (let i = 0; i < messages; i++) {
    const { from, address, payload } = chance.one(heavy);
    world.plan(world.nowMs + chance.between(0, forMs), () =>
      network.inject({ from, address: { ...address, to: node }, payload }),
    );
  }
  return nothing;
}

/** Nodes of which a second process runs, in an empty folder of its own. */
function twins(group: SimGroup): ReadonlySet<NodeId> {
  const found = new Set<NodeId>();
  for (const { node, machine } of group.lives) if (machine !== group.machine(node)) found.add(node);
  return found;
}

/**
 * I5: a voter besides `node` will say what it keeps, if it keeps anything. Where all whom one can ask have forgotten, put back
 * or wiped or a twin in an empty folder, they begin anew, and are another group: the model leaves it out.
 */
function isRemembered({ group, isOutcast }: Victim, node: NodeId): boolean {
  const twinned = twins(group);
  return group.voters.some((voter) => voter !== node && !twinned.has(voter) && !isOutcast(voter));
}

/**
 * Puts the folder back to an earlier opening. The model leaves out what peers cannot notice (section 1), so it happens only
 * where every other voter has seen, durably, a later opening than the next one will be.
 */
function rollBack(victim: Victim, { node, downMs }: Fault & { kind: 'roll back' }): Heal | null {
  const { group, down, outcast, imagesOf } = victim;
  const { disk } = group.machine(node);
  const { storeId } = disk;
  const seen = group.voters.filter((name) => name !== node).map((name) => seenOf(group, name, storeId));
  const image = imagesOf(node).find(
    (found) => found.storeId === storeId && seen.every((incarnations) => incarnations > found.incarnations + 1),
  );
  if (!image) return rollBackByOne(victim, node, downMs);
  if (seen.length === 0 || (twins(group).size > 0 && !isRemembered(victim, node))) return null;
  group.crash(node);
  down(node, downMs);
  outcast(storeId, Math.min(...seen));
  disk.restore(image);
  return nothing;
}

/**
 * Puts the folder back to its last opening: the next is counted as that one was. Only who remembers the life of that count can
 * tell, so it happens where every other voter does, and the model ends when one of them begins anew.
 */
function rollBackByOne({ group, down, outcastWhileRemembered, imagesOf }: Victim, node: NodeId, downMs: number) {
  const { disk } = group.machine(node);
  const last = group.life(node)?.incarnation;
  const image = imagesOf(node).at(-1);
  const others = group.voters.filter((name) => name !== node).map((name) => group.life(name));
  const isRemembered = others.every((life) => life && !life.ending && life.believed.get(disk.storeId) === last);
  if (image?.storeId !== disk.storeId || image.incarnations !== disk.incarnations - 1) return null;
  if (others.length === 0 || !isRemembered || twins(group).size > 0) return null;
  group.crash(node);
  down(node, downMs);
  outcastWhileRemembered(node);
  disk.restore(image);
  return nothing;
}

/** Highest opening of `storeId` that stands in the journal of `node` (I2). */
function seenOf(group: SimGroup, node: NodeId, storeId: string): number {
  let highest = 0;
  for (const data of group.machine(node).disk.records) {
    const record = group.codec.recordIn(data);
    if (record?.type === 'peer' && record.storeId === storeId) highest = Math.max(highest, record.incarnations);
  }
  return highest;
}
