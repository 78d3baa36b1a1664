import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Group, LeaseDeadline } from '@synod/runtime';
import { monotonicNs } from '../system-clock.ts';
import { SharedDeadline } from './shared-deadline.ts';

/** Ends this process when its main thread is stuck past the end of a mastership that it holds (F3). */
export class SelfFence {
  readonly #deadline: SharedDeadline;
  readonly #worker: Worker;
  readonly #lateMs: (leaseMs: number) => number;
  /** Elections that this process is master of, or still works for; their leases are one, that of its session. */
  readonly #held = new Set<string>();

  private constructor(deadline: SharedDeadline, worker: Worker, lateMs: (leaseMs: number) => number) {
    this.#deadline = deadline;
    this.#worker = worker;
    this.#lateMs = lateMs;
  }

  /**
   * Resolves when the second thread watches.
   * @param lateMs - How long past the deadline the main thread may still say that the mastership is over: timers are late by
   *   a little. No more than T1 takes off a lease of this length at its end: until then nobody else can be master.
   * @param onError - The thread ended though nobody stopped it: nothing watches any more.
   */
  static async start(
    group: string,
    lateMs: (leaseMs: number) => number,
    onError: (error: Error) => void,
  ): Promise<SelfFence> {
    const deadline = new SharedDeadline();
    // Beside this file, as source or compiled.
    const program = new URL(`./watchdog${extname(import.meta.url)}`, import.meta.url);
    const worker = new Worker(program, { workerData: { memory: deadline.memory, group }, name: 'synod-watchdog' });
    await once(worker, 'message');
    worker.unref();
    worker.on('error', onError);
    return new SelfFence(deadline, worker, lateMs);
  }

  /** Watches over the masterships of `group` until it is closed. */
  guard(group: Group): void {
    group.addEventListener('elected', ({ detail }) => {
      this.#held.add(detail.election);
      this.#watch(detail);
    });
    // Not `renewed`, which is told for each mastership: there may be thousands.
    group.addEventListener('extended', ({ detail }) => this.#watch(detail));
    group.addEventListener('shortened', ({ detail }) => this.#watch(detail));
    // Not `lost`: work of a mastership that is resigned takes its time to stop, and may be stuck past the lease meanwhile (T7).
    group.addEventListener('ended', ({ detail }) => {
      if (detail.isLeaseOver) this.#held.clear();
      else this.#held.delete(detail.election);
      if (this.#held.size === 0) this.#deadline.set(null);
    });
    void group.closed.then(() => this.stop());
  }

  async stop(): Promise<void> {
    this.#deadline.set(null);
    await this.#worker.terminate();
  }

  #watch({ deadlineAtMs, leaseMs }: LeaseDeadline): void {
    if (this.#held.size > 0) this.#deadline.set(monotonicNs(deadlineAtMs + this.#lateMs(leaseMs)));
  }
}
