import { describe, expect, it } from 'vitest';
import { consensusLogContract } from './consensus-log-contract.ts';
import { MemoryLog } from './memory-log.ts';
import { settle } from './virtual-clock.ts';

consensusLogContract('in memory', () => {
  const log = new MemoryLog({ firstPosition: 100 });
  return { nodes: [log.node('n1'), log.node('n2'), log.node('n3')], firstPosition: 100, close: () => {} };
});

const command = (number: number) => ({ id: `i/${number}`, machine: 'kv', body: new Uint8Array() });

describe('MemoryLog', () => {
  it('a node that comes late hears everything from the first command on', async () => {
    const log = new MemoryLog();
    log.node('n1').propose(command(1));
    log.node('n1').propose(command(2));
    await settle();
    const heard: string[] = [];
    log.node('n2').observe({ chosen: (position, command) => heard.push(`${position}:${command?.id}`) });
    await settle();
    expect(heard).toEqual(['1:i/1', '2:i/2']);
  });

  it('a node that is cut off is neither heard nor told, and catches up', async () => {
    const log = new MemoryLog();
    const heard: string[] = [];
    const n2 = log.node('n2');
    n2.observe({ chosen: (position, command) => heard.push(`${position}:${command?.id}`) });
    n2.cut();
    n2.propose(command(2));
    log.node('n1').propose(command(1));
    await settle();
    expect(heard).toEqual([]);
    n2.heal();
    await settle();
    expect(heard).toEqual(['1:i/1', '2:i/2']);
  });

  it('N1: what nobody can read takes a position', async () => {
    const log = new MemoryLog();
    const heard: string[] = [];
    log.node('n1').observe({ chosen: (position, command) => heard.push(`${position}:${command?.id}`) });
    log.chooseUnreadable();
    log.node('n1').propose(command(1));
    await settle();
    expect(heard).toEqual(['1:undefined', '2:i/1']);
  });
});
