import {
  type Command,
  decodeBatch,
  encodeBatch,
  MAX_BATCH_BYTES,
  MAX_COMMAND_BYTES,
  NO_OP,
  type NodeId,
} from '@synod/protocol';
import { VirtualClock } from '@synod/protocol/testing';
import { describe, expect, it } from 'vitest';
import { PaxosLog } from './log.ts';
import { command, LEASE_MS } from './testing/fixtures.ts';

const ids = (commands: readonly Command[]): string => commands.map(({ id }) => id).join();

/** A log of n1, and what it asked for. `draw` is what chance gives: 0.5 makes the wait of B1a exactly lease/3. */
function log(leader: NodeId | null = 'n2', draw = 0.5) {
  const clock = new VirtualClock();
  const asked: string[] = [];
  const now = { leader, isLeading: false, leaseMs: LEASE_MS };
  const made = new PaxosLog({
    self: 'n1',
    leaseMs: () => now.leaseMs,
    clock,
    random: { next: () => draw, id: () => 'id' },
    position: 99,
    isLeading: () => now.isLeading,
    leader: () => (now.isLeading ? 'n1' : now.leader),
    submit: (commands, isUrgent) => asked.push(`submit${isUrgent ? '!' : ''} ${ids(commands)}`),
    withdraw: (withdrawn) => asked.push(`withdraw ${withdrawn}`),
    append: (commands) => asked.push(`append ${ids(commands)}`),
    lead: (reason) => asked.push(`lead ${reason}`),
  });
  let slot = 0;
  return {
    log: made,
    clock,
    now,
    told: () => asked.splice(0),
    choose: (...commands: Command[]) => made.apply(++slot, encodeBatch(commands)),
  };
}

describe('propose', () => {
  it('while this node leads, submits here; commands of the machine master are urgent (B7)', async () => {
    const { log: l, now, told } = log();
    now.isLeading = true;
    l.propose(command('a/1'));
    l.propose(command('a/2', 'master'));
    await null;
    expect(told()).toEqual(['submit a/1', 'submit! a/2']);
  });

  it('of many in one turn the first is asked for at once, the others together at its end', async () => {
    const { log: l, told } = log();
    for (const number of [1, 2, 3, 4]) l.propose(command(`a/${number}`));
    l.withdraw('a/3');
    expect(told()).toEqual(['append a/1', 'withdraw a/3']);
    await null;
    expect(told()).toEqual(['append a/2,a/4']);
    l.propose(command('a/5'));
    expect(told()).toEqual(['append a/5']);
  });

  it('otherwise asks the leader to append', () => {
    const { log: l, told } = log();
    l.propose(command('a/1'));
    expect(told()).toEqual(['append a/1']);
  });

  it('a command that is pending is not asked for twice', () => {
    const { log: l, told } = log();
    l.propose(command('a/1'));
    l.propose(command('a/1'));
    expect(told()).toEqual(['append a/1']);
  });

  it('a command no batch can hold is refused', () => {
    const { log: l, told } = log();
    expect(() => l.propose(command('a/1', 'kv', MAX_COMMAND_BYTES))).toThrow(RangeError);
    expect(told()).toEqual([]);
  });
});

describe('B1a: the leader it asked has given no outcome for lease/3 ± a third', () => {
  it.each([
    [0, 2 / 9],
    [0.5, 1 / 3],
    [1, 4 / 9],
  ])('where chance draws %d: after %d of the lease', (draw, part) => {
    const { log: l, clock, told } = log('n2', draw);
    l.propose(command('a/1'));
    told();
    clock.advance(LEASE_MS * part - 2);
    expect(told()).not.toContain('lead command');
    clock.advance(4);
    expect(told()).toEqual(['lead command']);
  });

  it('T12: the lease is that in force, also when it became shorter after the wait was drawn', () => {
    const { log: l, clock, now, told } = log();
    l.propose(command('a/1'));
    clock.advance(LEASE_MS);
    told();
    l.withdraw('a/1');
    now.leaseMs = LEASE_MS / 10;
    for (let number = 2; number < 10 && !told().includes('lead command'); number++) {
      // What is given up and asked anew, as a candidate does after three quarters of its lease.
      l.propose(command(`a/${number}`));
      clock.advance(0.75 * now.leaseMs);
      if (told().includes('lead command')) return;
      l.withdraw(`a/${number}`);
    }
    expect.unreachable('nobody ever asked to lead');
  });

  it('the wait is that of the oldest command: newer ones do not restart it', () => {
    const { log: l, clock, told } = log();
    for (let number = 1; number <= 100; number++) {
      l.propose(command(`a/${number}`));
      clock.advance(LEASE_MS / 100);
      if (told().includes('lead command')) {
        expect(number).toBe(34);
        return;
      }
    }
    expect.unreachable('nobody ever asked to lead');
  });

  it('an outcome ends its wait; the next oldest has its own', () => {
    const { log: l, clock, told, choose } = log();
    l.propose(command('a/1'));
    clock.advance(900);
    l.propose(command('a/2'));
    choose(command('a/1'));
    told();
    clock.advance(999);
    expect(told()).not.toContain('lead command');
    clock.advance(2);
    expect(told()).toEqual(['lead command']);
  });

  it('a leader that answers in time is never taken for silent', () => {
    const { log: l, clock, told, choose } = log();
    for (let number = 1; number <= 100; number++) {
      l.propose(command(`a/${number}`));
      clock.advance(LEASE_MS / 50);
      choose(command(`a/${number}`));
    }
    expect(told().filter((line) => !line.startsWith('append'))).toEqual([]);
    clock.advance(LEASE_MS);
    expect(clock.nextAtMs()).toBeUndefined();
  });

  it('the leader is asked once more in the middle of the wait: a lost message is no silence', () => {
    const { log: l, clock, told } = log();
    l.propose(command('a/1'));
    clock.advance(LEASE_MS / 6 + 1);
    expect(told()).toEqual(['append a/1', 'append a/1']);
  });

  it('is said again for as long as there is no outcome', () => {
    const { log: l, clock, told } = log();
    l.propose(command('a/1'));
    clock.advance(LEASE_MS);
    expect(told().filter((line) => line === 'lead command').length).toBeGreaterThanOrEqual(2);
  });

  it('at once where nobody responds', () => {
    const { log: l, told } = log();
    l.noResponders();
    l.propose(command('a/1'));
    told();
    l.noResponders();
    expect(told()).toEqual(['lead command']);
  });

  it('at once where the leader is presumed silent, also for a command that is pending', () => {
    const { log: l, told } = log();
    l.propose(command('a/1'), { presumedSilent: 'n3' });
    expect(told()).toEqual(['append a/1']);
    l.propose(command('a/1'), { presumedSilent: 'n2' });
    l.propose(command('a/2'), { presumedSilent: 'n2' });
    expect(told()).toEqual(['lead command', 'lead command']);
  });

  it('at once where the leader is about to be presumed silent, and only then', () => {
    const { log: l, now, told } = log();
    l.aboutToPropose('n3');
    expect(told()).toEqual([]);
    l.aboutToPropose('n2');
    expect(told()).toEqual(['lead ahead']);
    now.isLeading = true;
    l.aboutToPropose('n2');
    expect(told()).toEqual([]);
  });

  it('where no leader is known it asks: who just came must not depose one that does well', () => {
    const { log: l, told } = log(null);
    l.propose(command('a/1'));
    expect(told()).toEqual(['append a/1']);
  });

  it('a leader here that gets nothing through is asked again, not deposed by itself', () => {
    const { log: l, clock, now, told } = log();
    now.isLeading = true;
    l.propose(command('a/1'));
    clock.advance(LEASE_MS);
    expect(new Set(told())).toEqual(new Set(['submit a/1']));
  });
});

describe('pending commands', () => {
  it('are asked again when leadership changes, here or elsewhere, and the new leader has its time', () => {
    const { log: l, clock, now, told } = log();
    l.propose(command('a/1', 'master'));
    l.propose(command('a/2'));
    clock.advance(800);
    told();
    now.leader = 'n3';
    l.leaderChanged();
    expect(told()).toEqual(['append a/1,a/2']);
    clock.advance(800);
    expect(told()).not.toContain('lead command');
    now.isLeading = true;
    l.leaderChanged();
    expect(told()).toEqual(['submit! a/1', 'submit a/2']);
    now.isLeading = false;
    now.leader = null;
    l.leaderChanged();
    expect(told()).toEqual(['append a/1,a/2']);
  });

  it('are asked in as many messages as they need', () => {
    const { log: l, now, told } = log(null);
    for (let number = 1; number <= 5; number++) l.propose(command(`a/${number}`, 'kv', MAX_BATCH_BYTES / 2 - 100));
    told();
    now.leader = 'n3';
    l.leaderChanged();
    expect(told()).toEqual(['append a/1,a/2', 'append a/3,a/4', 'append a/5']);
  });

  it('are forgotten when they are chosen or withdrawn', () => {
    const { log: l, now, told, choose } = log();
    for (const id of ['a/1', 'a/2', 'a/3']) l.propose(command(id));
    choose(command('a/2'));
    l.withdraw('a/3');
    l.withdraw('a/9');
    told();
    now.leader = 'n3';
    l.leaderChanged();
    expect(told()).toEqual(['append a/1']);
  });

  it('are forgotten with the log', () => {
    const { log: l, clock, told } = log();
    l.propose(command('a/1'));
    told();
    l.close();
    clock.advance(LEASE_MS);
    expect([told(), clock.nextAtMs()]).toEqual([[], undefined]);
  });
});

describe('what was chosen', () => {
  function observed() {
    const made = log();
    const heard: string[] = [];
    const stop = made.log.observe({
      seen: (id) => heard.push(`seen ${id}`),
      chosen: (position, command) => heard.push(`${position} ${command?.id}`),
    });
    return { ...made, heard, stop };
  }

  it('is numbered over all slots; a no-op takes no position', () => {
    const { log: l, heard } = observed();
    l.apply(1, encodeBatch([command('a/1'), command('a/2')]));
    l.apply(2, NO_OP);
    l.apply(3, encodeBatch([command('a/3')]));
    expect(heard.filter((line) => !line.startsWith('seen'))).toEqual(['100 a/1', '101 a/2', '102 a/3']);
    expect(l.position).toBe(102);
  });

  it('an unreadable batch takes as many positions as its frame says (N1)', () => {
    const { log: l, heard } = observed();
    const broken = Uint8Array.from(encodeBatch([command('a/1'), command('a/2')])).fill(0xc1, 4);
    expect(decodeBatch(broken)).toEqual([null, null]);
    l.apply(1, broken);
    l.apply(2, encodeBatch([command('a/3')]));
    expect(heard).toEqual(['100 undefined', '101 undefined', 'seen a/3', '102 a/3']);
  });

  it('T2: is seen before it is chosen; and at the first sight of an Accept, chosen or not', () => {
    const { log: l, heard } = observed();
    const value = encodeBatch([command('a/1')]);
    l.seen(value);
    expect(heard).toEqual(['seen a/1']);
    l.apply(1, value);
    expect(heard).toEqual(['seen a/1', 'seen a/1', '100 a/1']);
  });

  it('goes on after a snapshot’s position', () => {
    const { log: l, heard } = observed();
    l.restore(500);
    l.apply(9, encodeBatch([command('a/1')]));
    expect(heard.at(-1)).toBe('501 a/1');
  });

  it('an observer that left hears nothing more', () => {
    const { log: l, heard, stop } = observed();
    stop();
    l.apply(1, encodeBatch([command('a/1')]));
    expect(heard).toEqual([]);
  });
});
