import type { MasterReader, SessionRef } from '@synod/mastership';
import {
  type CommandId,
  incarnationOf,
  type MasterNews,
  type Message,
  type NodeId,
  type Received,
} from '@synod/protocol';
import { Participant, type ParticipantOptions } from './participant.ts';
import { RemoteLog, type RemoteLogOptions } from './remote-log.ts';

export interface OutsiderOptions extends Omit<ParticipantOptions, 'log'>, Omit<RemoteLogOptions, 'clock'> {
  readonly incarnation: string;
  readonly view: MasterReader;
}

/**
 * A candidate outside the log, wired: it learns by news what became of its commands, and by the answers of whoever appended
 * them. News may be lost, repeated and reordered; a command of unknown outcome is asked for again, and T4 counts it as such.
 */
export class Outsider {
  readonly participant: Participant;
  readonly session: SessionRef;
  readonly #options: OutsiderOptions;
  readonly #log: RemoteLog;

  constructor(options: OutsiderOptions) {
    this.#options = options;
    this.session = options.session;
    this.#log = new RemoteLog(options);
    this.participant = new Participant({ ...options, log: this.#log });
  }

  /** News that were not known; the view shows them already. */
  applied(news: MasterNews): void {
    for (const { setBy, openedBy } of news.sessions) this.#settle(setBy, openedBy);
    for (const { setBy } of news.records) this.#settle(setBy);
    this.participant.send({ type: 'applied', news });
  }

  /** Answers to what was asked for, after the news in them has been taken in. */
  answered(messages: readonly Received<Message>[]): void {
    for (const message of messages) {
      this.#log.heardMember(message.from);
      if (message.type !== 'outcomes') continue;
      for (const { id, applied, reason } of message.outcomes) {
        if (incarnationOf(id) !== this.#options.incarnation) continue;
        this.#log.settled(id);
        this.participant.send({ type: 'outcome', id, applied, ...(reason === undefined ? {} : { reason }) });
      }
    }
  }

  heardMember(node: NodeId): void {
    this.#log.heardMember(node);
  }

  noResponders(): void {
    this.#log.noResponders();
  }

  reconnected(): void {
    this.#log.reconnected();
  }

  close(): void {
    this.participant.close();
    this.#log.close();
  }

  #settle(...ids: readonly (CommandId | '')[]): void {
    for (const id of ids) if (id !== '' && incarnationOf(id) === this.#options.incarnation) this.#log.settled(id);
  }
}
