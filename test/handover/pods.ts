import { type ChildProcess, fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, type PodHears, type PodSays, VOTERS } from './messages.ts';

/** A node of the group, a process of its own. */
export class Pod {
  readonly node: string;
  readonly said: PodSays[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #looking = new Set<() => void>();
  #stderr = '';

  constructor(
    { servers, client }: { readonly servers: string; readonly client: Client },
    node: string,
    role: 'member' | 'candidate',
    journal: string,
    priority = 0,
  ) {
    this.node = node;
    const program = join(import.meta.dirname, 'pod.ts');
    this.#child = fork(program, [servers, node, role, journal, String(priority), client], {
      execArgv: ['--conditions=@synod/source'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child.stderr?.on('data', (data) => {
      this.#stderr += data;
    });
    this.#child.on('message', (message: PodSays) => {
      this.said.push(message);
      for (const look of this.#looking) look();
    });
    this.#ended = new Promise((resolve) => this.#child.once('exit', resolve));
  }

  tell(message: PodHears): void {
    this.#child.send(message);
  }

  /** The first thing of this type that it says after the `since` things it has said. */
  async hears(type: PodSays['type'], since = 0): Promise<PodSays> {
    const { promise, resolve, reject } = Promise.withResolvers<PodSays>();
    const look = () => {
      const failed = this.said.slice(since).find((message) => message.type === 'failed');
      const found = this.said.slice(since).find((message) => message.type === type);
      if (found) resolve(found);
      else if (failed) reject(new Error(`${this.node}: ${failed.reason}`));
    };
    this.#looking.add(look);
    void this.#ended.then(() => reject(new Error(`${this.node} ended: ${this.#stderr.slice(-2_000)}`)));
    try {
      look();
      return await promise;
    } finally {
      this.#looking.delete(look);
    }
  }

  /** Tells it, and waits for what it says to that. */
  async ask(message: PodHears, type: PodSays['type']): Promise<PodSays> {
    const since = this.said.length;
    this.tell(message);
    return this.hears(type, since);
  }

  status(): Promise<PodSays> {
    return this.ask({ type: 'status' }, 'status');
  }

  /** As a crash: no handler runs. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}

/** All pods of one test: whatever it comes to, all of them end with it. */
export class Pods {
  readonly #nats: { readonly servers: string; readonly client: Client };
  readonly #pods: Pod[] = [];
  #folder: string | null = null;

  constructor(servers: string, client: Client) {
    this.#nats = { servers, client };
  }

  /** Three voters, joined. */
  async voters(priority: Readonly<Record<string, number>> = {}): Promise<readonly Pod[]> {
    this.#folder = await mkdtemp(join(tmpdir(), 'synod-handover-'));
    const voters = VOTERS.map((node) => this.#start(node, 'member', priority[node]));
    await Promise.all(voters.map((pod) => pod.hears('joined')));
    return voters;
  }

  async candidate(node: string, priority = 0): Promise<Pod> {
    const pod = this.#start(node, 'candidate', priority);
    await pod.hears('joined');
    return pod;
  }

  async endAll(): Promise<void> {
    await Promise.all(this.#pods.map((pod) => pod.kill()));
    if (this.#folder !== null) await rm(this.#folder, { recursive: true, force: true });
  }

  #start(node: string, role: 'member' | 'candidate', priority = 0): Pod {
    const pod = new Pod(this.#nats, node, role, join(this.#folder ?? tmpdir(), node), priority);
    this.#pods.push(pod);
    return pod;
  }
}
