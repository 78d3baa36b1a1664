import { afterEach, describe, expect, it, vi } from 'vitest';
import type { CommandId } from '../command-id.ts';
import type { ConsensusLog } from '../ports/consensus-log.ts';
import type { Command } from '../schemas/command.ts';

/** What {@link consensusLogContract} needs of a log under test. Made anew for each test. */
export interface ConsensusLogHarness {
  /** One log, seen from at least two nodes. */
  readonly nodes: readonly ConsensusLog[];
  /** Position of the first command the nodes will hear. */
  readonly firstPosition: number;
  /** Lets time pass, where it is virtual: called between two looks at a condition. */
  step?(): Promise<void> | void;
  close(): Promise<void> | void;
}

interface Heard {
  readonly chosen: { readonly position: number; readonly command: Command | null }[];
  readonly seen: Set<CommandId>;
  /** Chosen before they were seen. */
  readonly unseen: CommandId[];
}

function hear(log: ConsensusLog): Heard {
  const heard: Heard = { chosen: [], seen: new Set(), unseen: [] };
  log.observe({
    seen: (id) => heard.seen.add(id),
    chosen: (position, command) => {
      if (command && !heard.seen.has(command.id)) heard.unseen.push(command.id);
      heard.chosen.push({ position, command });
    },
  });
  return heard;
}

const command = (id: CommandId, body: readonly number[] = [1]): Command => ({
  id,
  machine: 'kv',
  body: Uint8Array.from(body),
});

const ids = ({ chosen }: Heard): (CommandId | undefined)[] => chosen.map(({ command }) => command?.id);

/** Each id once, where it was chosen first: a command may be chosen more than once. */
const firstIds = (heard: Heard): (CommandId | undefined)[] => [...new Set(ids(heard))];

/** The suite every {@link ConsensusLog} passes. */
export function consensusLogContract(
  name: string,
  makeHarness: () => Promise<ConsensusLogHarness> | ConsensusLogHarness,
): void {
  describe(`ConsensusLog contract: ${name}`, () => {
    let harness: ConsensusLogHarness | undefined;
    afterEach(async () => {
      await harness?.close();
      harness = undefined;
    });

    async function make(): Promise<{ nodes: readonly ConsensusLog[]; heard: Heard[]; firstPosition: number }> {
      harness = await makeHarness();
      const { nodes, firstPosition } = harness;
      expect(nodes.length, 'a harness has at least two nodes').toBeGreaterThan(1);
      return { nodes, heard: nodes.map(hear), firstPosition };
    }

    const until = (check: () => void): Promise<void> =>
      vi.waitFor(
        async () => {
          await harness?.step?.();
          check();
        },
        { timeout: 10_000, interval: 5 },
      );

    it('S1: every node hears the same commands at the same positions, without a gap', async () => {
      const { nodes, heard, firstPosition } = await make();
      const asked: CommandId[] = [];
      for (let number = 0; number < 30; number++) {
        const id = `a${number % nodes.length}/${number}`;
        asked.push(id);
        (nodes[number % nodes.length] as ConsensusLog).propose(command(id));
      }
      await until(() => {
        for (const one of heard) expect(firstIds(one).sort()).toEqual([...asked].sort());
        expect(new Set(heard.map(({ chosen }) => chosen.length)).size).toBe(1);
      });
      for (const { chosen } of heard) {
        expect(chosen.map(({ position }) => position)).toEqual(chosen.map((_, index) => firstPosition + index));
        expect(chosen.map(({ command }) => command?.id)).toEqual(ids(heard[0] as Heard));
      }
    });

    it('T2: a command is seen before it is chosen, at every node', async () => {
      const { nodes, heard } = await make();
      for (const [index, node] of nodes.entries()) node.propose(command(`b${index}/1`));
      await until(() => {
        for (const one of heard) expect(firstIds(one)).toHaveLength(nodes.length);
      });
      for (const { unseen } of heard) expect(unseen).toEqual([]);
    });

    it('hands on a command as it was proposed', async () => {
      const { nodes, heard } = await make();
      const body = Array.from({ length: 256 }, (_, index) => index);
      nodes[0]?.propose(command('c/1', body));
      nodes[0]?.propose(command('c/2', []));
      await until(() => {
        for (const one of heard) expect(firstIds(one)).toHaveLength(2);
      });
      for (const { chosen } of heard) {
        for (const { command } of chosen) {
          expect(command?.machine).toBe('kv');
          expect([...(command?.body ?? [])]).toEqual(command?.id === 'c/1' ? body : []);
        }
      }
    });

    it('never chooses within the call that proposes', async () => {
      const { nodes, heard } = await make();
      nodes[0]?.propose(command('d/1'));
      expect(heard[0]?.chosen).toEqual([]);
      await until(() => expect(firstIds(heard[0] as Heard)).toEqual(['d/1']));
    });

    it('what is only about to be proposed is not chosen, and hinders nobody', async () => {
      const { nodes, heard } = await make();
      for (const node of nodes) for (const silent of ['n1', 'n2', 'n3', 'nobody']) node.aboutToPropose(silent);
      nodes[0]?.propose(command('g/1'));
      await until(() => {
        for (const one of heard) expect(firstIds(one)).toEqual(['g/1']);
      });
    });

    it('a withdrawn command may be chosen or not, and stops nothing', async () => {
      const { nodes, heard } = await make();
      nodes[0]?.propose(command('e/1'));
      nodes[0]?.withdraw('e/1');
      nodes[0]?.withdraw('e/never');
      nodes[0]?.propose(command('e/2'));
      await until(() => {
        for (const one of heard) expect(firstIds(one)).toContain('e/2');
      });
      expect(['e/2', 'e/1,e/2', 'e/2,e/1']).toContain(firstIds(heard[1] as Heard).join());
    });

    it('an observer that left hears nothing more', async () => {
      const { nodes, heard } = await make();
      const left: number[] = [];
      const stop = nodes[0]?.observe({ chosen: (position) => left.push(position) });
      nodes[0]?.propose(command('f/1'));
      await until(() => expect(firstIds(heard[0] as Heard)).toEqual(['f/1']));
      const before = left.length;
      stop?.();
      nodes[0]?.propose(command('f/2'));
      await until(() => expect(firstIds(heard[0] as Heard)).toEqual(['f/1', 'f/2']));
      expect(left).toHaveLength(before);
    });
  });
}
