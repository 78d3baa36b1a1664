import type { MasterReader } from '@synod/mastership';
import type { Clock, MasterNews, MasterRecord, Session } from '@synod/protocol';
import type { LoggerLike } from '../options.ts';
import type { RecordChange } from './group.ts';

export interface ChronicleOptions {
  readonly group: string;
  /** The election whose takeovers are timed. */
  readonly election: string;
  readonly reader: MasterReader;
  readonly clock: Clock;
  readonly logger: LoggerLike;
  /** Whether this node leads the log. */
  readonly isLeading: () => boolean;
  readonly onChange: (change: RecordChange) => void;
}

/** Knows what stood in each record before, and tells each change with it: in one line for people, and to the node. */
export class Chronicle {
  readonly #options: ChronicleOptions;
  readonly #told = new Map<string, { readonly record: MasterRecord; readonly session: Session | null }>();
  /** Elections whose master was told without its session: outside the log that may be heard of later. */
  readonly #nameless = new Set<string>();
  /** The last sign of the master's life: what a takeover took is counted from it. */
  #signAtMs = 0;

  constructor(options: ChronicleOptions) {
    this.#options = options;
  }

  /**
   * The fold changed, or news came that was not known; the reader shows it already, and may show more.
   * @param isFresh - Learned as it happened, not caught up with or replayed.
   */
  heard(news: MasterNews, isFresh: boolean): void {
    const { reader, election, clock } = this.#options;
    for (const record of news.records) this.#changed(record, news, isFresh);
    if (this.#nameless.size > 0 && news.sessions.length > 0) this.#nameMasters(news, isFresh);
    // Outside the log the end of a session may be heard of before what it frees.
    for (const id of news.ended) for (const each of [...reader.held(id)]) this.#bereave(each, news, isFresh);
    const { master } = reader.record(election);
    if (news.records.length > 0 || news.sessions.some((session) => session.id === master)) this.#signAtMs = clock.now();
  }

  /** Nothing else would tell: the record does not change with it. */
  #nameMasters(news: MasterNews, isFresh: boolean): void {
    for (const election of [...this.#nameless]) {
      const told = this.#told.get(election);
      if (told && news.sessions.some(({ id }) => id === told.record.master)) this.#changed(told.record, news, isFresh);
    }
  }

  #bereave(election: string, news: MasterNews, isFresh: boolean): void {
    const told = this.#told.get(election);
    if (told?.session) this.#changed(told.record, news, isFresh);
  }

  #changed(next: MasterRecord, { sessions }: MasterNews, isFresh: boolean): void {
    const before = this.#told.get(next.election);
    // A snapshot that came in the same turn has told of a later one: nobody is taken back (fault 54).
    if (before && next.version < before.record.version) return;
    const known = sessions.find(({ id }) => id === next.master) ?? this.#options.reader.session(next.master ?? 0);
    const session = known ?? null;
    this.#told.set(next.election, { record: next, session });
    if (next.master !== null && session === null) this.#nameless.add(next.election);
    else this.#nameless.delete(next.election);
    const change: RecordChange = {
      previous: before?.record ?? null,
      previousSession: before?.session ?? null,
      next,
      session,
      isFresh,
      isLeading: this.#options.isLeading(),
    };
    this.#say(change);
    this.#options.onChange(change);
  }

  /** One line per change of mastership, readable by itself. */
  #say({ previous, previousSession, next, isFresh }: RecordChange): void {
    const { group, clock, logger } = this.#options;
    if (next.version === previous?.version) return; // It was said, by the name that stands in the record.
    const was = previousSession ? `was ${previousSession.node}` : previous?.node ? `was ${previous.node}` : 'the first';
    const took = previous === null ? '' : `, took ${Math.round(clock.now() - this.#signAtMs)} ms`;
    const text =
      next.master !== null
        ? `master elected: ${next.node} (term ${next.term}, ${was}, cause ${next.cause}${took})`
        : `master gone: ${previousSession?.node ?? next.node} (term ${next.term}, ${next.cause})`;
    const fields = { group, election: next.election, term: next.term, version: next.version };
    if (isFresh) logger.info(fields, text);
    else logger.debug(fields, text);
  }
}
