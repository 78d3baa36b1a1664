import {
  commandId,
  decodeEnvelope,
  encodeEnvelope,
  type MasterNews,
  type MasterRecord,
  type Session,
} from '@synod/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeMasterCommand, type MasterCommand, type Take } from '../commands.ts';
import { OPENERS_REMEMBERED } from './fold.rules.ts';
import { type Applied, MasterFold } from './master-fold.ts';
import type { MasterReader } from './master-reader.ts';
import { MasterView } from './master-view.ts';

const EVERY_CAUSE = { resigned: 'resigned', ended: 'ended', expired: 'expired' } as const;

/** A fold with a log of one's own: positions are 1, 2, 3 … and each command comes from the incarnation named. */
class Log {
  readonly fold: MasterFold;
  readonly applied: Applied[] = [];
  position = 0;

  constructor(options: { maxLeaseMs?: number } = {}) {
    this.fold = new MasterFold(options);
    this.fold.onApplied((applied) => this.applied.push(applied));
  }

  get view(): MasterReader {
    return this.fold.view;
  }

  as(incarnation: string, command: MasterCommand, number = this.position + 1): Applied {
    this.position += 1;
    this.fold.apply(this.position, encodeMasterCommand(commandId(incarnation, number), command));
    return this.applied.at(-1) as Applied;
  }

  open(incarnation: string, take: Take | null = null, leaseMs = 1_000): number {
    return this.as(incarnation, { type: 'open', node: `n-${incarnation}`, incarnation, leaseMs, take }).position;
  }

  master(election = 'group'): MasterRecord {
    return this.view.record(election);
  }
}

const take = (expectedVersion: number, holder: Take['holder'] = null, election = 'group'): Take => ({
  election,
  expectedVersion,
  holder,
  metadata: {},
});
const renew = (session: number, expectedVersion: number, leaseMs = 1_000) =>
  ({ type: 'renew', session, expectedVersion, leaseMs }) as const;

describe('BeMaster (section 3)', () => {
  it('OpenSession and BeMaster travel as one command: one position, which is session id and term', () => {
    const log = new Log();
    const session = log.open('a', take(0));
    expect(session).toBe(1);
    expect(log.master()).toMatchObject({ master: 1, term: 1, version: 1, setBy: 'a/1', node: 'n-a', cause: 'vacant' });
    expect(log.view.session(1)).toMatchObject({ version: 1, setBy: 'a/1', openedBy: 'a/1', leaseMs: 1_000 });
  });

  it("the seed's node C: cut off during two renewals it asks with a stale version and gets nothing but the news", () => {
    const log = new Log();
    log.open('a', take(0));
    const c = log.open('c');
    log.as('a', renew(1, 1));
    log.as('a', renew(1, 3));
    const before = log.fold.snapshot();
    const asked = log.as('c', { type: 'beMaster', session: c, ...take(1, { session: 1, version: 1 }) });
    expect(asked).toMatchObject({ applied: false, reason: 'renewed', news: null });
    expect(log.as('c', { type: 'beMaster', session: c, ...take(0) })).toMatchObject({ reason: 'version' });
    expect(log.master()).toMatchObject({ master: 1, term: 1, version: 1 });
    expect(contentOf(log.fold.snapshot())).toEqual(contentOf(before));
  });

  it('a free record may be named by the version it was last held under; a held one, or one that was taken since, may not', () => {
    const log = new Log();
    log.open('a', take(0));
    const early = log.as('b', { type: 'open', node: 'n-b', incarnation: 'b', leaseMs: 1_000, take: take(1) });
    expect(early).toMatchObject({ applied: true, reason: 'holder' });
    log.as('a', { type: 'resign', election: 'group', session: 1, term: 1 });
    expect(log.master()).toMatchObject({ master: null, term: 1, version: 3 });
    const holding = log.as('c', { type: 'beMaster', session: 2, ...take(1, { session: 1, version: 1 }) });
    expect(holding).toMatchObject({ applied: false });
    const b = log.open('b2', take(1));
    expect(log.master()).toMatchObject({ master: b, term: b, version: b });
    // Nobody has been master since term 1: no longer true.
    expect(log.as('d', { type: 'open', node: 'n-d', incarnation: 'd', leaseMs: 1_000, take: take(1) })).toMatchObject({
      reason: 'version',
    });
    log.as('b2', { type: 'resign', election: 'group', session: b, term: b });
    expect(log.as('e', { type: 'open', node: 'n-e', incarnation: 'e', leaseMs: 1_000, take: take(1) })).toMatchObject({
      reason: 'version',
    });
    expect(log.master()).toMatchObject({ master: null, term: b });
  });

  it("taking ends the holder's session, and with it all that hangs on it", () => {
    const log = new Log();
    log.open('a', take(0));
    log.as('a', { type: 'beMaster', session: 1, ...take(0, null, 'shard-7') });
    const taken = log.as('b', {
      type: 'open',
      node: 'n-b',
      incarnation: 'b',
      leaseMs: 500,
      take: take(1, { session: 1, version: 1 }),
    });
    expect(taken.news).toMatchObject({ ended: [1], sessions: [{ id: 3 }] });
    expect(log.view.session(1)).toBeUndefined();
    expect(log.master()).toMatchObject({ master: 3, term: 3, version: 3, cause: 'expired', node: 'n-b' });
    expect(log.master('shard-7')).toMatchObject({ master: null, term: 2, version: 3, cause: 'expired', setBy: 'b/3' });
    expect(log.as('a', renew(1, 1))).toMatchObject({ applied: false, reason: 'ended' });
  });

  it('BeMaster and Transfer leave sessions as they are: they never extend a deadline', () => {
    const log = new Log();
    log.open('a');
    log.open('b');
    const [a, b] = [log.view.session(1), log.view.session(2)];
    log.as('a', { type: 'beMaster', session: 1, ...take(0) });
    expect(log.view.session(1)).toEqual(a);
    log.as('a', { type: 'transfer', election: 'group', session: 1, term: 3, to: 2, metadata: { at: 'b' } });
    expect(log.view.session(2)).toEqual(b);
    expect(log.master()).toMatchObject({ master: 2, term: 4, version: 4, cause: 'transferred', metadata: { at: 'b' } });
  });

  it("none is named only if there is no master, and a holder only if it is the master, another session than one's own", () => {
    const log = new Log();
    log.open('a', take(0));
    const b = log.open('b');
    const ask = (holder: Take['holder'], incarnation = 'b', session = b) =>
      log.as(incarnation, { type: 'beMaster', session, ...take(1, holder) }).reason;
    expect(ask(null)).toBe('holder');
    expect(ask({ session: b, version: 2 })).toBe('holder');
    expect(ask({ session: 1, version: 1 }, 'a', 1)).toBe('holder');
    expect(ask({ session: 99, version: 1 })).toBe('holder');
    expect(ask({ session: 1, version: 1 }, 'b', 99)).toBe('ended');
  });

  it('if the taking does not apply, the session still opens, holding nothing', () => {
    const log = new Log();
    log.open('a', take(0));
    const b = log.as('b', { type: 'open', node: 'n-b', incarnation: 'b', leaseMs: 1_000, take: take(0) });
    expect(b).toMatchObject({ applied: true, reason: 'version', news: { sessions: [{ id: 2 }], records: [] } });
    expect(log.view.held(2).size).toBe(0);
  });

  it('OpenSession chosen a second time opens nothing, and takes only under its version rule', () => {
    const log = new Log();
    const command = { type: 'open', node: 'n-a', incarnation: 'a', leaseMs: 1_000, take: take(0) } as const;
    log.as('a', command, 5);
    expect(log.as('a', command, 5)).toMatchObject({ applied: false, reason: 'version' });
    log.as('a', { type: 'resign', election: 'group', session: 1, term: 1 });
    expect(log.as('a', command, 5)).toMatchObject({ applied: false, reason: 'version', news: null });
    log.as('a', { type: 'end', session: 1 });
    expect(log.as('a', command, 5)).toMatchObject({ applied: false, reason: 'repeated' });
    expect(log.as('a', { ...command, take: null }, 4)).toMatchObject({ applied: false, reason: 'repeated' });
    expect([...log.view.sessions()]).toEqual([]);
  });

  it('commands that name a session come from its own incarnation, except BeMaster against a holder and Expire', () => {
    const log = new Log();
    log.open('a', take(0));
    log.open('b');
    const foreign: MasterCommand[] = [
      renew(1, 1),
      { type: 'resign', election: 'group', session: 1, term: 1 },
      { type: 'transfer', election: 'group', session: 1, term: 1, to: 2, metadata: {} },
      { type: 'end', session: 1 },
      { type: 'beMaster', session: 1, ...take(0, null, 'shard-7') },
      { type: 'open', node: 'n-a', incarnation: 'a', leaseMs: 1_000, take: null },
    ];
    for (const command of foreign) expect(log.as('b', command)).toMatchObject({ applied: false, reason: 'foreign' });
    expect(log.as('b', { type: 'expire', session: 1, expectedVersion: 1 }).applied).toBe(true);
  });

  it('Expire applies only to the version it waited for', () => {
    const log = new Log();
    log.open('a', take(0));
    log.as('a', renew(1, 1));
    expect(log.as('b', { type: 'expire', session: 1, expectedVersion: 1 })).toMatchObject({ reason: 'version' });
    expect(log.as('b', { type: 'expire', session: 1, expectedVersion: 2 })).toMatchObject({ applied: true });
    expect(log.master()).toMatchObject({ master: null, term: 1, version: 4, cause: 'expired', node: 'n-a' });
  });

  it.each([
    ['resigned', { type: 'resign', election: 'group', session: 1, term: 1 }],
    ['ended', { type: 'end', session: 1 }],
    ['expired', { type: 'expire', session: 1, expectedVersion: 1 }],
  ] as const)('a record says how it came free: %s', (cause, command) => {
    const log = new Log();
    log.open('a', { ...take(0), metadata: { at: 'a' } });
    log.as('a', command);
    expect(log.master()).toMatchObject({ master: null, term: 1, version: 2, cause: EVERY_CAUSE[cause], metadata: {} });
    log.open('b', take(2));
    expect(log.master()).toMatchObject({ term: 3, cause });
  });

  it('resigns and transfers only the term in force', () => {
    const log = new Log();
    log.open('a', take(0));
    log.as('a', { type: 'resign', election: 'group', session: 1, term: 1 });
    log.as('a', { type: 'beMaster', session: 1, ...take(2) });
    expect(log.as('a', { type: 'resign', election: 'group', session: 1, term: 1 })).toMatchObject({ reason: 'term' });
    const gone = { type: 'transfer', election: 'group', session: 1, term: 3, to: 77, metadata: {} } as const;
    expect(log.as('a', gone)).toMatchObject({ reason: 'ended' });
    expect(log.master()).toMatchObject({ master: 1, term: 3 });
  });

  it('leaseMs lies within 100 and the maximum of the group, in renewals too', () => {
    const log = new Log({ maxLeaseMs: 2_000 });
    const open = (leaseMs: number) =>
      log.as('a', { type: 'open', node: 'n-a', incarnation: 'a', leaseMs, take: null }).reason;
    expect([open(99), open(2_001), open(100)]).toEqual(['bounds', 'bounds', undefined]);
    expect(log.as('a', renew(3, 3, 99)).reason).toBe('bounds');
    expect(log.as('a', renew(3, 3, 2_001)).reason).toBe('bounds');
    expect(log.as('a', renew(3, 3, 2_000)).applied).toBe(true);
    expect(log.view.session(3)).toMatchObject({ leaseMs: 2_000, version: 6, setBy: 'a/6' });
  });

  it('what cannot be read is refused, at every node alike', () => {
    const log = new Log();
    const bodies = [new Uint8Array(), new Uint8Array([0xc1]), new Uint8Array([0x80]), new Uint8Array([0x93, 1])];
    for (const body of bodies) {
      log.position += 1;
      log.fold.apply(log.position, { id: 'a/1', machine: 'master', body });
    }
    const odd: unknown[] = [
      { type: 'toString' },
      { type: 'renew', session: -1, expectedVersion: 1, leaseMs: 1_000 },
      { type: 'renew', session: 1.5, expectedVersion: 1, leaseMs: 1_000 },
      { type: 'renew', session: 1, expectedVersion: 1, leaseMs: Number.NaN },
      { type: 'open', node: 'a.b', incarnation: 'a', leaseMs: 1_000, take: null },
      { type: 'open', node: 'a', incarnation: 'a', leaseMs: 1_000, take: { election: 'group' } },
      { type: 'beMaster', session: 1, ...take(0), metadata: { at: 7 } },
      { type: 'beMaster', session: 1, ...take(0), metadata: { at: 'x'.repeat(5_000) } },
    ];
    for (const command of odd) expect(log.as('a', command as MasterCommand).reason).toBe('unreadable');
    expect(log.applied.every(({ applied, news }) => !applied && news === null)).toBe(true);
  });

  it('a session id is never reused: it is a position, and positions only grow', () => {
    const log = new Log();
    log.open('a');
    expect(() => log.fold.apply(1, encodeMasterCommand('b/1', { type: 'end', session: 1 }))).toThrow(/positions grow/);
  });

  it('100 000 records hang on one session, and end with it', { timeout: 60_000 }, () => {
    const log = new Log();
    log.open('a');
    for (let i = 0; i < 100_000; i++) log.as('a', { type: 'beMaster', session: 1, ...take(0, null, `shard-${i}`) });
    log.open('b');
    expect(log.view.held(1).size).toBe(100_000);
    const renewed = log.as('a', renew(1, 1));
    expect(renewed.news?.records).toEqual([]);
    expect(log.as('b', { type: 'expire', session: 1, expectedVersion: renewed.position }).news?.records).toHaveLength(
      100_000,
    );
    expect(log.view.held(1).size).toBe(0);
    expect(log.master('shard-99999')).toMatchObject({ master: null, version: renewed.position + 1 });
  });

  it('remembers a bounded number of openers, never forgetting one that lives', { timeout: 60_000 }, () => {
    const log = new Log();
    log.open('first');
    for (let i = 0; i < 2 * OPENERS_REMEMBERED; i++) {
      log.as('x', { type: 'expire', session: log.open(`i${i}`), expectedVersion: log.position });
    }
    const again = (incarnation: string, number: number) =>
      log.as(incarnation, { type: 'open', node: 'n', incarnation, leaseMs: 1_000, take: null }, number);
    expect(again('first', 1).reason).toBe('repeated');
    expect(again('i1', 4).applied).toBe(true);
    expect(again(`i${2 * OPENERS_REMEMBERED - 1}`, 2).reason).toBe('repeated');
  });
});

/** All of a snapshot but the position of the last command. */
const contentOf = (snapshot: Uint8Array) => {
  const fold = new MasterFold();
  fold.restore(snapshot);
  return { sessions: [...fold.view.sessions()], records: [...fold.view.records()] };
};

// A small world, so that commands meet: three incarnations, two elections, sessions and versions drawn from what there is.
const incarnations = ['a', 'b', 'c'];
const elections = ['group', 'shard'];
const step = fc.record({
  by: fc.constantFrom(...incarnations),
  type: fc.constantFrom('open', 'take', 'renew', 'beMaster', 'resign', 'transfer', 'end', 'expire', 'repeat', 'noise'),
  election: fc.constantFrom(...elections),
  pick: fc.nat(7),
  other: fc.nat(7),
  isStale: fc.boolean(),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** A command that would apply, or with `isStale` one that names what was before. */
function commandOf(view: MasterReader, { by, type, election, pick, other, isStale }: Step): MasterCommand {
  const live = [...view.sessions()].sort((x, y) => x.id - y.id);
  const own = live.filter((session) => session.incarnation === by);
  const mine = own[pick % Math.max(1, own.length)];
  const any = live[other % Math.max(1, live.length)];
  const record = view.record(election);
  const holder = record.master === null ? null : view.session(record.master);
  const old = isStale ? 1 : 0;
  const asked = take(record.version - Math.min(old, record.version), holder ? seen(holder, old) : null, election);
  const session = mine?.id ?? 1;
  switch (type) {
    case 'open':
    case 'take':
      return { type: 'open', node: `n-${by}`, incarnation: by, leaseMs: 500, take: type === 'take' ? asked : null };
    case 'beMaster':
      return { type, session, ...asked };
    case 'renew':
      return renew(session, (mine?.version ?? 1) - old, 100 + pick);
    case 'resign':
      return { type, election, session: record.master ?? session, term: record.term - Math.min(old, record.term) };
    case 'transfer':
      return { type, election, session: record.master ?? session, term: record.term, to: any?.id ?? 1, metadata: {} };
    case 'end':
      return { type, session };
    case 'expire':
      return { type, session: any?.id ?? 1, expectedVersion: (any?.version ?? 1) - old };
    default:
      return { type: 'nonsense' } as unknown as MasterCommand;
  }
}
const seen = ({ id, version }: Session, old: number) => ({ session: id, version: version - old });

describe('the fold', () => {
  it('tells what a session held in the order of its terms, restored or not, also where it handed one to itself', () => {
    const fold = new MasterFold();
    const asked: MasterCommand[] = [
      { type: 'open', node: 'a', incarnation: 'a', leaseMs: 1_000, take: null },
      { type: 'beMaster', session: 1, election: 'shard', expectedVersion: 0, holder: null, metadata: {} },
      { type: 'beMaster', session: 1, election: 'other', expectedVersion: 0, holder: null, metadata: {} },
      { type: 'transfer', session: 1, election: 'shard', term: 2, to: 1, metadata: {} },
    ];
    for (const [i, command] of asked.entries()) {
      fold.apply(i + 1, encodeMasterCommand(commandId('a', i + 1), command));
    }
    const restored = new MasterFold();
    restored.restore(fold.snapshot());
    for (const node of [fold, restored]) {
      let freed: readonly string[] = [];
      node.onApplied(({ news }) => {
        freed = news?.records.map(({ election }) => election) ?? [];
      });
      node.apply(5, encodeMasterCommand(commandId('a', 5), { type: 'end', session: 1 }));
      expect(freed).toEqual(['other', 'shard']);
    }
  });

  it('gives the same state and the same bytes at two nodes, one of which was restored in between; S1: terms of an election grow strictly and each has one master for ever', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.nat(60), (steps, restoredAt) => {
        const log = new Log();
        let twin = new MasterFold();
        const twins: Applied[] = [];
        twin.onApplied((applied) => twins.push(applied));
        const terms = new Map(elections.map((election) => [election, { term: 0, master: 0, version: 0 }]));
        let last = encodeMasterCommand('a/0', { type: 'end', session: 1 });
        steps.forEach((at, i) => {
          const isRepeat = at.type === 'repeat';
          const id = commandId(at.by, i + 1);
          const command = isRepeat ? last : encodeMasterCommand(id, commandOf(log.view, at));
          last = command;
          if (i === restoredAt) {
            const fresh = new MasterFold();
            fresh.restore(twin.snapshot());
            fresh.onApplied((applied) => twins.push(applied));
            twin = fresh;
          }
          log.fold.apply(i + 1, command);
          twin.apply(i + 1, command);
          for (const record of log.view.records()) {
            const before = terms.get(record.election) as { term: number; master: number; version: number };
            expect(record.term).toBeGreaterThanOrEqual(before.term);
            expect(record.version).toBeGreaterThanOrEqual(before.version);
            if (record.term === before.term && record.master !== null) expect(record.master).toBe(before.master);
            terms.set(record.election, { ...record, master: record.master ?? before.master });
          }
          expectWhole(log.view);
        });
        expect(twin.snapshot()).toEqual(log.fold.snapshot());
        expect(twins).toEqual(log.applied);
      }),
      { numRuns: 150 },
    );
  });

  it('a command that does not apply changes nothing, and says so', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const log = new Log();
        for (const at of steps) {
          const before = contentOf(log.fold.snapshot());
          const { applied, reason, news } = log.as(at.by, commandOf(log.view, at));
          expect(applied).toBe(news !== null);
          if (applied) continue;
          expect(reason).toBeDefined();
          expect(contentOf(log.fold.snapshot())).toEqual(before);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('its news passes the check that every hearer makes', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const log = new Log();
        for (const at of steps) log.as(at.by, commandOf(log.view, at));
        const changes = log.applied.flatMap(({ news }) => (news ? [news] : []));
        const payload = encodeEnvelope({ config: '', incarnation: 'a', message: { type: 'news', changes } });
        expect(decodeEnvelope(payload).envelope?.message).toEqual({ type: 'news', changes });
      }),
      { numRuns: 60 },
    );
  });
});

/** Every master is a live session; the index says the same as the records. */
function expectWhole(view: MasterReader): void {
  for (const record of view.records()) {
    if (record.master === null) continue;
    expect(view.session(record.master)).toBeDefined();
    expect(view.held(record.master)).toContain(record.election);
  }
}

describe('MasterView', () => {
  it('ends what the whole of the present does not name, and keeps what began after it', () => {
    const session = (id: number): Session => ({
      id,
      node: 'a',
      incarnation: 'i',
      leaseMs: 1000,
      version: id,
      setBy: `i/${id}`,
      openedBy: `i/${id}`,
    });
    const view = new MasterView();
    view.hear({ position: 9, sessions: [3, 5, 9].map(session), ended: [], records: [] });
    const part = { position: 7, sessions: [session(5)], ended: [], records: [] };
    expect(view.hear(part)).toBeNull();
    expect(view.hear({ ...part, isWhole: true })?.ended).toEqual([3]);
    expect(Array.from(view.view.sessions(), ({ id }) => id)).toEqual([5, 9]);
    expect(view.hear({ position: 9, sessions: [3, 5, 9].map(session), ended: [], records: [] })).toBeNull();
  });

  it('shows the same as the fold once all news is heard, in any order and however often', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 40 }),
        fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
        (steps, chance) => {
          const log = new Log();
          for (const at of steps) log.as(at.by, commandOf(log.view, at));
          const news = log.applied.flatMap((applied) => (applied.news ? [applied.news] : []));
          const heard = [...news, ...news].map((one) => ({ one, at: chance.next().value as number }));
          const view = new MasterView();
          for (const { one } of heard.sort((x, y) => x.at - y.at)) view.hear(one);
          expect(contentOfView(view.view)).toEqual(contentOfView(log.view));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('drops lower versions, and ended sessions never come back', () => {
    const session: Session = {
      id: 1,
      node: 'a',
      incarnation: 'a',
      leaseMs: 500,
      version: 4,
      setBy: 'a/4',
      openedBy: 'a/1',
    };
    const news = (position: number, change: Partial<MasterNews>): MasterNews => ({
      position,
      sessions: [],
      ended: [],
      records: [],
      ...change,
    });
    const view = new MasterView();
    expect(view.hear(news(4, { sessions: [session] }))).not.toBeNull();
    expect(view.hear(news(3, { sessions: [{ ...session, version: 3, leaseMs: 900 }] }))).toBeNull();
    expect(view.view.session(1)?.leaseMs).toBe(500);
    view.hear(news(9, { ended: [1] }));
    expect(view.hear(news(8, { sessions: [{ ...session, version: 8 }] }))).toBeNull();
    expect(view.view.session(1)).toBeUndefined();
    expect(view.position).toBe(9);
  });
});

const contentOfView = (view: MasterReader) => ({
  sessions: [...view.sessions()].sort((x, y) => x.id - y.id),
  records: [...view.records()].sort((x, y) => (x.election < y.election ? -1 : 1)),
});
