import { VirtualClock } from '@synod/protocol/testing';
import type { Group, GroupStatus } from '@synod/runtime';
import { describe, expect, it } from 'vitest';
import { afterRenewal } from './rehearsals.ts';

const LEASE_MS = 1_000;

function group(leaseMs = LEASE_MS) {
  const clock = new VirtualClock();
  const { promise: closed, resolve: close } = Promise.withResolvers<Error | undefined>();
  const at = { position: 7 };
  const status = () => ({ position: at.position }) as GroupStatus;
  const played: { readonly atMs: number; readonly masterships: number; readonly signal: AbortSignal }[] = [];
  let left = 0;
  afterRenewal(
    { status, closed } satisfies Pick<Group, 'status' | 'closed'>,
    leaseMs,
    clock,
    (masterships, signal) => played.push({ atMs: clock.now(), masterships, signal }),
    () => left++,
  );
  const startMs = clock.now();
  const leave = async () => {
    close(undefined);
    await closed;
    return left;
  };
  return { clock, at, played, leave, sinceStartMs: () => (played[0]?.atMs ?? Number.NaN) - startMs };
}

describe('the later rehearsal', () => {
  it('begins within a twentieth of a lease after a command was seen, a lease after joining at the earliest', () => {
    const { clock, at, played, sinceStartMs } = group();
    at.position++;
    clock.advance(LEASE_MS - 1);
    at.position++;
    clock.advance(190);
    expect(played).toEqual([]);
    at.position++;
    clock.advance(LEASE_MS / 20 + 1);
    expect(sinceStartMs()).toBe(1_200);
    at.position++;
    clock.advance(10 * LEASE_MS);
    expect(played.map(({ masterships }) => masterships)).toEqual([8]);
  });

  it('does not wait for ever where nobody is master', () => {
    const { clock, played, sinceStartMs } = group();
    clock.advance(6 * LEASE_MS - 1);
    expect(played).toEqual([]);
    clock.advance(1);
    expect(sinceStartMs()).toBe(6 * LEASE_MS);
  });

  it('is shorter where the lease is', () => {
    const { clock, played } = group(200);
    clock.advance(2_000);
    expect(played.map(({ masterships }) => masterships)).toEqual([4]);
  });

  it('ends when the group is left, and is the business of the next group when it had not begun', async () => {
    const early = group();
    expect(await early.leave()).toBe(1);
    early.clock.advance(10 * LEASE_MS);
    expect(early.played).toEqual([]);

    const late = group();
    late.clock.advance(6 * LEASE_MS);
    expect(late.played[0]?.signal.aborted).toBe(false);
    expect(await late.leave()).toBe(0);
    expect(late.played[0]?.signal.aborted).toBe(true);
  });
});
