import type { Mastership } from '@synod/runtime';
import type { Life } from '../group/life.ts';
import { isGivenUp, overdueMs } from './held.ts';
import type { Invariant } from './invariant.ts';

/** Between what a deadline is and when a timer for it is due: timers count whole milliseconds. */
const ROUNDING_MS = 2;

/** What one process was told of its masterships. */
interface Told {
  /** What services were given, and was not said to be over. */
  readonly given: Set<Mastership>;
  /** Terms that were told to begin and not to end, by election. */
  readonly terms: Map<string, number>;
  /** How late its timers may be at most. */
  lateMs: number;
  /** True time of an earlier step in which something was overdue; what was due then has run since, if it could. */
  overdueSinceMs: number | null;
}

/**
 * Whoever works by a mastership hears of its end: the signal is aborted and `lost` is told in the step in which the node gives
 * up or hears of it; and where only the clock says so, when the timers for it have fired, whatever else is under way (T5: they
 * are any amount late, so that is all there is to demand).
 */
export const noticesCome: Invariant = {
  name: 'the end of a mastership is told',
  source: 'T5, T6 and T7, protocol.md section 4',
  watch: ({ group }, fail) => {
    const { world } = group;
    const lives = new Map<Life, Told>();
    const toldOf = (life: Life): Told => {
      let told = lives.get(life);
      if (!told) {
        told = { given: new Set(), terms: new Map(), lateMs: 0, overdueSinceMs: null };
        lives.set(life, told);
      }
      return told;
    };

    /** All that a step has ended was told in it. */
    const demandToldOf = (life: Life, { given, terms }: Told): void => {
      for (const mastership of given) {
        const { election, term, signal } = mastership;
        if (signal.aborted) given.delete(mastership);
        else if (isGivenUp(life, election, term))
          fail(`${life.node} has given up ${election} with term ${term}, and the signal of it is not aborted`);
      }
      for (const [election, term] of terms) {
        if (isGivenUp(life, election, term)) fail(`${life.node} has given up ${election} with term ${term}, untold`);
      }
    };

    const demandInTime = (life: Life, told: Told): void => {
      const isLate = told.given.size + told.terms.size > 0 && overdueMs(life) > told.lateMs + ROUNDING_MS;
      if (!isLate) told.overdueSinceMs = null;
      else if (told.overdueSinceMs === null) told.overdueSinceMs = world.nowMs;
      else if (Math.max(told.overdueSinceMs, life.process.freeSinceMs) < world.nowMs)
        fail(`${life.node} runs on after its deadline, and nobody is told`);
    };

    return {
      given: (life, mastership) => void toldOf(life).given.add(mastership),
      elected: (life, term, election) => void toldOf(life).terms.set(election, term),
      deposed: (life, term, _lostBy, election) => {
        const { terms } = toldOf(life);
        if (terms.get(election) === term) terms.delete(election);
      },
      ended: (life) => void lives.delete(life),
      stepped: (stepped) => {
        const life = stepped?.owner as Life | null | undefined;
        const told = life && lives.get(life);
        if (!told) return;
        told.lateMs = Math.max(told.lateMs, life.machine.timers.now.lateMs);
        if (told.given.size + told.terms.size === 0) return;
        demandToldOf(life, told);
        demandInTime(life, told);
      },
    };
  },
};
