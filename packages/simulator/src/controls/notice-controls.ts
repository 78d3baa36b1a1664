import { leaseRules, sessionMachine } from '@synod/mastership';
import type { Clock, Journal } from '@synod/protocol';
import type { Election, Group, GroupEvents, Master, Mastership, RunWhileMasterOptions } from '@synod/runtime';
import { type Broken, rulesOf } from './broken.ts';
import type { Control, SeedsEngine } from './control.ts';

const found = (
  seed: number,
  broken: Broken,
  concerns?: NonNullable<SeedsEngine['concerns']>,
): readonly [SeedsEngine] => [{ kind: 'seeds', seed, rules: () => rulesOf(broken), ...(concerns ? { concerns } : {}) }];

/** `of`, but for these. */
const changed = <T extends object>(of: T, parts: Partial<T>): T =>
  new Proxy(of, {
    get: (target, key) => {
      if (key in parts) return Reflect.get(parts, key);
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });

type Alter = (mastership: Mastership, clock: Clock) => Mastership;

/** Services are given masterships that are not what they should be. */
const given = (alter: Alter): Broken => ({
  served: (group, clock) => {
    const altered = (election: Election): Election =>
      changed(election, {
        campaign: async (options) => alter(await election.campaign(options), clock),
        runWhileMaster: (work: (mastership: Mastership) => Promise<void> | void, options?: RunWhileMasterOptions) =>
          election.runWhileMaster((mastership) => work(alter(mastership, clock)), options),
      });
    return changed(group, { election: (...asked) => altered(group.election(...asked)) });
  },
});

const untold = (group: Group): Group =>
  changed(group, {
    addEventListener: (type, ...rest) => {
      if (type !== 'lost') group.addEventListener(type, ...rest);
    },
  });

/** Of each election the first change, and no other. */
const toldOnce = (group: Group): Group =>
  changed(group, {
    addEventListener: (type, listener, ...rest) => {
      if (type !== 'change') return group.addEventListener(type, listener, ...rest);
      const told = new Set<string>();
      const hear = listener as (event: CustomEvent<GroupEvents['change']>) => void;
      group.addEventListener('change', (event) => {
        if (told.has(event.detail.election)) return;
        told.add(event.detail.election);
        hear(event);
      });
    },
  });

const transfersToAnybody = (group: Group): Group =>
  changed(group, {
    election: (...asked) => {
      const election = group.election(...asked);
      const anybody = (error: unknown): Master => {
        if (election.master) return election.master;
        throw error;
      };
      return changed(election, { transfer: (...to) => election.transfer(...to).catch(anybody) });
    },
  });

/** The signal of a mastership, some time later. */
function lateSignal({ signal }: Mastership, delayMs: number, clock: Clock): AbortSignal {
  const controller = new AbortController();
  signal.addEventListener('abort', () => clock.setTimeout(() => controller.abort(signal.reason), delayMs));
  return controller.signal;
}

/** No timer wakes it at its deadline, and no tick. */
const neverWoken = () =>
  sessionMachine().provide({
    delays: { untilDeadline: () => 2 ** 31 - 1 },
    guards: { isLapsed: ({ context: s, event }) => event.type !== 'lapsed' && leaseRules.isLapsed(s) },
  });

/** A failed write is never heard of. */
const deaf = (journal: Journal): Journal => {
  const unlessFailed = (written: Promise<void>): Promise<void> =>
    new Promise((resolve) => void written.then(resolve, () => {}));
  return changed(journal, {
    flush: () => unlessFailed(journal.flush()),
    checkpoint: (records) => unlessFailed(journal.checkpoint(records)),
  });
};

/** What a service is told wrongly: notices, comparisons, acknowledgements (T5, T7, T8); and a node by its journal (P3). */
export const noticeControls: readonly Control[] = [
  {
    name: 'signal-never-aborted',
    rule: 'T5, "Signal, lost event and callback are notices"',
    sentence: 'The signal of a mastership that is over is not aborted.',
    engines: found(
      1,
      given((mastership) => changed(mastership, { signal: new AbortController().signal })),
    ),
    finds: /the end of a mastership is told/,
  },
  {
    name: 'signal-aborted-late',
    rule: 'T5',
    sentence: 'The signal of a mastership is aborted a while after the node knows that it is over.',
    engines: found(
      1,
      given((mastership, clock) => changed(mastership, { signal: lateSignal(mastership, 20, clock) })),
    ),
    finds: /the end of a mastership is told/,
  },
  {
    name: 'deadline-not-watched',
    rule: 'T5, "Timers only wake"; T6',
    sentence: 'A session that ran out is told to nobody until something else happens to it.',
    engines: [{ kind: 'seeds', seed: 57, rules: () => rulesOf({}, { lease: neverWoken() }) }],
    finds: /runs on after its deadline/,
  },
  {
    name: 'lost-never-told',
    rule: 'T6, "the node has said lost"',
    sentence: 'Nobody is told that a mastership is lost.',
    engines: found(1, { served: untold }),
    finds: /the end of a mastership is told/,
  },
  {
    name: 'change-told-once',
    rule: 'changes(), interfaces.md',
    sentence: 'Of each election the first change of master is told, and no other.',
    engines: found(2, { served: toldOnce }),
    finds: /what is told of a master last is so/,
  },
  {
    name: 'run-without-assert',
    rule: 'T5; Mastership.run',
    sentence: 'Work begins without a look at the clock.',
    engines: found(
      35,
      given((mastership) =>
        changed(mastership, {
          run: async (effect) => {
            const result = await effect(mastership.term);
            mastership.assert();
            return result;
          },
        }),
      ),
    ),
    finds: /begins work/,
  },
  {
    name: 'run-without-second-assert',
    rule: 'T5; Mastership.run',
    sentence: 'Work that outlasts its mastership is said to have been done.',
    engines: found(
      16,
      given((mastership) =>
        changed(mastership, {
          run: async (effect) => {
            mastership.assert();
            return effect(mastership.term);
          },
        }),
      ),
      ({ user }) => user.lasting > 0,
    ),
    finds: /ends work/,
  },
  {
    name: 'resign-acknowledged-at-once',
    rule: 'T7; Mastership.resign',
    sentence: 'A mastership is said to be free before its Resign was chosen.',
    engines: found(
      1,
      given((mastership) => changed(mastership, { resign: async (options) => void mastership.resign(options) })),
      ({ campaigns }) => Object.values(campaigns).some((all) => all.some(({ turns }) => turns !== null)),
    ),
    finds: /is told that \w+ is free/,
  },
  {
    name: 'transfer-acknowledged-whoever-has-it',
    rule: 'T8; Election.transfer',
    sentence: 'A mastership is said to have been handed over, whoever has it now.',
    engines: found(7, { served: transfersToAnybody }, ({ faults }) => faults.some(({ kind }) => kind === 'transfer')),
    finds: /is told that \w+ has/,
  },
  {
    name: 'journal-failure-unheard',
    rule: 'P3, "the node also gives up its masterships"',
    sentence: 'A master does not hear that its journal failed, and stays what it is.',
    engines: found(5, { journal: deaf }, ({ faults }) => faults.some(({ kind }) => kind === 'full disk')),
    finds: /a failed journal ends masterships/,
  },
];
