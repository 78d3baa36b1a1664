import type { MasterRecord, Session } from '@synod/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeEvent, eventOfState, eventsOf, parseEvent, type RecordChange } from './events.ts';
import type { MasterEvent } from './schemas/events.ts';

const free: MasterRecord = {
  election: 'group',
  master: null,
  term: 0,
  version: 0,
  setBy: '',
  metadata: {},
  node: '',
  cause: 'vacant',
};
const held = (node: string, position: number, more: Partial<MasterRecord> = {}): MasterRecord => ({
  ...free,
  master: position,
  term: position,
  version: position,
  setBy: `inc/${position}`,
  node,
  ...more,
});
const session = (node: string, id: number, leaseMs = 3000): Session => ({
  id,
  node,
  incarnation: `inc-${node}`,
  leaseMs,
  version: id,
  setBy: `inc/${id}`,
  openedBy: `inc/${id}`,
});
const timeMs = Date.parse('2026-11-21T23:28:38.571Z');
const change = (previous: MasterRecord | null, next: MasterRecord, of: Session | null = null): MasterEvent[] =>
  eventsOf({ group: 'orders', node: 'n1', previous, next, session: of, timeMs } satisfies RecordChange);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('eventsOf', () => {
  it('a BeMaster that ended its holder is two events at one version, which say the same of the present', () => {
    const metadata = { address: 'http://10.0.0.7:3000' };
    const next = held('n1', 120, { cause: 'expired', metadata });
    const [expired, elected, ...more] = change(held('n2', 45), next, session('n1', 120));
    expect(more).toEqual([]);
    expect(elected).toEqual({
      specversion: '1.0',
      type: 'synod.master.elected.v1',
      source: 'synod://orders/n1',
      subject: 'group',
      id: 'orders/group/elected/120',
      time: '2026-11-21T23:28:38.571Z',
      datacontenttype: 'application/json',
      data: {
        group: 'orders',
        election: 'group',
        term: 120,
        version: 120,
        cause: 'expired',
        current: { node: 'n1', metadata },
        previous: { node: 'n2', term: 45 },
        leaseMs: 3000,
      },
    });
    expect(expired).toMatchObject({ type: 'synod.master.expired.v1', id: 'orders/group/expired/120' });
    expect(expired?.data).toEqual(elected?.data);
  });

  it.each([
    ['resigned', 'resigned'],
    ['ended', 'resigned'],
    ['expired', 'expired'],
  ] as const)('a record freed because the master %s is one event: %s', (cause, name) => {
    const events = change(held('n2', 45), held('n2', 45, { master: null, version: 60, cause }));
    expect(events.map(({ id }) => id)).toEqual([`orders/group/${name}/60`]);
    expect(events[0]?.data).toMatchObject({
      term: 45,
      version: 60,
      cause,
      current: null,
      previous: { node: 'n2', term: 45 },
      leaseMs: null,
    });
  });

  it('an election of a free record names the master before', () => {
    const freed = held('n2', 45, { master: null, version: 60, cause: 'expired' });
    const events = change(freed, held('n3', 70, { cause: 'expired' }), session('n3', 70));
    expect(events.map(({ id }) => id)).toEqual(['orders/group/elected/70']);
    expect(events[0]?.data.previous).toEqual({ node: 'n2', term: 45 });
  });

  it('the first election has no master before', () => {
    const events = change(free, held('n3', 2), session('n3', 2));
    expect(events.map(({ id, data }) => [id, data.previous])).toEqual([['orders/group/elected/2', null]]);
  });

  it('a transfer is one event', () => {
    const next = held('n3', 80, { master: 77, cause: 'transferred' });
    expect(change(held('n2', 45), next, session('n3', 77, 500)).map(({ id, data }) => [id, data.leaseMs])).toEqual([
      ['orders/group/transferred/80', 500],
    ]);
  });

  it('after a snapshot nothing is said of how the mastership before ended', () => {
    const events = change(null, held('n1', 120, { cause: 'expired' }), session('n1', 120));
    expect(events.map(({ id, data }) => [id, data.previous])).toEqual([['orders/group/elected/120', null]]);
  });

  it('old news, the same again and a record that never had a master are no events', () => {
    expect(change(held('n1', 120), held('n2', 45))).toEqual([]);
    expect(change(held('n1', 120), held('n1', 120))).toEqual([]);
    expect(change(null, free)).toEqual([]);
  });

  it('a state that was asked for is told as the event it came from', () => {
    for (const next of [held('n1', 9), held('n1', 9, { master: null, version: 12, cause: 'resigned' })]) {
      const [seen] = change(null, next);
      expect(eventOfState((seen as MasterEvent).data, 'n1', timeMs)).toEqual(seen);
    }
  });
});

describe('parseEvent', () => {
  const [event] = change(free, held('n3', 2), session('n3', 2)) as [MasterEvent];

  it('reads what was encoded, and attributes it does not know', () => {
    expect(parseEvent(encodeEvent(event))).toEqual(event);
    const more = { ...event, traceparent: '00-x', data: { ...event.data, later: 1 } };
    expect(parseEvent(bytes(JSON.stringify(more)))).toEqual(more);
  });

  it.each<[string, unknown]>([
    ['another type', { ...event, type: 'synod.master.elected.v2' }],
    ['another version of CloudEvents', { ...event, specversion: '2.0' }],
    ['an id of another event', { ...event, id: 'orders/group/elected/3' }],
    ['a subject that is not the election', { ...event, subject: 'other' }],
    ['a source of another group', { ...event, source: 'synod://other/n1' }],
    ['a version that is no safe integer', { ...event, data: { ...event.data, version: 2 ** 53 } }],
    ['a node that is no token', { ...event, data: { ...event.data, current: { node: 'a.b', metadata: {} } } }],
    ['no data', { ...event, data: undefined }],
    ['null', null],
    ['a list', [event]],
  ])('39: drops %s', (_, malformed) => {
    expect(parseEvent(bytes(JSON.stringify(malformed)))).toBeNull();
  });

  it('39: drops what is no JSON, too deep or too large, and never throws', () => {
    const depth = 100_000;
    expect(parseEvent(bytes('['.repeat(depth) + ']'.repeat(depth)))).toBeNull();
    expect(parseEvent(Uint8Array.of(0xff, 0xfe))).toBeNull();
    expect(parseEvent(new Uint8Array(2 ** 21))).toBeNull();
    fc.assert(fc.property(fc.uint8Array(), (payload) => parseEvent(payload) === null));
    fc.assert(fc.property(fc.json(), (json) => parseEvent(bytes(json)) === null));
  });
});
