import type { Life } from '../group/life.ts';
import type { Invariant } from './invariant.ts';

/**
 * For each election at most one node answers that it is master, at every true instant. A process that is paused is asked too:
 * its answer is what it would say if it ran on at this instant. One that is held up in the middle of a step cannot be asked
 * anything.
 *
 * It is enough to ask after each event: a node begins to be master only in an event, and whoever else is master at that
 * instant says so then. After a step of one process it is that process that may have become master: where it cannot be, nobody
 * has. A machine that sleeps cannot be asked either; when it wakes it is. And it is enough to ask those whose
 * machines mind a mastership, because `isMaster()` is false for all others whatever its clocks say; asking more would only
 * read clocks more often than a real process does.
 */
export const oneMaster: Invariant = {
  name: 'at most one master',
  source: 'S2, protocol.md section 1; T5, section 4',
  watch: (observed, fail) => {
    const { group } = observed;
    const { world } = group;
    const holders: Life[] = [];
    const demandOne = (election: string): void => {
      const masters = holders.filter((life) => canBeAsked(life, world.nowMs) && life.isMaster(election));
      if (masters.length < 2) return;
      fail(`${masters.map(({ node, id }) => `${node} (process ${id})`).join(' and ')} are master of ${election}`);
    };
    return {
      stepped: (stepped) => {
        if (!observed.isWithinDrift) return;
        if (stepped !== null && !(stepped.owner as Life | null)?.mayHold) return;
        holders.length = 0;
        for (const life of group.lives) if (life.mayHold) holders.push(life);
        if (holders.length < 2) return;
        for (const [i, life] of holders.entries()) {
          for (const election of life.actors.candidates.keys()) {
            if (life.minds(election) && holders.some((other, j) => j > i && other.minds(election))) demandOne(election);
          }
        }
      },
    };
  },
};

/** At this instant, of whoever lives. */
export const canBeAsked = ({ process, machine }: Life, nowMs: number): boolean =>
  process.busyUntilMs <= nowMs && !machine.clock.isAsleep;
