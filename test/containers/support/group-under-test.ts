import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as pathOf } from 'node:path';
import { connect, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node';
import { judgeHistory } from '@synod/cli/internal';
import { type Group, type HistoryLine, join, recordHistory } from 'synod';
import { expect, vi } from 'vitest';

const voters = ['n1', 'n2', 'n3'];
const timeoutMs = 20_000;

/** Three members of a group, each over a connection of its own, that want to be master for ever. */
export class GroupUnderTest {
  readonly name: string;
  readonly history: HistoryLine[] = [];
  readonly #connections: NatsConnection[] = [];
  readonly #members: Group[] = [];
  #folder = '';

  constructor(name: string) {
    this.name = name;
  }

  async start(connection: NodeConnectionOptions, leaseMs: number): Promise<void> {
    this.#folder = await mkdtemp(pathOf(tmpdir(), 'synod-containers-'));
    await Promise.all(
      voters.map(async (node) => {
        const nats = await connect({
          ...connection,
          maxReconnectAttempts: -1,
          reconnectTimeWait: leaseMs / 20,
          pingInterval: leaseMs / 4,
        });
        this.#connections.push(nats);
        const journal = pathOf(this.#folder, node);
        const member = await join(nats, {
          group: this.name,
          node,
          membership: { role: 'member', voters, journal },
          leaseMs,
        });
        this.#members.push(member);
        recordHistory(member, (line) => this.history.push(line));
        void member.election().runWhileMaster(({ signal }) => new Promise((resolve) => onAbort(signal, resolve)));
      }),
    );
  }

  masters(): readonly Group[] {
    return this.#members.filter((member) => member.election().isMaster());
  }

  /** Resolves when one is master and all others know it. @param beyond - A term that is over. */
  async untilOneMaster(beyond = 0): Promise<{ readonly node: string; readonly term: number }> {
    return vi.waitFor(
      () => {
        const [master, second] = this.masters();
        expect(second).toBeUndefined();
        const known = this.#members.map((member) => member.election().master);
        const term = known[0]?.term ?? 0;
        expect(known.map((each) => each?.node)).toEqual(this.#members.map(() => master?.node ?? 'somebody'));
        expect(term).toBeGreaterThan(beyond);
        return { node: master?.node as string, term };
      },
      { timeout: timeoutMs, interval: 10 },
    );
  }

  async untilNoMaster(): Promise<void> {
    await vi.waitFor(() => expect(this.masters()).toEqual([]), { timeout: timeoutMs, interval: 10 });
  }

  /** Any two masterships that overlapped, by the histories of the members. */
  overlaps(): unknown {
    return judgeHistory(this.history).overlaps;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.close()));
    await Promise.all(this.#connections.map((nats) => nats.close()));
    await rm(this.#folder, { recursive: true, force: true });
  }
}

const onAbort = (signal: AbortSignal, listener: () => void): void =>
  signal.aborted ? listener() : signal.addEventListener('abort', listener, { once: true });
