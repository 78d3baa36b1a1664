import type { Applied } from '@synod/mastership';
import type { Recovered } from '@synod/paxos';
import type { Address, Incarnation, JournalRecord, Message, NodeId } from '@synod/protocol';
import type { Master, Mastership } from '@synod/runtime';
import type { Machine } from '../world/machine.ts';
import type { Life } from './life.ts';

/** A write that a master makes to a resource, as it arrives there. */
export interface Act {
  readonly life: Life;
  readonly election: string;
  readonly term: number;
  /** When the master decided to act. */
  readonly decidedMs: number;
  readonly isFenced: boolean;
  /** What the resource says: a fenced one refuses older terms than it has seen. */
  readonly isAccepted: boolean;
}

/** What can be seen of a group from outside, each as it happens. Every part may be left out. */
export interface GroupWatcher {
  /** A process began, with a store and an incarnation. */
  began?(life: Life): void;
  /** It died, was killed, left or failed. */
  ended?(life: Life): void;
  /** A record was given to the journal; it is not durable yet. */
  noted?(life: Life, record: JournalRecord): void;
  /** A record is durable on this disk. */
  durable?(machine: Machine, storeId: string, record: JournalRecord): void;
  /** Its journal was read: what it makes of it. */
  recovered?(life: Life, recovered: Recovered): void;
  /** What this store says counts here: it is none that was rolled back, by the rules of the run (I2). */
  believed?(life: Life, storeId: string, incarnation: Incarnation): void;
  /** A message left its process. */
  said?(life: Life, address: Address, message: Message): void;
  heard?(life: Life, from: NodeId, message: Message, sentMs: number): void;
  dropped?(from: NodeId, to: NodeId, message: Message, sentMs: number): void;
  /** A command of the machine `master` was applied at its position. */
  applied?(life: Life, applied: Applied): void;
  /** A snapshot took the place of the fold's state; `position` is that of its last command. */
  restored?(life: Life, position: number): void;
  elected?(life: Life, term: number, election: string): void;
  renewed?(life: Life, term: number, election: string): void;
  deposed?(life: Life, term: number, lostBy: string, election: string): void;
  /** Whoever listens was told who is master of an election now. */
  changed?(life: Life, election: string, master: Master | null): void;
  /** A service was given a mastership. */
  given?(life: Life, mastership: Mastership): void;
  /** A service was told that what it resigned is free. */
  resigned?(life: Life, mastership: Mastership): void;
  /** A service was told that whom it named is master now. */
  transferred?(life: Life, election: string, to: NodeId, term: number): void;
  /** Work that a service does by `run` begins. */
  effectBegan?(life: Life, mastership: Mastership): void;
  /** A service was told that it was done. */
  effectDone?(life: Life, mastership: Mastership): void;
  /** Its health was asked whether it may be master. */
  healthAsked?(life: Life, isEligible: boolean): void;
  /** A write reached a resource. */
  acted?(act: Act): void;
}

/** All of them, one after the other; what none of them wants is left out, so that it costs nothing. */
export function combined(watchers: readonly GroupWatcher[]): GroupWatcher {
  const all: Record<string, unknown> = {};
  for (const name of NAMES) {
    const heard: Call[] = [];
    for (const watcher of watchers) {
      const hear = watcher[name];
      if (hear) heard.push(hear.bind(watcher) as Call);
    }
    const [first] = heard;
    if (heard.length === 1) all[name] = first;
    else if (heard.length > 1) all[name] = inTurn(heard);
  }
  return all as GroupWatcher;
}

/** Made here and not in the loop above: there it was seen to keep whole worlds alive until the old generation was collected. */
const inTurn =
  (heard: readonly Call[]): Call =>
  (a, b, c, d) => {
    for (let i = 0; i < heard.length; i++) (heard[i] as Call)(a, b, c, d);
  };

type Call = (...parts: unknown[]) => void;

const NAMES = [
  'began',
  'ended',
  'noted',
  'durable',
  'recovered',
  'believed',
  'said',
  'heard',
  'dropped',
  'applied',
  'restored',
  'elected',
  'renewed',
  'deposed',
  'changed',
  'given',
  'resigned',
  'transferred',
  'effectBegan',
  'effectDone',
  'healthAsked',
  'acted',
] as const satisfies readonly (keyof GroupWatcher)[];
