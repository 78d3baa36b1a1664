import type { Life } from '../group/life.ts';
import type { Invariant } from './invariant.ts';

/**
 * For each election at most one node answers that it is master, at every true instant. A process that is paused is asked too:
 * its answer is what it would say if it ran on at this instant. One that is held up in the middle of a step cannot be asked
 * anything.
 *
 * It is enough to ask after each event: a node begins to be master only in an event, and whoever else is master at that
 * instant says so then. After a step of one process it is that process that may have become master, of what its machines
 * mind: where it cannot be, nobody has. A machine that sleeps cannot be asked either; when it wakes it is. And it is enough
 * to ask those whose machines mind a mastership, because `isMaster()` is false for all others whatever its clocks say;
 * asking more would only read clocks more often than a real process does.
 */
export const oneMaster: Invariant = {
  name: 'at most one master',
  source: 'S2, protocol.md section 1; T5, section 4',
  watch: (observed, fail) => {
    const { group } = observed;
    const { world } = group;
    const demandOne = (election: string): void => {
      const minders: Life[] = [];
      for (const life of group.lives) if (life.mayHold && life.minds(election)) minders.push(life);
      if (minders.length < 2) return;
      const masters = minders.filter(
        (life) => canBeAsked(life, world.nowMs) && !observed.isUnaware(life) && life.isMaster(election),
      );
      if (masters.length < 2) return;
      fail(`${masters.map(({ node, id }) => `${node} (process ${id})`).join(' and ')} are master of ${election}`);
    };
    const demandAlone = (life: Life | null): void => {
      if (!life?.mayHold) return;
      for (const election of life.actors.candidates.keys()) if (life.minds(election)) demandOne(election);
    };
    return {
      stepped: (stepped) => {
        if (!observed.isWithinDrift) return;
        if (stepped) demandAlone(stepped.owner as Life | null);
        else for (const life of group.lives) demandAlone(life);
      },
    };
  },
};

/** At this instant, of whoever lives. */
export const canBeAsked = ({ process, machine }: Life, nowMs: number): boolean =>
  process.busyUntilMs <= nowMs && !machine.clock.isAsleep;
