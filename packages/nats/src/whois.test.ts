import { MemoryNetwork, settle } from '@synod/protocol/testing';
import { describe, expect, it } from 'vitest';
import { encodeJson } from './json.ts';
import type { ElectionState } from './schemas/events.ts';
import { askWhois, respondWhois } from './whois.ts';

const state = (version: number, election = 'group'): ElectionState => ({
  group: 'test',
  election,
  term: version,
  version,
  cause: 'expired',
  current: { node: 'n1', metadata: {} },
  previous: null,
  leaseMs: 3000,
});
const voters = ['n1', 'n2', 'n3'];

/** Members that answer with the versions given; `null` is a member that is silent. */
function group(...versions: readonly (number | null)[]): MemoryNetwork {
  const network = new MemoryNetwork();
  for (const [index, version] of versions.entries()) {
    const bus = network.bus(`n${index + 1}`);
    if (version === null) bus.respond({ role: 'whois', to: 'all' }, () => {});
    else respondWhois(bus, () => ({ voters, position: version, elections: [state(version), state(version, 'other')] }));
  }
  return network;
}

describe('whois', () => {
  it('takes the highest version of a majority, without waiting for the rest', async () => {
    const asker = group(45, 120, null).bus('web');
    const whois = await askWhois(asker, { waitMs: 60_000, timeoutMs: 60_000 });
    expect(whois).toMatchObject({ nodes: ['n1', 'n2'], isMajority: true });
    expect(whois?.elections.get('group')).toEqual(state(120));
    expect(whois?.elections.get('other')).toEqual(state(120, 'other'));
  });

  it('takes what a minority says when waiting brings no more', async () => {
    const asker = group(45, null, null).bus('web');
    const whois = await askWhois(asker, { waitMs: 1, timeoutMs: 60_000 });
    expect(whois).toMatchObject({ nodes: ['n1'], isMajority: false });
    expect(whois?.elections.get('group')?.version).toBe(45);
  });

  it('counts members, never answers', async () => {
    const network = group();
    const twice = network.bus('n1');
    for (let time = 0; time < 3; time++) respondWhois(twice, () => ({ voters, position: 1, elections: [] }));
    expect(await askWhois(network.bus('web'), { waitMs: 1 })).toMatchObject({ nodes: ['n1'], isMajority: false });
  });

  it('asks for one election, and stops at as many members as one wants', async () => {
    const asker = group(45, 120, 7).bus('web');
    const whois = await askWhois(asker, { election: 'other', quorum: 1 });
    expect([...(whois?.elections.keys() ?? [])]).toEqual(['other']);
    expect(whois?.nodes).toHaveLength(1);
  });

  describe('of more elections than a message can tell', () => {
    const names = Array.from({ length: 100 }, (_, i) => `shard-${i}`);
    const large = (...nodes: readonly string[]) => {
      const network = new MemoryNetwork({ maxPayloadBytes: 4_096 });
      for (const [i, node] of nodes.entries()) {
        const elections = names.map((name) => state(10 + i, name));
        respondWhois(network.bus(node), () => ({ voters, position: 10 + i, elections }));
      }
      return network;
    };

    it('takes them from as many messages as it takes', async () => {
      const whois = await askWhois(large('n1', 'n2').bus('web'), { waitMs: 60_000, timeoutMs: 60_000 });
      expect(whois).toMatchObject({ nodes: ['n1', 'n2'], isMajority: true });
      expect([...(whois?.elections.values() ?? [])]).toEqual(names.map((name) => state(11, name)));
    });

    it('counts no member of which a message is missing', async () => {
      const network = large('n1');
      const bus = network.bus('n2');
      const respond = bus.respond.bind(bus);
      bus.respond = (address, handler) =>
        respond(address, (payload, from, answer) => {
          let sent = 0;
          handler(payload, from, (answered) => void (sent++ !== 1 && answer(answered)));
        });
      respondWhois(bus, () => ({ voters, position: 12, elections: names.map((name) => state(12, name)) }));
      const whois = await askWhois(network.bus('web'), { waitMs: 5 });
      expect(whois).toMatchObject({ nodes: ['n1'], isMajority: false });
    });

    it('is one message where one election is asked for', async () => {
      const network = large('n1');
      const whois = await askWhois(network.bus('web'), { election: 'shard-7', quorum: 1 });
      expect(whois?.answers).toHaveLength(1);
      expect(whois?.answers[0]?.piece).toBeUndefined();
    });
  });

  it('knows at once that nobody is there, or that it was not sent', async () => {
    const network = new MemoryNetwork();
    const asker = network.bus('web');
    expect(await askWhois(asker, { timeoutMs: 60_000 })).toBeNull();
    network.disconnect('web');
    expect(await askWhois(asker, { timeoutMs: 60_000 })).toBeNull();
  });

  it('gives up on silent members, and when told to', async () => {
    const asker = group(null, null).bus('web');
    expect(await askWhois(asker, { timeoutMs: 1 })).toBeNull();
    const controller = new AbortController();
    const asked = askWhois(asker, { timeoutMs: 60_000, signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(asked).rejects.toThrow('enough');
  });

  it('39: ignores answers and questions that are none', async () => {
    const network = group(45);
    const liar = network.bus('n2');
    const answers: unknown[] = [
      { v: 2 },
      { v: 1, group: 'other', node: 'n2', voters, position: 9, elections: [] },
      'x',
    ];
    liar.respond({ role: 'whois', to: 'all' }, (_, __, answer) => {
      for (const lie of answers) answer(encodeJson(lie));
      answer(Uint8Array.of(0xff));
    });
    const asker = network.bus('web');
    expect(await askWhois(asker, { waitMs: 1 })).toMatchObject({ nodes: ['n1'] });
    const heard: Uint8Array[] = [];
    const request = asker.request({ role: 'whois', to: 'all' }, encodeJson({ v: 1, election: '*' }), (p) =>
      heard.push(p),
    );
    await settle();
    request.close();
    expect(heard).toHaveLength(answers.length + 1); // Of the liar alone.
  });
});
