import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventOfState } from './events.ts';
import { MasterEvents } from './master-watch.ts';
import type { MasterEvent } from './schemas/events.ts';

const event = (name: 'elected' | 'expired' | 'resigned', version: number, election = 'group'): MasterEvent => {
  const isHeld = name === 'elected';
  const state = {
    group: 'orders',
    election,
    term: version,
    version,
    cause: name === 'resigned' ? ('resigned' as const) : ('expired' as const),
    current: isHeld ? { node: 'n1', metadata: {} } : null,
    previous: null,
    leaseMs: null,
  };
  return eventOfState(state, 'n1', 0);
};

describe('MasterEvents', () => {
  it('54: drops an event of a lower version, and one of the same version and type', () => {
    const events = new MasterEvents();
    expect(events.accept(event('elected', 10))).toBe(true);
    expect(events.accept(event('elected', 10))).toBe(false);
    expect(events.accept(event('expired', 10))).toBe(true);
    expect(events.accept(event('expired', 10))).toBe(false);
    expect(events.accept(event('resigned', 9))).toBe(false);
    expect(events.accept(event('resigned', 11))).toBe(true);
    expect(events.get('group')).toEqual(event('resigned', 11));
  });

  it('keeps elections apart', () => {
    const events = new MasterEvents();
    expect(events.accept(event('elected', 10))).toBe(true);
    expect(events.accept(event('elected', 4, 'shard-7'))).toBe(true);
    expect([...events].map(({ id }) => id)).toEqual(['orders/group/elected/10', 'orders/shard-7/elected/4']);
  });

  it('ends at the highest version, and never goes back, in whatever order events come', () => {
    const names = fc.constantFrom('elected', 'expired', 'resigned');
    fc.assert(
      fc.property(fc.array(fc.tuple(names, fc.integer({ min: 1, max: 9 })), { minLength: 1 }), (told) => {
        const events = new MasterEvents();
        const accepted = told.map(([name, version]) => event(name, version)).filter((it) => events.accept(it));
        const versions = accepted.map(({ data }) => data.version);
        expect(versions).toEqual(versions.toSorted((a, b) => a - b));
        expect(new Set(accepted.map(({ id }) => id)).size).toBe(accepted.length);
        expect(events.get('group')?.data.version).toBe(Math.max(...told.map(([, version]) => version)));
      }),
    );
  });
});
