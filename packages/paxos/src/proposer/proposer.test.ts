import {
  type Accepted,
  type Ballot,
  batchCount,
  type Command,
  checkedQuorumSystem,
  commandBytes,
  decodeBatch,
  encodeBatch,
  MAX_BATCH_BYTES,
  majority,
  NO_OP,
  type NodeId,
  type Received,
  type Reject,
  type Trimmed,
} from '@synod/protocol';
import { VirtualClock } from '@synod/protocol/testing';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { initialTransition, transition } from 'xstate';
import { ballot, command, from, LEASE_MS, play, promise, proposerInput, store, value } from '../testing/fixtures.ts';
import { proposerMachine } from './proposer.machine.ts';
import { type LeadReason, type ProposerEmitted, type ProposerInput, proposerRules, WINDOW } from './proposer.rules.ts';

const accepted = (sender: NodeId, by: Ballot, slot: number): Received<Accepted> =>
  from(sender, { type: 'accepted', ballot: by, slot, store });

const reject = (sender: NodeId, by: Ballot, promised: Ballot): Received<Reject> =>
  from(sender, { type: 'reject', ballot: by, promised });

const trimmed = (sender: NodeId, by: Ballot, slot: number, trimmedThrough: number): Received<Trimmed> =>
  from(sender, { type: 'trimmed', ballot: by, slot, trimmedThrough });

const ids = (commands: readonly Command[]): string[] => commands.map(({ id }) => id);

function proposer(overrides: Partial<ProposerInput> = {}, rules = proposerRules) {
  const clock = new VirtualClock();
  const played = play(proposerMachine(rules), proposerInput(clock, overrides), clock);
  const { actor, take } = played;
  const state = () => actor.getSnapshot().context.state;
  const lead = (reason: LeadReason = 'command') => actor.send({ type: 'lead', reason });
  const submit = (...commands: Command[]) => actor.send({ type: 'submit', commands, isUrgent: false });
  return {
    ...played,
    state,
    lead,
    submit,
    urge: (...commands: Command[]) => actor.send({ type: 'submit', commands, isUrgent: true }),
    learned: (through: number, known = through) => actor.send({ type: 'learned', through, known }),
    mode: () => JSON.stringify(actor.getSnapshot().value),
    ballot: () => state().ballot,
    /** Accepts since the last look, as `slot:ids`; no-ops as `slot:-`. */
    accepts: () => take().flatMap((emitted) => (emitted.type === 'send' ? acceptInShort(emitted) : [])),
    told: () => take().map(inShort),
    /** Leads with nothing to propose again. */
    leading: () => {
      lead();
      actor.send(promise('n2', state().ballot));
      actor.send(promise('n3', state().ballot));
      take();
    },
    /** Two voters accept the slot. */
    choose: (slot: number) => {
      actor.send(accepted('n2', state().ballot, slot));
      actor.send(accepted('n3', state().ballot, slot));
    },
  };
}

const acceptInShort = ({ message }: Extract<ProposerEmitted, { type: 'send' }>): string[] => {
  if (message.type !== 'accept') return [];
  const commands = decodeBatch(message.value);
  return [`${message.slot}:${commands.length === 0 ? '-' : commands.map((c) => c?.id).join()}`];
};

function inShort(emitted: ProposerEmitted): string {
  switch (emitted.type) {
    case 'send':
      return emitted.message.type === 'prepare'
        ? `prepare ${emitted.message.ballot.round} from ${emitted.message.fromSlot} to ${emitted.to}`
        : `accept ${acceptInShort(emitted)} to ${emitted.to}`;
    case 'chosen':
      return `chosen ${emitted.slot}`;
    case 'leading':
      return `leading ${emitted.ballot.round}`;
    case 'deposed':
      return `deposed by ${emitted.by ? emitted.by.nodeId : 'nobody'}: unknown ${ids(emitted.unknown)}; queued ${ids(emitted.queued)}`;
    case 'behind':
      return `behind ${emitted.through} of ${emitted.from}`;
  }
}

describe('B2: preparing', () => {
  it('takes a ballot above every round seen or used, from the first slot not learned here, to every voter', () => {
    const { actor, lead, told, ballot } = proposer({ lastRound: 4, learned: () => ({ through: 7, known: 7 }) });
    actor.send({ type: 'round', round: 9 });
    lead();
    expect(told()).toEqual(['prepare 10 from 8 to n1,n2,n3']);
    expect(ballot()).toEqual({ round: 10, nodeId: 'n1', incarnation: 'n1-i1' });
  });

  it('is not told while it is idle how far the log is: it asks when it begins', () => {
    let through = 7;
    const { lead, told, mode } = proposer({ learned: () => ({ through, known: 9 }) });
    through = 8;
    lead();
    expect(told()).toEqual(['prepare 1 from 9 to n1,n2,n3']);
    expect(mode()).toContain('preparing');
  });

  it('what it asked counts for its wish too: that one is old news does not grant it', () => {
    const { actor, lead, learned, mode } = proposer({ learned: () => ({ through: 8, known: 8 }) });
    actor.send({ type: 'granted', ballot: ballot(1, 'n2') });
    lead();
    expect(mode()).toBe('"postponed"');
    learned(8);
    expect(mode()).toBe('"postponed"');
    learned(9);
    expect(mode()).toBe('"idle"');
  });

  it('an attempt without a quorum is repeated with a new ballot: two values at one ballot never', () => {
    const { clock, lead, told } = proposer();
    lead();
    clock.advance(LEASE_MS / 2);
    const rounds = told().flatMap((line) => /^prepare (\d+)/.exec(line)?.[1] ?? []);
    expect(new Set(rounds)).toEqual(new Set(['1', '2']));
  });

  it('asks the silent voters again, at growing intervals', () => {
    const { actor, clock, lead, take, ballot } = proposer();
    lead();
    actor.send(promise('n3', ballot()));
    take();
    const at: number[] = [];
    for (let ms = 0; ms < LEASE_MS / 3; ms++) {
      clock.advance(1);
      for (const emitted of take()) {
        expect(emitted).toMatchObject({ type: 'send', to: ['n1', 'n2'], message: { type: 'prepare' } });
        at.push(ms);
      }
    }
    expect(at.length).toBeGreaterThan(2);
    expect(at[0]).toBeGreaterThanOrEqual(LEASE_MS / 50 - 2);
    for (let i = 2; i < at.length; i++)
      expect((at[i] as number) - (at[i - 1] as number)).toBeGreaterThan((at[i - 1] as number) - (at[i - 2] as number));
  });

  it('a duplicate promise is counted once', () => {
    const { actor, lead, mode, ballot } = proposer();
    lead();
    for (let i = 0; i < 3; i++) actor.send(promise('n2', ballot()));
    expect(mode()).toContain('preparing');
    actor.send(promise('n3', ballot()));
    expect(mode()).toContain('leading');
  });

  it('a promise of a node that has no vote counts nothing', () => {
    const { actor, lead, mode, ballot } = proposer();
    lead();
    for (const stranger of ['n4', 'n5', 'n6']) actor.send(promise(stranger, ballot()));
    expect(mode()).toContain('preparing');
  });

  it('quorums are the quorum system’s', () => {
    const voters = new Set(['n1', 'n2', 'n3', 'n4']);
    const size = (at: number) => (set: ReadonlySet<NodeId>) => set.size >= at;
    const quorum = checkedQuorumSystem({ name: '3+2', voters, isPrepareQuorum: size(3), isAcceptQuorum: size(2) });
    const { actor, lead, mode, submit, told, ballot } = proposer({ quorum });
    lead();
    actor.send(promise('n2', ballot()));
    actor.send(promise('n3', ballot()));
    // A system that counts heads: whoever has no vote must not come before it.
    actor.send(promise('n9', ballot()));
    expect(mode()).toContain('preparing');
    actor.send(promise('n4', ballot()));
    expect(mode()).toContain('leading');
    submit(command('c/1'));
    actor.send(accepted('n2', ballot(), 1));
    actor.send(accepted('n9', ballot(), 1));
    expect(told().at(-1)).not.toBe('chosen 1');
    actor.send(accepted('n4', ballot(), 1));
    expect(told().at(-1)).toBe('chosen 1');
  });

  it('proposes in each slot seen the value of the highest ballot, or a no-op, and nothing new before', () => {
    const { actor, lead, submit, told, ballot: own } = proposer({ lastRound: 7 });
    lead();
    submit(command('new/1'));
    actor.send(
      promise('n2', own(), {
        entries: [
          { slot: 1, ballot: ballot(3, 'n2'), value: value('old') },
          { slot: 4, ballot: ballot(2, 'n3'), value: value('d') },
        ],
      }),
    );
    told();
    actor.send(
      promise('n3', own(), {
        entries: [
          { slot: 1, ballot: ballot(3, 'n3'), value: value('a') },
          { slot: 2, ballot: ballot(1, 'n2'), value: value('b') },
        ],
      }),
    );
    expect(told()).toEqual([
      'leading 8',
      'accept 1:a/1 to n1,n2,n3',
      'accept 2:b/1 to n1,n2,n3',
      'accept 3:- to n1,n2,n3',
      'accept 4:d/1 to n1,n2,n3',
    ]);
    for (const slot of [1, 2, 3]) {
      actor.send(accepted('n2', own(), slot));
      actor.send(accepted('n3', own(), slot));
    }
    expect(told()).toEqual(['chosen 1', 'chosen 2', 'chosen 3', 'accept 5:new/1 to n1,n2,n3']);
  });

  it('says that it leads before it proposes', () => {
    const machine = proposerMachine();
    let [snapshot] = initialTransition(machine, proposerInput(new VirtualClock()));
    [snapshot] = transition(machine, snapshot, { type: 'lead', reason: 'command' });
    [snapshot] = transition(machine, snapshot, { type: 'submit', commands: [command('c/1')], isUrgent: false });
    [snapshot] = transition(machine, snapshot, promise('n2', ballot(1, 'n1')));
    const [, actions] = transition(machine, snapshot, promise('n3', ballot(1, 'n1')));
    const emitted = actions.flatMap((action) =>
      String(action.type) === 'xstate.emit' ? [(action.params as unknown as { event: ProposerEmitted }).event] : [],
    );
    expect(emitted.map(inShort)).toEqual(['leading 1', 'accept 1:c/1 to n1,n2,n3']);
  });

  it('a fresh node that prepares over trimmed slots fetches, and proposes nothing there', () => {
    const { actor, lead, submit, learned, told, mode, ballot: own } = proposer();
    lead();
    submit(command('new/1'));
    actor.send(promise('n2', own()));
    told();
    actor.send(
      promise('n3', own(), { trimmedThrough: 5, entries: [{ slot: 6, ballot: ballot(1, 'n3'), value: value('f') }] }),
    );
    expect(told()).toEqual(['behind 5 of n3']);
    expect(mode()).toBe('"catchingUp"');
    learned(4);
    expect(told()).toEqual([]);
    learned(5);
    expect(told()).toEqual(['leading 1', 'accept 6:f/1 to n1,n2,n3', 'accept 7:new/1 to n1,n2,n3']);
  });

  it('who trimmed and then fell silent does not hold it up for ever: stuck, it prepares again without that voter', () => {
    const { actor, lead, submit, told, mode, ballot: own } = proposer();
    lead();
    submit(command('new/1'));
    actor.send(promise('n2', own()));
    actor.send(promise('n3', own(), { trimmedThrough: 5 }));
    expect(mode()).toBe('"catchingUp"');
    lead('command'); // a snapshot on its way is not given up for every command that waits
    expect(mode()).toBe('"catchingUp"');
    told();
    lead('stuck');
    expect(told()).toEqual(['prepare 2 from 1 to n1,n2,n3']);
    actor.send(promise('n1', own()));
    actor.send(promise('n2', own(), { entries: [{ slot: 5, ballot: ballot(1, 'n3'), value: value('f') }] }));
    expect(told()).toContain('accept 5:f/1 to n1,n2,n3');
  });

  it('slots known chosen are fetched meanwhile, and new commands start after them', () => {
    const { actor, lead, submit, told, ballot: own } = proposer();
    lead();
    actor.send(promise('n2', own()));
    told();
    const entries = [1, 2, 3].map((slot) => ({ slot, ballot: ballot(1, 'n3'), value: value(`v${slot}`) }));
    actor.send(promise('n3', own(), { entries, chosenThrough: 3 }));
    expect(told().slice(0, 2)).toEqual(['behind 3 of n3', 'leading 1']);
    submit(command('c/1'));
    for (const slot of [1, 2, 3]) {
      actor.send(accepted('n2', own(), slot));
      actor.send(accepted('n3', own(), slot));
    }
    expect(told()).toContain('accept 4:c/1 to n1,n2,n3');
  });

  it('no (ballot, slot) is ever proposed with two values: a rule that tries stops the node', () => {
    const twice = {
      ...proposerRules,
      propose: (state, input, out) => {
        state.nextSlot = 1;
        proposerRules.propose(state, input, out);
      },
    } satisfies typeof proposerRules;
    const { lead, actor, submit, ballot: own, error } = proposer({}, twice);
    lead();
    actor.send(promise('n2', own()));
    actor.send(promise('n3', own()));
    submit(command('c/1'));
    submit(command('c/2'));
    expect(String(error())).toContain('B2 no (ballot, slot) is ever proposed with two values');
  });
});

describe('P4: a promise of several pages', () => {
  const page = (fromSlot: number, to: number, lastSlot: number, trimmedThrough = 0) => ({
    fromSlot,
    to,
    lastSlot,
    trimmedThrough,
    entries: [],
  });

  it('the voter counts when its pages cover fromSlot to its last slot without a hole, in any order', () => {
    const { actor, lead, mode, ballot: own } = proposer();
    lead();
    actor.send(promise('n2', own()));
    actor.send(promise('n3', own(), page(7, 9, 9)));
    actor.send(promise('n3', own(), page(1, 3, 9)));
    actor.send(promise('n3', own(), page(1, 3, 9)));
    expect(mode()).toContain('preparing');
    actor.send(promise('n3', own(), page(4, 6, 9)));
    expect(mode()).toContain('leading');
  });

  it('pages that straddle a trim: slots up to the largest trimmedThrough count as chosen', () => {
    const { actor, lead, told, mode, learned, ballot: own } = proposer();
    lead();
    actor.send(promise('n2', own()));
    // The first page was made before the voter trimmed slots 3 to 6, the second after it: their entries are gone.
    const first = [{ slot: 1, ballot: ballot(1, 'n3'), value: value('a') }];
    const second = [{ slot: 7, ballot: ballot(1, 'n3'), value: value('g') }];
    actor.send(promise('n3', own(), { ...page(1, 2, 7), entries: first }));
    expect(mode()).toContain('preparing');
    told();
    actor.send(promise('n3', own(), { ...page(5, 7, 7, 6), entries: second }));
    expect([told(), mode()]).toEqual([['behind 6 of n3'], '"catchingUp"']);
    learned(6);
    expect(told()).toEqual(['leading 1', 'accept 7:g/1 to n1,n2,n3']);
  });
});

describe('B3: leading', () => {
  it('one batch, one Accept to all voters, chosen at the second answer', () => {
    const { actor, leading, submit, told, ballot: own } = proposer();
    leading();
    submit(command('a/1'), command('a/2'));
    expect(told()).toEqual(['accept 1:a/1,a/2 to n1,n2,n3']);
    actor.send(accepted('n3', own(), 1));
    expect(told()).toEqual([]);
    actor.send(accepted('n1', own(), 1));
    expect(told()).toEqual(['chosen 1']);
    actor.send(accepted('n2', own(), 1));
    expect(told()).toEqual([]);
  });

  it('an accept quorum is a set of voters, never a number of answers', () => {
    const { actor, leading, submit, told, ballot: own } = proposer();
    leading();
    submit(command('a/1'));
    told();
    for (let i = 0; i < 3; i++) actor.send(accepted('n2', own(), 1));
    for (const stranger of ['n4', 'n5']) actor.send(accepted(stranger, own(), 1));
    expect(told()).toEqual([]);
  });

  it('proposes at once while fewer than two slots are open; the rest travels together', () => {
    const { leading, submit, accepts, choose } = proposer();
    leading();
    for (let number = 1; number <= 5; number++) submit(command(`a/${number}`));
    expect(accepts()).toEqual(['1:a/1', '2:a/2']);
    choose(1);
    expect(accepts()).toEqual(['3:a/3,a/4,a/5']);
  });

  it('a full batch does not wait', () => {
    const { leading, submit, accepts } = proposer();
    leading();
    for (let number = 1; number <= 6; number++) submit(command(`a/${number}`, 'kv', 100 * 1024));
    expect(accepts()).toEqual(['1:a/1', '2:a/2', '3:a/3,a/4']);
  });

  it('a batch never exceeds its bytes, and no command is left behind or doubled', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 300 * 1024 }), { maxLength: 12 }), (sizes) => {
        const { leading, submit, take, choose, learned } = proposer();
        leading();
        const commands = sizes.map((size, number) => command(`a/${number}`, 'kv', size));
        submit(...commands);
        const sent: string[] = [];
        for (let slot = 1; slot <= sizes.length + 1; slot++) {
          for (const emitted of take()) {
            if (emitted.type !== 'send' || emitted.message.type !== 'accept') continue;
            expect(emitted.message.value.byteLength).toBeLessThanOrEqual(MAX_BATCH_BYTES);
            sent.push(...decodeBatch(emitted.message.value).map((c) => c?.id ?? '?'));
          }
          choose(slot);
          learned(slot);
        }
        expect(sent).toEqual(ids(commands.filter((c) => commandBytes(c) <= MAX_BATCH_BYTES - 1024)));
      }),
      { numRuns: 30 },
    );
  });

  it('the window is a distance, not a count: slot i only when every slot ≤ i − 32 is applied here', () => {
    const { leading, submit, accepts, choose, learned } = proposer();
    leading();
    // Slot 1 is chosen and never applied here: however many later slots are chosen, the 33rd waits.
    for (let slot = 1; slot <= WINDOW + 8; slot++) {
      submit(command(`a/${slot}`));
      choose(slot);
    }
    expect(
      accepts()
        .map((line) => Number.parseInt(line, 10))
        .at(-1),
    ).toBe(WINDOW);
    learned(1, WINDOW);
    expect(accepts()).toEqual([`${WINDOW + 1}:${Array.from({ length: 8 }, (_, i) => `a/${WINDOW + 1 + i}`).join()}`]);
  });

  it('the window holds for what is proposed again too', () => {
    const { actor, lead, accepts, choose, learned, take, ballot: own } = proposer();
    lead();
    actor.send(promise('n2', own()));
    take();
    actor.send(promise('n3', own(), { entries: [{ slot: 40, ballot: ballot(1, 'n2'), value: value('z') }] }));
    expect(accepts().at(-1)).toBe('32:-');
    for (let slot = 1; slot <= 32; slot++) choose(slot);
    expect(accepts()).toEqual([]);
    learned(7);
    expect(accepts()).toEqual(['33:-', '34:-', '35:-', '36:-', '37:-', '38:-', '39:-']);
    learned(8);
    expect(accepts()).toEqual(['40:z/1']);
  });

  it('a command that is queued or open is not proposed twice', () => {
    const { leading, submit, accepts, choose } = proposer();
    leading();
    for (let i = 0; i < 3; i++) submit(command('a/1'), command('a/2'), command('a/3'));
    submit(command('b/1'), command('b/1'));
    choose(1);
    expect(accepts()).toEqual(['1:a/1,a/2,a/3', '2:b/1']);
    submit(command('a/1'));
    expect(accepts()).toEqual(['3:a/1']);
  });

  it('a command that is proposed again for an earlier ballot counts as open', () => {
    const { actor, lead, submit, accepts, choose, take, ballot: own } = proposer();
    lead();
    actor.send(promise('n2', own()));
    take();
    actor.send(promise('n3', own(), { entries: [{ slot: 1, ballot: ballot(1, 'n2'), value: value('a') }] }));
    submit(command('a/1'));
    choose(1);
    expect(accepts()).toEqual(['1:a/1']);
  });

  it('a withdrawn command that is still queued does not leave', () => {
    const { actor, leading, submit, accepts, choose } = proposer();
    leading();
    for (let number = 1; number <= 4; number++) submit(command(`a/${number}`));
    actor.send({ type: 'withdraw', ids: ['a/1', 'a/3'] });
    choose(1);
    expect(accepts()).toEqual(['1:a/1', '2:a/2', '3:a/4']);
  });

  it('a slot trimmed at a voter is chosen: it is fetched, and what stood there is proposed anew', () => {
    const { actor, leading, submit, told, ballot: own } = proposer();
    leading();
    submit(command('a/1'));
    submit(command('a/2'));
    told();
    actor.send(trimmed('n2', own(), 1, 3));
    expect(told()).toEqual(['behind 3 of n2', 'accept 4:a/1,a/2 to n1,n2,n3']);
  });

  it('a slot that was proposed again and is learned meanwhile is not waited for', () => {
    const { actor, lead, submit, learned, accepts, clock, take, ballot: own } = proposer();
    lead();
    actor.send(promise('n2', own()));
    const entries = [1, 2, 3].map((slot) => ({ slot, ballot: ballot(1, 'n2'), value: value(`v${slot}`) }));
    actor.send(promise('n3', own(), { entries }));
    take();
    learned(3);
    submit(command('a/1'));
    expect(accepts()).toEqual(['4:a/1']);
    clock.advance(LEASE_MS);
    expect(accepts().every((line) => line === '4:a/1')).toBe(true);
  });
});

describe('B4: answers count only if their ballot is exactly the current one', () => {
  it('an older ballot’s promise is ignored', () => {
    const { actor, clock, lead, mode, ballot: own } = proposer();
    lead();
    const older = own();
    clock.advance(LEASE_MS / 2);
    expect(own().round).toBe(2);
    actor.send(promise('n2', older));
    actor.send(promise('n3', older));
    actor.send(promise('n2', { ...own(), incarnation: 'n1-i0' }));
    actor.send(promise('n3', ballot(own().round, 'n2')));
    expect(mode()).toContain('preparing');
  });

  it('an older ballot’s Accepted, Reject and Trimmed are ignored', () => {
    const { actor, leading, submit, told, mode, ballot: own } = proposer({ lastRound: 3 });
    leading();
    submit(command('a/1'));
    told();
    const older = ballot(3, 'n1');
    actor.send(accepted('n2', older, 1));
    actor.send(accepted('n3', older, 1));
    actor.send(reject('n3', older, ballot(9, 'n3')));
    actor.send(trimmed('n3', older, 1, 1));
    expect([told(), mode()]).toEqual([[], '{"leading":"waiting"}']);
    expect(own().round).toBe(4);
  });
});

describe('B5: resends and rejects', () => {
  it('an unanswered Accept is sent again only to the silent voters, at growing intervals', () => {
    const { actor, leading, submit, clock, take, ballot: own } = proposer();
    leading();
    submit(command('a/1'));
    take();
    actor.send(accepted('n2', own(), 1));
    const at: number[] = [];
    for (let ms = 1; ms <= LEASE_MS; ms++) {
      clock.advance(1);
      for (const emitted of take()) {
        expect(emitted).toMatchObject({ type: 'send', to: ['n1', 'n3'], message: { type: 'accept', slot: 1 } });
        at.push(ms);
      }
    }
    expect(at[0]).toBeGreaterThanOrEqual(LEASE_MS / 50 - 1);
    expect(at[0]).toBeLessThanOrEqual((LEASE_MS / 50) * 1.25 + 1);
    expect((at[1] as number) - (at[0] as number)).toBeGreaterThan(1.5 * (at[0] as number));
    expect(at.length).toBeLessThan(10);
  });

  it('a slot that opens while the timer runs for one of a grown interval is sent again in its own time', () => {
    const { actor, leading, submit, clock, take, ballot: own } = proposer();
    leading();
    submit(command('a/1'));
    clock.advance(LEASE_MS);
    take();
    // Its command goes into another slot.
    actor.send(trimmed('n2', own(), 1, 1));
    expect(take()).toMatchObject([{ type: 'behind' }, { message: { type: 'accept', slot: 2 } }]);
    clock.advance((LEASE_MS / 50) * 1.25 + 1);
    expect(take()).toMatchObject([{ type: 'send', message: { type: 'accept', slot: 2 } }]);
  });

  it('one timer serves all that are chosen before it ends, and none is set when nothing is open', () => {
    const { actor, leading, submit, learned, clock, take, mode, ballot: own } = proposer();
    leading();
    const set = vi.spyOn(clock, 'setTimeout');
    for (let slot = 1; slot <= 50; slot++) {
      submit(command(`a/${slot}`));
      clock.advance(1);
      actor.send(accepted('n2', own(), slot));
      actor.send(accepted('n3', own(), slot));
      learned(slot);
    }
    expect(set.mock.calls.length).toBeLessThan(5);
    clock.advance(LEASE_MS / 25);
    set.mockClear();
    take();
    clock.advance(LEASE_MS);
    expect([take(), mode(), set.mock.calls.length]).toEqual([[], '{"leading":"quiet"}', 0]);
  });

  it('after a reconnect what is open is sent again at once, and the intervals begin anew', () => {
    const { actor, leading, submit, clock, take } = proposer();
    leading();
    submit(command('a/1'));
    clock.advance(LEASE_MS);
    take();
    actor.send({ type: 'reconnected' });
    expect(take()).toMatchObject([{ type: 'send', message: { type: 'accept', slot: 1 } }]);
    clock.advance((LEASE_MS / 50) * 2);
    expect(take()).toHaveLength(1);
  });

  it('so is a Prepare', () => {
    const { actor, lead, clock, take } = proposer();
    lead();
    clock.advance(LEASE_MS / 3);
    take();
    actor.send({ type: 'reconnected' });
    expect(take()).toMatchObject([{ type: 'send', message: { type: 'prepare' } }]);
    clock.advance((LEASE_MS / 50) * 1.25 + 2);
    expect(take()).toHaveLength(1);
  });

  it('the first interval is four measured round trips where that is longer', () => {
    const { actor, lead, submit, clock, take, ballot: own } = proposer();
    lead();
    clock.advance(50);
    actor.send(promise('n2', own()));
    actor.send(promise('n3', own()));
    submit(command('a/1'));
    take();
    clock.advance(199);
    expect(take()).toEqual([]);
    clock.advance(51);
    expect(take()).toHaveLength(1);
  });

  it('what is answered in time is never sent again, and arms no timer for each message', () => {
    const { leading, submit, clock, accepts, choose, learned } = proposer();
    leading();
    for (let slot = 1; slot <= 100; slot++) {
      submit(command(`a/${slot}`));
      clock.advance(2);
      choose(slot);
      learned(slot);
    }
    expect(accepts()).toHaveLength(100);
    clock.advance(LEASE_MS);
    expect(accepts()).toEqual([]);
    expect(clock.nextAtMs()).toBeUndefined();
  });

  it('Reject(higher) while leading: idle; what was sent is unknown, the rest goes back', () => {
    const { actor, leading, submit, told, mode, ballot: own } = proposer();
    leading();
    for (let number = 1; number <= 4; number++) submit(command(`a/${number}`));
    told();
    actor.send(reject('n2', own(), ballot(5, 'n3')));
    expect(told()).toEqual(['deposed by n3: unknown a/1,a/2; queued a/3,a/4']);
    expect(mode()).toBe('"idle"');
    submit(command('a/5'));
    expect(told()).toEqual(['deposed by nobody: unknown ; queued a/5']);
  });

  it('a promise of our own acceptor to a higher ballot is a Reject too', () => {
    const { actor, leading, told, mode } = proposer();
    leading();
    actor.send({ type: 'granted', ballot: ballot(5, 'n3') });
    expect([told(), mode()]).toEqual([['deposed by n3: unknown ; queued '], '"idle"']);
  });

  it('the next ballot is above the one that outbid us', () => {
    const { actor, leading, lead, told, ballot: own } = proposer();
    leading();
    actor.send(reject('n2', own(), ballot(5, 'n3')));
    told();
    lead('master');
    expect(told()).toEqual(['prepare 6 from 1 to n1,n2,n3']);
  });

  it('stop: says what is unknown, and does nothing more', () => {
    const { actor, leading, submit, told, lead, clock } = proposer();
    leading();
    submit(command('a/1'));
    told();
    actor.send({ type: 'stop' });
    lead('master');
    submit(command('a/2'));
    clock.advance(LEASE_MS);
    expect(told()).toEqual(['deposed by nobody: unknown a/1; queued ']);
  });
});

describe('B6: duels', () => {
  it('a loser waits at random up to lease/10, doubling to lease/2', () => {
    const { actor, clock, lead, take, ballot: own } = proposer({ random: { next: () => 0.999, id: () => 'x' } });
    lead();
    const waits: number[] = [];
    for (let round = 0; round < 5; round++) {
      take();
      const startedAt = clock.now();
      actor.send(reject('n2', own(), ballot(own().round + 1, 'n2')));
      while (take().length === 0) clock.advance(1);
      waits.push(clock.now() - startedAt);
    }
    expect(waits).toEqual([300, 600, 1199, 1499, 1499]);
  });

  it('T12: by the lease in force, whatever it was when the node began or lost before', () => {
    let leaseMs = 100 * LEASE_MS;
    const random = { next: () => 0.999, id: () => 'x' };
    const { actor, clock, lead, take, ballot: own } = proposer({ random, leaseMs: () => leaseMs });
    leaseMs = LEASE_MS;
    lead();
    take();
    actor.send(reject('n2', own(), ballot(own().round + 1, 'n2')));
    clock.advance(LEASE_MS / 10 + 1);
    expect(take()).toHaveLength(1);
  });

  it('a node that has just granted a promise postpones its own candidacy by lease/10 to lease/5', () => {
    const { actor, clock, lead, told, mode } = proposer();
    actor.send({ type: 'granted', ballot: ballot(3, 'n2') });
    lead();
    expect(mode()).toBe('"postponed"');
    clock.advance(LEASE_MS / 10 - 1);
    expect(told()).toEqual([]);
    clock.advance(LEASE_MS / 10 + 1);
    expect(told()).toEqual(['prepare 4 from 1 to n1,n2,n3']);
  });

  it('what is learned meanwhile settles the wish: whoever leads does it well', () => {
    const { actor, clock, lead, learned, told } = proposer();
    actor.send({ type: 'granted', ballot: ballot(3, 'n2') });
    lead();
    learned(1);
    clock.advance(LEASE_MS);
    expect(told()).toEqual([]);
  });

  it('who has nothing to propose yet leaves it to whoever is at it', () => {
    const { actor, clock, lead, told, mode, ballot: own } = proposer();
    actor.send({ type: 'granted', ballot: ballot(3, 'n2') });
    lead('ahead');
    clock.advance(LEASE_MS);
    expect(told()).toEqual([]);
    for (const outbid of [
      () => actor.send(reject('n2', own(), ballot(own().round + 1, 'n2'))),
      () => actor.send({ type: 'granted', ballot: ballot(own().round + 1, 'n2') }),
    ]) {
      lead('ahead');
      expect(told()).toHaveLength(1);
      outbid();
      expect(mode()).toBe('"idle"');
      lead();
      expect(mode()).toBe('"postponed"');
      actor.send({ type: 'learned', through: own().round, known: own().round });
      clock.advance(LEASE_MS);
      expect(told()).toEqual([]);
    }
  });

  it('what was begun ahead of a command goes on for it', () => {
    const { actor, lead, told, mode, ballot: own } = proposer();
    lead('ahead');
    lead();
    lead('ahead');
    expect(told()).toEqual(['prepare 1 from 1 to n1,n2,n3']);
    actor.send(reject('n2', own(), ballot(5, 'n3')));
    expect(mode()).toBe('"postponed"');
  });

  it('the master does not wait for B6, and its wish outlives what others choose', () => {
    const { actor, lead, told } = proposer({ isMaster: () => true });
    actor.send({ type: 'granted', ballot: ballot(3, 'n2') });
    lead('command');
    expect(told()).toEqual([]);
    lead('master');
    expect(told()).toEqual(['prepare 4 from 1 to n1,n2,n3']);
  });

  it('a master that is outbid prepares again at once; in preparing too', () => {
    const { actor, leading, told, ballot: own } = proposer({ isMaster: () => true });
    leading();
    actor.send(reject('n2', own(), ballot(5, 'n3')));
    expect(told()).toEqual(['deposed by n3: unknown ; queued ', 'prepare 6 from 1 to n1,n2,n3']);
    actor.send(reject('n2', own(), ballot(7, 'n3')));
    expect(told()).toEqual(['prepare 8 from 1 to n1,n2,n3']);
    actor.send({ type: 'granted', ballot: ballot(9, 'n3') });
    expect(told()).toEqual(['prepare 10 from 1 to n1,n2,n3']);
  });

  it('our own acceptor’s promise to a higher ballot ends an attempt; to a lower one it does not', () => {
    const { actor, lead, mode } = proposer({ lastRound: 5 });
    lead();
    actor.send({ type: 'granted', ballot: ballot(3, 'n2') });
    expect(mode()).toContain('preparing');
    actor.send({ type: 'granted', ballot: ballot(7, 'n2') });
    expect(mode()).toBe('"postponed"');
  });

  it('commands that waited for an attempt go back when it fails', () => {
    const { actor, lead, submit, told, ballot: own } = proposer();
    lead();
    submit(command('a/1'));
    told();
    actor.send(reject('n2', own(), ballot(5, 'n3')));
    expect(told()).toEqual(['deposed by n3: unknown ; queued a/1']);
  });
});

describe('B7: commands of the machine master', () => {
  it('enter the next batch first', () => {
    const { leading, submit, urge, accepts, choose } = proposer();
    leading();
    for (let number = 1; number <= 4; number++) submit(command(`a/${number}`));
    urge(command('m/1', 'master'));
    choose(1);
    expect(accepts()).toEqual(['1:a/1', '2:a/2', '3:m/1,a/3,a/4']);
  });

  it('even when user commands fill many batches', () => {
    const { leading, submit, urge, accepts, choose, learned } = proposer();
    leading();
    for (let number = 1; number <= 400; number++) submit(command(`u/${number}`, 'kv', 30 * 1024));
    for (let slot = 1; slot <= WINDOW; slot++) choose(slot);
    accepts();
    urge(command('m/1', 'master'));
    learned(1);
    expect(accepts()[0]).toMatch(/^33:m\/1,u/);
  });
});

describe('N4: a voter that waits', () => {
  it('is asked first, and the others a moment later, whatever else is open', () => {
    const { actor, clock, leading, submit, take } = proposer();
    leading();
    submit(command('a/1'));
    take();
    const learner = { node: 'n3', lives: [] };
    actor.send({ type: 'submit', commands: [command('m/1', 'master')], isUrgent: true, learner });
    take();
    clock.advance(LEASE_MS / 400);
    const asked = take().flatMap((sent) =>
      sent.type === 'send' && sent.message.type === 'accept' ? [[sent.message.slot, sent.to]] : [],
    );
    expect(asked).toEqual([[2, expect.arrayContaining(['n2'])]]);
  });

  const learner = { node: 'n3', lives: ['a1', 'c1'] };
  const waitedFor = { type: 'submit', commands: [command('m/1', 'master')], isUrgent: true, learner } as const;
  const asked = (told: readonly ProposerEmitted[]) =>
    told.flatMap((sent) =>
      sent.type === 'send' && sent.message.type === 'accept'
        ? [{ to: sent.to, slot: sent.message.slot, learner: sent.message.learner }]
        : [],
    );

  it('is named in the Accept of the batch it waits for, also when that is sent again, and in no other', () => {
    const { actor, clock, leading, submit, take } = proposer();
    leading();
    actor.send(waitedFor);
    submit(command('a/1'));
    expect(asked(take()).map(({ slot, learner }) => [slot, learner])).toEqual([
      [1, learner],
      [2, undefined],
    ]);
    clock.advance(LEASE_MS / 10);
    expect(asked(take())).toContainEqual({ to: ['n1', 'n2', 'n3'], slot: 1, learner });
  });

  it('where it is a quorum with the proposer, the others are asked a moment later, if they are needed', () => {
    const { actor, clock, leading, choose, take } = proposer();
    leading();
    actor.send(waitedFor);
    expect(asked(take())).toEqual([{ to: ['n1', 'n3'], slot: 1, learner }]);
    actor.send(accepted('n1', actor.getSnapshot().context.state.ballot, 1));
    clock.advance(LEASE_MS / 500 + 1);
    expect(asked(take())).toEqual([{ to: ['n2', 'n3'], slot: 1, learner }]);
    choose(1);
    actor.send(waitedFor);
    choose(2);
    take();
    clock.advance(LEASE_MS);
    expect(asked(take())).toEqual([]);
  });

  it('the others are not asked before a quorum can have answered, and not later than silent voters are', () => {
    const { actor, clock, leading, submit, choose, take } = proposer();
    leading();
    let slot = 0;
    const after = (roundTripMs: number) => {
      submit(command(`a/${++slot}`));
      clock.advance(roundTripMs);
      choose(slot);
      take();
      actor.send(waitedFor);
      take();
      actor.send(accepted('n1', actor.getSnapshot().context.state.ballot, ++slot));
      for (let waitedMs = 0; ; waitedMs++) {
        if (asked(take()).length > 0) return waitedMs;
        clock.advance(1);
      }
    };
    expect(after(LEASE_MS / 200)).toBe((3 * LEASE_MS) / 200);
    choose(slot);
    expect(after(LEASE_MS)).toBe(LEASE_MS / 50);
  });

  it('where it is none, all are asked at once', () => {
    const voters = ['n1', 'n2', 'n3', 'n4', 'n5'];
    const { actor, lead, take } = proposer({ quorum: majority(voters) });
    lead();
    for (const voter of ['n1', 'n2', 'n3']) actor.send(promise(voter, actor.getSnapshot().context.state.ballot));
    take();
    actor.send(waitedFor);
    expect(asked(take())).toEqual([{ to: voters, slot: 1, learner }]);
  });
});

describe('B1: wishes', () => {
  it('are honoured once: not while preparing or leading', () => {
    const { lead, leading, told } = proposer();
    leading();
    lead('master');
    lead('stuck');
    expect(told()).toEqual([]);
  });

  it('(c), B2: a slot that an earlier leader proposed and nobody holds is filled, by whoever comes to lead', () => {
    const { actor, state, accepts, take } = proposer();
    actor.send({ type: 'lead', reason: 'stuck', slot: 2 });
    actor.send(promise('n2', state().ballot));
    take();
    actor.send(promise('n3', state().ballot));
    expect(accepts()).toEqual(['1:-', '2:-']);
  });

  it('(c), B2: ... and by the leader that hears of it, after what it has proposed itself', () => {
    const { actor, leading, submit, accepts } = proposer();
    leading();
    submit(command('c/1'));
    actor.send({ type: 'lead', reason: 'stuck', slot: 3 });
    expect(accepts()).toEqual(['1:c/1', '2:-', '3:-']);
  });

  it('(c) a leader whose log has a hole that it will never fill prepares again', () => {
    const { actor, leading, lead, learned, submit, told, ballot: own } = proposer();
    leading();
    submit(command('a/1'));
    // Slots beyond ours were chosen by another ballot; slot 2 nobody proposes in.
    learned(0, 5);
    actor.send(accepted('n2', own(), 1));
    actor.send(accepted('n3', own(), 1));
    learned(1, 5);
    told();
    lead('stuck');
    expect(told()).toEqual(['deposed by nobody: unknown ; queued ', 'prepare 2 from 2 to n1,n2,n3']);
  });

  it('of a master that lost its mastership while it waited are dropped', () => {
    let isMaster = true;
    const { actor, leading, clock, told, mode, ballot: own } = proposer({ isMaster: () => isMaster });
    leading();
    actor.send(reject('n2', own(), ballot(5, 'n3')));
    isMaster = false;
    actor.send(reject('n2', own(), ballot(7, 'n3')));
    told();
    clock.advance(LEASE_MS);
    expect([told(), mode()]).toEqual([[], '"idle"']);
  });
});

it('a group of one decides alone', () => {
  const { actor, lead, submit, told, ballot: own } = proposer({ quorum: majority(['n1']) });
  lead();
  actor.send(promise('n1', own()));
  submit(command('a/1'));
  actor.send(accepted('n1', own(), 1));
  expect(told()).toEqual(['prepare 1 from 1 to n1', 'leading 1', 'accept 1:a/1 to n1', 'chosen 1']);
  expect([batchCount(encodeBatch([command('a/1')])), batchCount(NO_OP)]).toEqual([1, 0]);
});
