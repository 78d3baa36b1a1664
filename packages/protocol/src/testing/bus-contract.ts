import { afterEach, describe, expect, it, vi } from 'vitest';
import { InvariantError } from '../invariant.ts';
import type { NodeId } from '../node-id.ts';
import type { Address, Bus } from '../ports/bus.ts';

/** What {@link busContract} needs of a transport under test. Made anew for each test. */
export interface BusHarness {
  /** A bus over a connection of its own. Group by default `test`. */
  bus(node: NodeId, group?: string): Promise<Bus> | Bus;
  /** Breaks the node's connection until {@link reconnect}; returns once the bus says so. */
  disconnect(node: NodeId): Promise<void> | void;
  /** Returns once the bus says it is connected. */
  reconnect(node: NodeId): Promise<void> | void;
  /** True while the connection under the node's bus is its owner's to use. */
  isConnectionOpen(node: NodeId): boolean;
  /** Makes the handlers' errors visible: each was told to the owner of the bus, in order. */
  readonly errors: readonly unknown[];
  close(): Promise<void> | void;
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

const acceptor = (to: string): Address => ({ role: 'acceptor', to });
const append: Address = { role: 'log', to: 'append' };
const whois: Address = { role: 'whois', to: 'all' };

/** Hears an address and keeps what came, as `sender:text`. */
function hear(bus: Bus, address: Address): string[] {
  const heard: string[] = [];
  bus.subscribe(address, (payload, from) => heard.push(`${from}:${text(payload)}`));
  return heard;
}

/** Everything sent before has been delivered to buses whose messages travel in order: a mark sent after it has arrived. */
async function drained(from: Bus, to: Bus): Promise<void> {
  const mark: Address = { role: 'identity', to: 'mark' };
  let isSeen = false;
  const subscription = to.subscribe(mark, () => {
    isSeen = true;
  });
  await to.flush();
  from.publish(mark, bytes('mark'));
  await vi.waitFor(() => expect(isSeen).toBe(true), { timeout: 5_000, interval: 5 });
  subscription.close();
}

/** The suite every {@link Bus} passes. */
export function busContract(name: string, makeHarness: () => Promise<BusHarness> | BusHarness): void {
  describe(`Bus contract: ${name}`, () => {
    let harness: BusHarness | undefined;
    afterEach(async () => {
      await harness?.close();
      harness = undefined;
    });

    async function make<const Names extends readonly string[]>(...nodes: Names): Promise<{ [I in keyof Names]: Bus }> {
      harness = await makeHarness();
      const buses: Bus[] = [];
      for (const node of nodes) buses.push(await harness.bus(node));
      return buses as { [I in keyof Names]: Bus };
    }
    const current = (): BusHarness => harness as BusHarness;
    const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 5_000, interval: 5 });

    it('delivers to exactly the address, and names the sender', async () => {
      const [n1, n2, n3] = await make('n1', 'n2', 'n3');
      const to2 = hear(n2, acceptor('n2'));
      const to3 = hear(n3, acceptor('n3'));
      const proposer2 = hear(n2, { role: 'proposer', to: 'n2' });
      await Promise.all([n2.flush(), n3.flush()]);
      expect(n1.publish(acceptor('n2'), bytes('prepare'))).toBe(true);
      await until(() => expect(to2).toEqual(['n1:prepare']));
      await drained(n1, n3);
      expect([to3, proposer2]).toEqual([[], []]);
    });

    it('delivers to all who subscribe to all, and to nobody else', async () => {
      const [n1, n2, n3] = await make('n1', 'n2', 'n3');
      const all2 = hear(n2, acceptor('all'));
      const all3 = hear(n3, acceptor('all'));
      const only3 = hear(n3, acceptor('n3'));
      await Promise.all([n2.flush(), n3.flush()]);
      n1.publish(acceptor('all'), bytes('prepare'));
      await until(() => expect([all2, all3]).toEqual([['n1:prepare'], ['n1:prepare']]));
      await drained(n1, n3);
      expect(only3).toEqual([]);
    });

    it('hears every election of an event with *', async () => {
      const [n1, n2] = await make('n1', 'n2');
      const heard = hear(n2, { role: 'event', to: '*' });
      await n2.flush();
      n1.publish({ role: 'event', to: 'group' }, bytes('1'));
      n1.publish({ role: 'event', to: 'shard-7' }, bytes('2'));
      await until(() => expect(heard).toEqual(['n1:1', 'n1:2']));
    });

    it('keeps groups apart', async () => {
      const [n1] = await make('n1');
      const other = await current().bus('n2', 'other');
      const heard = hear(other, acceptor('n2'));
      await other.flush();
      n1.publish(acceptor('n2'), bytes('not yours'));
      const same = await current().bus('n3', 'other');
      same.publish(acceptor('n2'), bytes('yours'));
      await until(() => expect(heard).toEqual(['n3:yours']));
    });

    it('I4: the sender is the node of the bus, whatever the payload says', async () => {
      const [n1, n2] = await make('n1', 'n2');
      const heard = hear(n2, acceptor('n2'));
      await n2.flush();
      n1.publish(acceptor('n2'), bytes('{"from":"n3","node":"n3"}'));
      await until(() => expect(heard).toEqual(['n1:{"from":"n3","node":"n3"}']));
    });

    it('echoes to the sender', async () => {
      const [n1] = await make('n1');
      const one = hear(n1, acceptor('n1'));
      const all = hear(n1, acceptor('all'));
      await n1.flush();
      n1.publish(acceptor('n1'), bytes('a'));
      n1.publish(acceptor('all'), bytes('b'));
      await until(() => expect([one, all]).toEqual([['n1:a'], ['n1:b']]));
    });

    it('never delivers within the call that publishes', async () => {
      const [n1] = await make('n1');
      const heard = hear(n1, acceptor('n1'));
      await n1.flush();
      n1.publish(acceptor('n1'), bytes('a'));
      expect(heard).toEqual([]);
      await until(() => expect(heard).toEqual(['n1:a']));
    });

    it('does not change a payload, nor lets its sender change it later', async () => {
      const [n1, n2] = await make('n1', 'n2');
      const heard: Uint8Array[] = [];
      n2.subscribe(acceptor('n2'), (payload) => heard.push(payload));
      await n2.flush();
      const every = Uint8Array.from({ length: 256 }, (_, index) => index);
      n1.publish(acceptor('n2'), every);
      n1.publish(acceptor('n2'), new Uint8Array());
      await until(() => expect(heard).toHaveLength(2));
      every.fill(0);
      expect([...(heard[0] as Uint8Array)]).toEqual(Array.from({ length: 256 }, (_, index) => index));
      expect(heard[1]).toHaveLength(0);
    });

    it('carries the largest payload, and refuses a larger one', async () => {
      const [n1, n2] = await make('n1', 'n2');
      const sizes: number[] = [];
      n2.subscribe(acceptor('n2'), (payload) => sizes.push(payload.length));
      await n2.flush();
      expect(n1.publish(acceptor('n2'), new Uint8Array(n1.maxPayloadBytes + 1))).toBe(false);
      expect(n1.publish(acceptor('n2'), new Uint8Array(n1.maxPayloadBytes))).toBe(true);
      await until(() => expect(sizes).toEqual([n1.maxPayloadBytes]));
      expect(n1.isConnected).toBe(true);
    });

    it('carries a message that has an id and one that expects a responder like any other', async () => {
      const [n1, n2] = await make('n1', 'n2');
      const heard = hear(n2, append);
      await n2.flush();
      n1.publish(append, bytes('a'), { messageId: 'test/group/elected/1' });
      n1.publish(append, bytes('b'), { expectResponder: true });
      await until(() => expect(heard).toEqual(['n1:a', 'n1:b']));
    });

    it('tells when nobody subscribes, if asked, and whom it was for', async () => {
      const [n1, n2] = await make('n1', 'n2');
      const nobody: Address[] = [];
      n1.onNoResponders((address) => nobody.push(address));
      n1.publish(append, bytes('a'), { expectResponder: true });
      await until(() => expect(nobody).toEqual([append]));
      n1.publish(acceptor('n9'), bytes('b'), { expectResponder: true });
      await until(() => expect(nobody).toEqual([append, acceptor('n9')]));

      const heard = hear(n2, append);
      await n2.flush();
      n1.publish(append, bytes('c'), { expectResponder: true });
      n1.publish(acceptor('n9'), bytes('d'));
      await until(() => expect(heard).toEqual(['n1:c']));
      await drained(n1, n2);
      expect(nobody).toHaveLength(2);
    });

    it('brings every answer to a public request until the request is closed', async () => {
      const [n1, n2, n3] = await make('n1', 'n2', 'n3');
      const late: (() => void)[] = [];
      for (const bus of [n2, n3]) {
        bus.respond(whois, (payload, from, answer) => {
          answer(bytes(`${bus.node} answers ${from}: ${text(payload)}`));
          late.push(() => answer(bytes('late')));
        });
      }
      await Promise.all([n2.flush(), n3.flush()]);
      const answers: string[] = [];
      const request = n1.request(whois, bytes('who?'), (payload) => answers.push(text(payload)));
      await until(() => expect(answers.toSorted()).toEqual(['n2 answers n1: who?', 'n3 answers n1: who?']));
      for (const answer of late) answer();
      await until(() => expect(answers.filter((answer) => answer === 'late')).toHaveLength(2));
      request.close();
      for (const answer of late) answer();
      await drained(n2, n1);
      expect(answers).toHaveLength(4);
    });

    it('tells when nobody answers requests there', async () => {
      const [n1] = await make('n1');
      const nobody: Address[] = [];
      const answers: string[] = [];
      n1.onNoResponders((address) => nobody.push(address));
      n1.request(whois, bytes('who?'), (payload) => answers.push(text(payload)));
      await until(() => expect(nobody).toEqual([whois]));
      expect(answers).toEqual([]);
    });

    it('shares an address between its subscribers, and ends each alone', async () => {
      const [n1, n2] = await make('n1', 'n2');
      const first: string[] = [];
      const subscription = n2.subscribe(acceptor('n2'), (payload) => first.push(text(payload)));
      const second = hear(n2, acceptor('n2'));
      await n2.flush();
      n1.publish(acceptor('n2'), bytes('a'));
      await until(() => expect([first, second]).toEqual([['a'], ['n1:a']]));
      subscription.close();
      subscription.close();
      await n2.flush();
      n1.publish(acceptor('n2'), bytes('b'));
      await until(() => expect(second).toEqual(['n1:a', 'n1:b']));
      expect(first).toEqual(['a']);
    });

    it('lets a handler subscribe and end subscriptions while it hears a message', async () => {
      const [n1, n2] = await make('n1', 'n2');
      const heard: string[] = [];
      const again = (name: string): void => {
        const subscription = n2.subscribe(acceptor('n2'), (payload) => {
          heard.push(`${name}:${text(payload)}`);
          subscription.close();
          again(`${name}'`);
        });
      };
      again('once');
      await n2.flush();
      n1.publish(acceptor('n2'), bytes('a'));
      await until(() => expect(heard).toEqual(['once:a']));
      await n2.flush();
      n1.publish(acceptor('n2'), bytes('b'));
      await until(() => expect(heard).toEqual(['once:a', "once':b"]));
    });

    it.each(['', '*', '>', 'a.b', 'a b', 'n'.repeat(65)])(
      'I4: sends nothing to "%s", which is no token',
      async (to) => {
        const [n1] = await make('n1');
        expect(() => n1.publish(acceptor(to), bytes('a'))).toThrow(InvariantError);
        expect(() => n1.request(acceptor(to), bytes('a'), () => {})).toThrow(InvariantError);
        if (to !== '*') expect(() => n1.subscribe(acceptor(to), () => {})).toThrow(InvariantError);
      },
    );

    it('goes on after a handler has thrown, and tells', async () => {
      const [n1, n2] = await make('n1', 'n2');
      const heard: string[] = [];
      n2.subscribe(acceptor('n2'), (payload) => {
        heard.push(text(payload));
        if (heard.length === 1) throw new Error('handler');
      });
      n2.respond(whois, () => {
        throw new Error('responder');
      });
      await n2.flush();
      n1.publish(acceptor('n2'), bytes('a'));
      n1.request(whois, bytes('who?'), () => {});
      n1.publish(acceptor('n2'), bytes('b'));
      await until(() => expect(heard).toEqual(['a', 'b']));
      expect(current().errors.map(String)).toEqual(['Error: handler', 'Error: responder']);
    });

    it('30: while disconnected nothing is sent, and nothing is sent later', async () => {
      const [n1, n2] = await make('n1', 'n2');
      const heard = hear(n2, acceptor('n2'));
      const answers: string[] = [];
      n2.respond(whois, (_, from, answer) => {
        heard.push(`${from}:asked`);
        answer(bytes('me'));
      });
      await n2.flush();
      const changes: boolean[] = [];
      n1.onConnection((isConnected) => changes.push(isConnected));

      await current().disconnect('n1');
      expect(n1.isConnected).toBe(false);
      expect(n1.publish(acceptor('n2'), bytes('stale'))).toBe(false);
      expect(n1.publish(acceptor('n2'), bytes('stale'), { expectResponder: true, messageId: 'x' })).toBe(false);
      n1.request(whois, bytes('stale'), (payload) => answers.push(text(payload)));
      await current().reconnect('n1');
      expect(n1.isConnected).toBe(true);

      expect(n1.publish(acceptor('n2'), bytes('fresh'))).toBe(true);
      await until(() => expect(heard).toEqual(['n1:fresh']));
      await drained(n1, n2);
      expect([heard, answers]).toEqual([['n1:fresh'], []]);
      expect(changes).toEqual([false, true]);
    });

    it('loses what was sent to a disconnected node, and hears again afterwards', async () => {
      const [n1, n2] = await make('n1', 'n2');
      const heard = hear(n2, acceptor('n2'));
      await n2.flush();
      await current().disconnect('n2');
      const during = hear(n2, acceptor('all'));
      n1.publish(acceptor('n2'), bytes('lost'));
      if (n1.isConnected) await n1.flush();
      await current().reconnect('n2');
      await n2.flush();
      n1.publish(acceptor('n2'), bytes('fresh'));
      n1.publish(acceptor('all'), bytes('fresh'));
      await until(() => expect([heard, during]).toEqual([['n1:fresh'], ['n1:fresh']]));
    });

    it('close ends its subscriptions and leaves the connection open', async () => {
      const [n1, n2] = await make('n1', 'n2');
      const heard = hear(n2, acceptor('n2'));
      const answers: string[] = [];
      n2.respond(whois, (_, __, answer) => answer(bytes('n2')));
      await n2.flush();
      n1.publish(acceptor('n2'), bytes('before'));
      await until(() => expect(heard).toEqual(['n1:before']));

      await n2.close();
      await n2.close();
      expect(n2.isConnected).toBe(false);
      expect(n2.publish(acceptor('n1'), bytes('closed'))).toBe(false);
      expect(current().isConnectionOpen('n2')).toBe(true);
      const afterwards = hear(n2, acceptor('all'));
      const nobody: Address[] = [];
      n1.onNoResponders((address) => nobody.push(address));
      // Until the other side knows of the end, messages may still travel: nobody here may hear them.
      await until(() => {
        n1.publish(acceptor('n2'), bytes('after'), { expectResponder: true });
        n1.publish(acceptor('all'), bytes('after'));
        n1.request(whois, bytes('who?'), (payload) => answers.push(text(payload)));
        expect(nobody).toEqual(expect.arrayContaining([acceptor('n2'), whois]));
      });
      expect([heard, afterwards, answers]).toEqual([['n1:before'], [], []]);
    });
  });
}
