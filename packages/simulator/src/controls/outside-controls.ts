import { leaseRules, MasterView, type SessionContext } from '@synod/mastership';
import { CANDIDATES } from '../run/cast.ts';
import { type Broken, rulesOf } from './broken.ts';
import type { Control, SeedsEngine } from './control.ts';

const found = (seed: number, broken: Broken): readonly [SeedsEngine] => [
  { kind: 'seeds', seed, rules: () => rulesOf(broken), concerns: ({ settings }) => settings.candidates !== undefined },
];

type Request = NonNullable<SessionContext['holding']>['requests'][number];

const isOutside = ({ input }: SessionContext): boolean => CANDIDATES.includes(input.self);

/** Whatever comes last counts, as if nothing could overtake anything. */
class Credulous extends MasterView {
  protected override isNews(): boolean {
    return true;
  }
}

/** News are taken as they come, and what did not come is not missed. */
class Incurious extends MasterView {
  override misses(): boolean {
    return false;
  }
}

/** Broken rules of nodes outside the log: they know what they are told. */
export const outsideControls: readonly Control[] = [
  {
    name: 'older-news-believed',
    rule: 'T4, "at a hearer versions only rise"',
    sentence:
      'A candidate outside the log believes what it heard last, be it a late answer of a member that is behind.',
    engines: found(612, { heard: () => new Credulous() }),
    finds: /terms grow|at most one master|impossible state|progress/,
  },
  {
    name: 'lost-news-not-missed',
    rule: 'L1; fault 33',
    sentence: 'A candidate outside the log does not ask for news that was lost on the way to it.',
    engines: found(151, { heard: () => new Incurious() }),
    finds: /progress/,
  },
  {
    name: 'candidate-counts-from-the-answer',
    rule: 'T1',
    sentence: 'A candidate outside the log counts its lease from when it hears that its command was chosen.',
    engines: found(2093, {
      lease: {
        hold: (s, session, request) =>
          leaseRules.hold(
            s,
            session,
            isOutside(s) ? { ...request, stamp: s.input.holderClock.stamp(s.leaseMs) } : request,
          ),
        adopt(s, holding) {
          const adopted = leaseRules.adopt(s, holding);
          if (!isOutside(s) || !adopted.holding) return adopted;
          const { setBy } = adopted.holding;
          const stamp = s.input.holderClock.stamp(s.leaseMs);
          const restamped = (request: Request): Request => (request.id === setBy ? { ...request, stamp } : request);
          const requests = adopted.holding.requests.map(restamped);
          return {
            ...adopted,
            holding: { ...adopted.holding, requests, claims: s.rules.claims(requests, adopted.holding) },
          };
        },
      },
    }),
    finds: /at most one master/,
  },
  {
    name: 'candidate-reckons-by-itself',
    rule: 'T1, T2; section 4, "ρ and guard are part of the configuration digest"',
    sentence: 'A candidate outside the log reckons by a drift of its own, which is none.',
    engines: found(4500, {
      lease: {
        request(s, version) {
          const request = leaseRules.request(s, version);
          return isOutside(s) ? { ...request, holdMs: request.leaseMs } : request;
        },
        waitEndsAtMs(s, session) {
          const endsAtMs = leaseRules.waitEndsAtMs(s, session);
          return isOutside(s) ? s.sights.note(session.setBy, 0) + session.leaseMs : endsAtMs;
        },
      },
    }),
    finds: /at most one master/,
  },
];
