import type { MasterNews, MasterRecord, News, Session } from '@synod/protocol';
import type { MasterReader } from './master-reader.ts';
import { Registry } from './registry.ts';

/**
 * How many ended sessions are remembered, so that late news does not bring one back. News that is older than that many ends
 * could show an empty session again; records have versions of their own, so no mastership comes back with it.
 */
const ENDED_REMEMBERED = 65_536;

/**
 * Who is master, put together from news, at a node outside the log. News may be lost, repeated and reordered: versions only
 * rise here (T4), and what has ended never comes back.
 */
export class MasterView {
  readonly #registry = new Registry();
  readonly #ended = new Set<number>();
  #position = 0;
  /** All that changed up to this position was heard of. */
  #heardThrough = 0;
  /** News that take several messages: how many of them were heard in turn. */
  #pieces = { after: -1, heard: 0 };

  /** Who is master by what was heard here. */
  readonly view: MasterReader = this.#registry;

  /** Highest position heard of. */
  get position(): number {
    return this.#position;
  }

  /** Takes in what is newer than what is known. @returns that part, or `null` if all of it was old. */
  hear(news: MasterNews): MasterNews | null {
    const sessions = news.sessions.filter((session) => this.#hearSession(session));
    const records = news.records.filter((record) => this.#hearRecord(record));
    const ended = [...news.ended, ...this.#missingIn(news)].filter((id) => this.#hearEnd(id));
    this.#position = Math.max(this.#position, news.position);
    if (sessions.length + records.length + ended.length === 0) return null;
    return { position: news.position, sessions, ended, records };
  }

  /**
   * News that was lost without a sign (fault 33) is missed when the next comes: no later one would tell it.
   * @returns true when something that changed before these was not heard of.
   */
  misses({ changes, after, piece }: Pick<News, 'changes' | 'after' | 'piece'>): boolean {
    const whole = changes.filter(({ isWhole }) => isWhole);
    this.#heardThrough = Math.max(this.#heardThrough, ...whole.map(({ position }) => position));
    if (after === undefined) return false;
    if (after > this.#heardThrough) return true;
    if (piece && this.#skips(after, piece)) return changes.some(({ position }) => position > this.#heardThrough);
    if (piece && !piece.isLast) return false;
    this.#heardThrough = Math.max(this.#heardThrough, ...changes.map(({ position }) => position));
    return false;
  }

  /** Whether a piece before this one was not heard. */
  #skips(after: number, { index }: NonNullable<News['piece']>): boolean {
    const heard = this.#pieces.after === after ? this.#pieces.heard : 0;
    if (index === heard) this.#pieces = { after, heard: heard + 1 };
    return index > heard;
  }

  /** @returns true for what is newer than the version that is known: the only news there is (T4). */
  protected isNews(version: number, known: number): boolean {
    return version > known;
  }

  /** Sessions whose end was not heard of. */
  #missingIn({ isWhole, position, sessions }: MasterNews): readonly number[] {
    if (!isWhole) return [];
    const living = new Set(sessions.map(({ id }) => id));
    return Array.from(this.view.sessions())
      .filter(({ id, version }) => version <= position && !living.has(id))
      .map(({ id }) => id);
  }

  #hearSession(session: Session): boolean {
    if (this.#ended.has(session.id)) return false;
    if (!this.isNews(session.version, this.#registry.session(session.id)?.version ?? -1)) return false;
    this.#registry.putSession(session);
    return true;
  }

  #hearRecord(record: MasterRecord): boolean {
    if (!this.isNews(record.version, this.#registry.record(record.election).version)) return false;
    this.#registry.putRecord(record);
    return true;
  }

  #hearEnd(id: number): boolean {
    if (this.#ended.has(id)) return false;
    this.#ended.add(id);
    if (this.#ended.size > ENDED_REMEMBERED) {
      const [oldest] = this.#ended;
      this.#ended.delete(oldest as number);
    }
    this.#registry.dropSession(id);
    return true;
  }
}
