import { type Applied, decodeMasterCommand, type LeaseEvent, type MasterFold } from '@synod/mastership';
import {
  type Clock,
  type Command,
  type CommandId,
  EVERYBODY,
  type Incarnation,
  incarnationOf,
  type MasterNews,
  type Message,
  type NodeId,
  soon,
} from '@synod/protocol';
import { type Answer, answering, pieceBytes, tellings } from './pieces.ts';
import { Reminder } from './reminder.ts';

export interface HeraldOptions {
  readonly fold: MasterFold;
  readonly incarnation: Incarnation;
  readonly clock: Clock;
  readonly leaseMs: () => number;
  /** Largest payload of the bus, bytes: another server may take less. */
  readonly maxPayloadBytes: () => number;
  readonly isLeading: () => boolean;
  readonly send: (to: NodeId | typeof EVERYBODY, message: Message) => void;
  readonly tellLease: (event: LeaseEvent) => void;
  /** A command of the fold was applied; told after the candidates. `isFresh`: as it was chosen, not caught up with. */
  readonly onApplied: (applied: Applied, isFresh: boolean) => void;
  /** Runs `work`; what it throws stops the node. */
  readonly guard: (work: () => void) => void;
}

/** Commands of nodes outside the log whose askers are remembered, at most. */
const ASKERS_REMEMBERED = 65_536;

/** How many changes of records whoever listens here is told of in one turn, about. */
const TOLD_AT_ONCE = 64;

/** What became of a command, and whether it was learned as it was chosen. */
interface Told {
  readonly applied: Applied;
  readonly isFresh: boolean;
}

/** What another learner is told of a slot. */
interface Choice {
  readonly to: NodeId;
  readonly message: Message;
}

/**
 * Tells what was applied: first to the nodes outside the log, who hear it from the leader and have furthest to go, then to the
 * candidates of this node; at last, when all that is on its way, to whoever listens here.
 */
export class Herald {
  readonly #options: HeraldOptions;
  /** Not told yet to anybody: what a turn brought is told at its end, as one. */
  #applied: Told[] = [];
  /** Not told yet to whoever listens here. */
  #untold: Told[] = [];
  /** What the other learners are told of what was chosen, with what else the turn brings. */
  #choices: Choice[] = [];
  /** Nobody but those who asked waits for what this turn brought. */
  #isForAskersAlone = true;
  /** The answers of the last turn have left, and nothing else of it yet. */
  #isPutOff = false;
  /** Nodes outside the log that asked for a command. */
  readonly #askers = new Map<CommandId, { readonly from: NodeId; readonly body: Uint8Array }>();
  readonly #answers = new Map<NodeId, Answer[]>();
  /** Position of the news that was told last: since this node leads, all there was. */
  #toldThrough = 0;
  /** Position of the last command that changed anything here. */
  #changedThrough = 0;
  /** After each lease in which nothing changed: who missed the last change would never know. */
  readonly #reminder: Reminder;
  #isClosed = false;

  constructor(options: HeraldOptions) {
    this.#options = options;
    const { clock, leaseMs, guard } = options;
    this.#reminder = new Reminder({ clock, quietMs: leaseMs, remind: () => guard(() => this.#remind()) });
  }

  /** From now on it says after each quiet lease how far it knows: the last words of a leader may be missed, and it may be gone. */
  begin(): void {
    this.#reminder.start();
  }

  /** Whoever asked from outside the log is told what came of it; of many that never come to anything the oldest are forgotten. */
  asked({ id, body }: Command, from: NodeId): void {
    this.#askers.delete(id);
    this.#askers.set(id, { from, body });
    if (this.#askers.size <= ASKERS_REMEMBERED) return;
    const [oldest] = this.#askers.keys();
    this.#askers.delete(oldest as CommandId);
  }

  /** A command was applied that stood in our journal: nobody waits for what came of it. */
  replayed(applied: Applied): void {
    this.#noteChange(applied);
    this.#options.onApplied(applied, false);
  }

  /** A command was applied: told with what else this turn brings. */
  applied(applied: Applied, isFresh: boolean): void {
    this.#noteChange(applied);
    const asker = this.#answerAsker(applied);
    if (!this.#concernsAlone(asker, applied)) this.#isForAskersAlone = false;
    this.#applied.push({ applied, isFresh });
  }

  /** A slot was chosen, and another learner is to hear of it: with what else this turn brings. */
  chosen(to: NodeId, message: Message): void {
    this.#choices.push({ to, message });
  }

  /** A snapshot took the place of the fold's state: what it brought was told to nobody. */
  restored(position: number): void {
    this.#toldThrough = position;
    this.#changedThrough = position;
  }

  /**
   * The turn is over: what it brought is told. A client writes what was published in a microtask of its own; what is to be
   * told after that waits for the next one. Of what concerns those alone who asked, their answers are what comes first.
   */
  tellApplied(): void {
    if (this.#applied.length + this.#choices.length === 0) return;
    this.#isPutOff = this.#answers.size > 0 && this.#isForAskersAlone;
    this.#isForAskersAlone = true;
    this.#tellOutcomes();
    const told = this.#isPutOff ? null : this.#tellOthers();
    void soon.then(() =>
      this.#options.guard(() => {
        if (told) this.#tellHere(told);
        else if (this.#isPutOff) this.#tellHere(this.#tellOthers());
      }),
    );
  }

  /** Another turn begins: what the one before put off is told before anything that this one brings. */
  tellPutOff(): void {
    if (!this.#isPutOff) return;
    const told = this.#tellOthers();
    void soon.then(() => this.#options.guard(() => this.#tellHere(told)));
  }

  /**
   * Whoever missed the last words of the leader before hears all there is from the next one. Where that would take many messages
   * it is told up to where something changed: who has heard that needs none of them, and who has not asks.
   */
  tellEverything(): void {
    const everything = this.#options.fold.everything();
    const [first] = tellings([everything], this.#pieceBytes);
    if (first?.piece === undefined) return this.#tellNews([{ ...everything, isWhole: true }]);
    this.#remind();
    this.#spoke(this.#changedThrough);
  }

  /** Who listens here has been told that it is over. */
  close(): void {
    this.#isClosed = true;
    this.#reminder.stop();
  }

  get #pieceBytes(): number {
    return pieceBytes(this.#options.maxPayloadBytes());
  }

  #noteChange({ news, position }: Applied): void {
    if (!news) return;
    this.#changedThrough = position;
    this.#reminder.noted();
  }

  /** @returns who asked for it from outside the log; `null` for nobody. */
  #answerAsker({ id, position, applied, reason, news }: Applied): NodeId | null {
    const asker = this.#askers.get(id);
    if (!asker) return null;
    this.#askers.delete(id);
    const answers = this.#answers.get(asker.from) ?? [];
    this.#answers.set(asker.from, answers);
    // News of what applied goes to all who listen, and may be lost; what was refused tells nobody else anything.
    const changes = news ? [news] : [];
    if (reason !== undefined) changes.push(this.#presentOf(asker.body, position));
    answers.push({ outcome: { id, applied, ...(reason === undefined ? {} : { reason }) }, changes });
    return asker.from;
  }

  /** It took what it asked for, or renewed, or was refused: nothing came free, and nothing came to anybody else. */
  #concernsAlone(asker: NodeId | null, { news }: Applied): boolean {
    if (asker === null || !news) return asker !== null;
    const { view } = this.#options.fold;
    const isTheirs = (session: number | null) => session !== null && view.session(session)?.node === asker;
    return news.sessions.every(({ node }) => node === asker) && news.records.every(({ master }) => isTheirs(master));
  }

  /** Session and record that a command names, as they are: why it was refused. */
  #presentOf(body: Uint8Array, position: number): MasterNews {
    const { view } = this.#options.fold;
    const asked = decodeMasterCommand(body);
    const about = asked?.type === 'open' ? asked.take : asked;
    const election = about && 'election' in about ? about.election : null;
    const record = election === null ? null : view.record(election);
    const named = asked && 'session' in asked ? asked.session : null;
    const ids = [record?.master ?? null, named].filter((id) => id !== null);
    const sessions = [...new Set(ids)].map((id) => view.session(id)).filter((session) => session !== undefined);
    const ended = named !== null && !view.session(named) ? [named] : [];
    return { position, sessions, ended, records: record && record.version > 0 ? [record] : [] };
  }

  /** @returns what is still to be told here. */
  #tellOthers(): readonly Told[] {
    const told = this.#applied;
    const choices = this.#choices;
    this.#applied = [];
    this.#choices = [];
    this.#isPutOff = false;
    if (this.#isClosed) return [];
    for (const { to, message } of choices) this.#options.send(to, message);
    const changes: MasterNews[] = [];
    for (const { applied } of told) if (applied.news) changes.push(applied.news);
    this.#tellNews(changes);
    return told;
  }

  #tellHere(told: readonly Told[]): void {
    if (told.length === 0) return;
    for (const { applied } of told) this.#tellCandidates(applied);
    const isFirst = this.#untold.length === 0;
    for (const each of told) this.#untold.push(each);
    if (isFirst) this.#tellListeners();
  }

  /** Of many, as when a holder of many has died, a few at a time: what was asked for because of them is to leave meanwhile. */
  #tellListeners(): void {
    const { clock, guard, onApplied } = this.#options;
    let records = 0;
    let told = 0;
    while (told < this.#untold.length && records < TOLD_AT_ONCE) {
      if (this.#isClosed) return;
      const { applied, isFresh } = this.#untold[told++] as Told;
      records += applied.news?.records.length ?? 0;
      onApplied(applied, isFresh);
    }
    this.#untold.splice(0, told);
    if (this.#untold.length > 0) clock.setTimeout(() => guard(() => this.#tellListeners()), 0);
  }

  #tellCandidates({ id, applied, reason, news }: Applied): void {
    const { incarnation, tellLease } = this.#options;
    if (news) tellLease({ type: 'applied', news });
    if (incarnationOf(id) !== incarnation) return;
    tellLease(reason === undefined ? { type: 'outcome', id, applied } : { type: 'outcome', id, applied, reason });
  }

  /** The leader tells all that changes; a new master tells itself that it is one: it may know first (N4). */
  #tellNews(changes: readonly MasterNews[]): void {
    const { isLeading, send } = this.#options;
    const news = isLeading() ? changes : changes.filter((change) => this.#isOurTaking(change));
    const last = news.at(-1);
    if (!last) return;
    const after = isLeading() ? { after: this.#toldThrough } : {};
    for (const telling of tellings(news, this.#pieceBytes)) send(EVERYBODY, { type: 'news', ...telling, ...after });
    if (isLeading()) this.#spoke(last.position);
  }

  #spoke(through: number): void {
    this.#toldThrough = through;
    this.#reminder.noted();
  }

  /** Up to where something changed: who has heard less asks. */
  #remind(): void {
    if (this.#changedThrough > 0)
      this.#options.send(EVERYBODY, { type: 'news', changes: [], after: this.#changedThrough });
  }

  /** To each who asked from outside the log, what came of it. */
  #tellOutcomes(): void {
    for (const [to, answers] of this.#answers) {
      for (const { outcomes, changes } of answering(answers, this.#pieceBytes)) {
        this.#options.send(to, { type: 'outcomes', outcomes, changes });
      }
    }
    this.#answers.clear();
  }

  /** The session may be an older one: then the change does not hold it. */
  #isOurTaking({ records }: MasterNews): boolean {
    const { fold, incarnation } = this.#options;
    return records.some(({ master }) => master !== null && fold.view.session(master)?.incarnation === incarnation);
  }
}
