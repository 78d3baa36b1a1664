import type { Clock } from '@synod/protocol';
import { type Group, rehearse } from '@synod/runtime';
import { systemClock, systemRandom } from './system-clock.ts';

/** What a process plays before it joins its first group: some 0.1 s, so that its first election is not its slowest. */
const MASTERSHIPS_FIRST = 2;
/** And later, beside its work: as often as it takes until a hand-over is no slower than the next; more only costs memory. */
const MASTERSHIPS_LATER = 8;
/** A twentieth of a lease apart. Where none is seen in five leases nobody is master. */
const LOOKS_FOR_RENEWAL = 100;

let first: Promise<unknown> | null = null;
let hasGoneOn = false;

const rehearsed = (masterships: number, signal?: AbortSignal): Promise<unknown> =>
  rehearse({
    // Without a boot clock, whose step takes long to measure.
    clock: { ...systemClock, bootNow: () => null },
    random: systemRandom,
    masterships,
    ...(signal && { signal }),
  }).catch(() => {});

/**
 * What the first `join` of a member or candidate in a process begins with: a short rehearsal in memory, some 0.1 s, so that
 * its first election is not its slowest. Called before, while something else is waited for, it is behind it when it joins.
 */
export async function prepare(): Promise<void> {
  first ??= rehearsed(MASTERSHIPS_FIRST);
  await first;
}

/** Once in a process; where a group is left before it has come to that, with the next one. */
export function goOnRehearsing(group: Group, leaseMs: number): void {
  if (hasGoneOn) return;
  hasGoneOn = true;
  afterRenewal(
    group,
    leaseMs,
    systemClock,
    (masterships, signal) => void rehearsed(masterships, signal),
    () => {
      hasGoneOn = false;
    },
  );
}

/**
 * Plays when a group has come to rest, right after a renewal was seen: a master that dies then is not replaced for a lease
 * (T2), and whoever is to replace it has no time for rehearsals.
 *
 * @param play - Is called once; the signal says that the group was left.
 * @param onLeft - Is called in its stead when the group was left before.
 */
export function afterRenewal(
  group: Pick<Group, 'status' | 'closed'>,
  leaseMs: number,
  clock: Pick<Clock, 'setTimeout' | 'clearTimeout'>,
  play: (masterships: number, signal: AbortSignal) => void,
  onLeft: () => void,
): void {
  const leaving = new AbortController();
  let hasBegun = false;
  let looks = 0;
  let seen = 0;
  const look = (): void => {
    const { position } = group.status();
    hasBegun = (looks > 0 && position !== seen) || looks === LOOKS_FOR_RENEWAL;
    seen = position;
    looks++;
    // Some 20 ms each: done within the lease.
    if (hasBegun) play(Math.min(MASTERSHIPS_LATER, Math.floor(leaseMs / 50)), leaving.signal);
    else timer = clock.setTimeout(look, leaseMs / 20);
  };
  let timer = clock.setTimeout(look, leaseMs);
  void group.closed.then(() => {
    clock.clearTimeout(timer);
    leaving.abort();
    if (!hasBegun) onLeft();
  });
}
