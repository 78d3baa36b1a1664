import type { Applied } from '@synod/mastership';
import type { Message, NodeId } from '@synod/protocol';
import { GROUP_ELECTION } from '@synod/runtime';
import type { Fault } from '../faults/fault.ts';
import type { Life } from '../group/life.ts';
import { canBeAsked } from '../invariants/one-master.ts';
import type { RunWatcher } from '../run/run.ts';

/** A line of a transcript: something that happened to one node, or to the world. */
export interface Entry {
  readonly atMs: number;
  /** `null` for the world. */
  readonly node: NodeId | null;
  readonly text: string;
}

/** A message on its way from one node to another; `arrivedMs` is `null` for one that was lost or never came. */
export interface Sent {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly type: Message['type'];
  readonly sentMs: number;
  arrivedMs: number | null;
}

/** Time between two instants; still going on while `untilMs` is `null`. */
export interface Span {
  readonly node: NodeId;
  readonly fromMs: number;
  untilMs: number | null;
}

export interface HeldSpan extends Span {
  readonly life: Life;
  readonly election: string;
  /** When it was over for good, by its own clocks: its holder may hear of that later (T5). */
  overMs: number | null;
  readonly term: number;
  endedBy: string | null;
}

export interface FaultSpan {
  readonly words: string;
  /** Whom it happens to; nobody: the network, or everybody. */
  readonly nodes: readonly NodeId[];
  readonly fromMs: number;
  untilMs: number | null;
}

/** As much of a group as a recorder looks at. */
export interface Recorded {
  readonly names: readonly NodeId[];
  readonly world: { readonly nowMs: number };
  life(node: NodeId): Life | null;
}

/** Everything of one run that a person might want to see. */
export class Recorder implements RunWatcher {
  readonly entries: Entry[] = [];
  readonly sent: Sent[] = [];
  readonly lives: (Span & { readonly id: number })[] = [];
  readonly held: HeldSpan[] = [];
  readonly faults: FaultSpan[] = [];
  healedMs: number | null = null;
  healedNodes: readonly NodeId[] = [];
  #group: Recorded | null = null;
  readonly #spans = new Map<Fault, FaultSpan>();
  readonly #stateOf: (life: Life) => string;

  /** @param stateOf - In words, what a node is doing when a fault meets it. */
  constructor(stateOf: (life: Life) => string = () => '') {
    this.#stateOf = stateOf;
  }

  /** To be told of the group before anything happens in it. */
  attach(group: Recorded): void {
    this.#group = group;
  }

  get names(): readonly NodeId[] {
    return this.#group?.names ?? [];
  }

  get endMs(): number {
    return this.#nowMs;
  }

  began(life: Life): void {
    this.lives.push({ node: life.node, id: life.id, fromMs: this.#nowMs, untilMs: null });
    this.#say(life.node, `starts (process ${life.id})`);
  }

  ended(life: Life): void {
    const span = this.lives.find(({ id }) => id === life.id);
    if (span) span.untilMs = this.#nowMs;
    for (const held of this.held) {
      if (held.life !== life || held.untilMs !== null) continue;
      held.untilMs = this.#nowMs;
      held.endedBy = life.ending;
    }
    const why = life.error ? `: ${life.error.message}` : '';
    this.#say(life.node, `${life.ending === 'killed' ? 'dies' : `ends (${life.ending})`}${why}`);
  }

  said(life: Life, address: { readonly to: string }, message: Message): void {
    this.#say(life.node, `> ${address.to === life.node ? 'itself' : address.to}  ${inShort(message)}`);
  }

  heard(life: Life, from: NodeId, message: Message, sentMs: number): void {
    this.sent.push({ from, to: life.node, type: message.type, sentMs, arrivedMs: this.#nowMs });
    this.#say(life.node, `< ${from}  ${inShort(message)}`);
  }

  dropped(from: NodeId, to: NodeId, message: Message, sentMs: number): void {
    this.sent.push({ from, to, type: message.type, sentMs, arrivedMs: null });
    this.#say(null, `${from} > ${to}  ${inShort(message)} is lost`);
  }

  applied(life: Life, { position, applied, reason, news }: Applied): void {
    const records = (news?.records ?? []).map(({ election, master, node, term, cause }) =>
      master === null
        ? `nobody is master${of(election)} (${cause})`
        : `${node} is master${of(election)} with term ${term}`,
    );
    const what = applied
      ? [...records, ...(reason ? [`taking refused: ${reason}`] : [])].join(', ')
      : `refused: ${reason}`;
    this.#say(life.node, `applies ${position}${what ? `: ${what}` : ''}`);
  }

  restored(life: Life, position: number): void {
    this.#say(life.node, `installs a snapshot of position ${position}`);
  }

  elected(life: Life, term: number, election: string): void {
    // Who cannot be asked, asleep as it is, is none either, if all is well.
    for (const held of this.held) if (held.election === election && held.untilMs === null) held.overMs ??= this.#nowMs;
    const span = { node: life.node, life, election, term, fromMs: this.#nowMs };
    this.held.push({ ...span, overMs: null, untilMs: null, endedBy: null });
    this.#say(life.node, `IS MASTER${of(election)}, term ${term}`);
  }

  deposed(life: Life, term: number, lostBy: string, election: string): void {
    const held = this.held.findLast(
      (span) => span.life === life && span.election === election && span.term === term && span.untilMs === null,
    );
    if (held) {
      held.untilMs = this.#nowMs;
      held.endedBy = lostBy;
    }
    this.#say(life.node, `is master no more${of(election)}, term ${term} (${lostBy})`);
  }

  renewed(life: Life, term: number, election: string): void {
    this.#say(life.node, `has renewed${of(election)}, term ${term}`);
  }

  faulted(fault: Fault, phase: 'begins' | 'ends' | 'void', words: string): void {
    if (phase === 'void') return this.#say(null, `FAULT finds nothing: ${words}`);
    const span = this.#spans.get(fault);
    if (phase === 'ends' && span) return this.endFault(span);
    const begun = this.beginFault(words, nodesOf(fault));
    this.#spans.set(fault, begun);
    if (!('forMs' in fault)) begun.untilMs = this.#nowMs;
  }

  /** Something is done to these nodes, or to the network. */
  beginFault(words: string, nodes: readonly NodeId[]): FaultSpan {
    const span: FaultSpan = { words, nodes, fromMs: this.#nowMs, untilMs: null };
    this.faults.push(span);
    const met = nodes.flatMap((node) => {
      const life = this.#group?.life(node);
      const state = life ? this.#stateOf(life) : '';
      return state ? [`${node} is ${state}`] : [];
    });
    this.#say(null, `FAULT begins: ${words}${met.length > 0 ? ` (${met.join('; ')})` : ''}`);
    return span;
  }

  endFault(span: FaultSpan): void {
    if (span.untilMs !== null) return;
    span.untilMs = this.#nowMs;
    this.#say(null, `FAULT ends: ${span.words}`);
  }

  healed(nodes: readonly NodeId[]): void {
    this.healedMs = this.#nowMs;
    this.healedNodes = nodes;
    this.#say(null, `HEALED: ${nodes.join(' ')}`);
  }

  get #nowMs(): number {
    return this.#group?.world.nowMs ?? 0;
  }

  #say(node: NodeId | null, text: string): void {
    for (const held of this.held) {
      if (held.untilMs !== null || held.overMs !== null || !canBeAsked(held.life, this.#nowMs)) continue;
      if (!held.life.isMaster(held.election)) held.overMs = this.#nowMs;
    }
    this.entries.push({ atMs: this.#nowMs, node, text });
  }
}

/** The group's own election goes without saying. */
const of = (election: string): string => (election === GROUP_ELECTION ? '' : ` of ${election}`);

function nodesOf(fault: Fault): readonly NodeId[] {
  if ('node' in fault) return [fault.node];
  if ('sides' in fault) return fault.sides[0] ?? [];
  if ('from' in fault) return [fault.from, fault.to].filter((end) => end !== '*');
  return [];
}

/** A message in a few words. */
export function inShort(message: Message): string {
  switch (message.type) {
    case 'prepare':
      return `prepare ${message.ballot.round}.${message.ballot.nodeId} from slot ${message.fromSlot}`;
    case 'promise':
      return `promise ${message.ballot.round}.${message.ballot.nodeId}, ${message.entries.length} accepted`;
    case 'reject':
      return `reject ${message.ballot.round}.${message.ballot.nodeId}, promised ${message.promised.round}.${message.promised.nodeId}`;
    case 'accept':
    case 'accepted':
    case 'chosen':
      return `${message.type} slot ${message.slot} at ${message.ballot.round}.${message.ballot.nodeId}`;
    case 'trimmed':
      return `trimmed through slot ${message.trimmedThrough}`;
    case 'fetch':
      return `fetch from slot ${message.fromSlot}`;
    case 'learned':
      return `learned ${message.entries.map(({ slot }) => slot).join(' ') || 'nothing'}, all through ${message.learnedThrough}`;
    case 'snapshot':
      return `snapshot through slot ${message.through}`;
    case 'news':
      return `news of position ${message.changes.map(({ position }) => position).join(' ')}`;
    case 'outcomes':
      return `outcomes: ${message.outcomes.map(({ applied, reason }) => (applied ? 'applied' : `refused, ${reason}`)).join('; ')}`;
    case 'wish':
    case 'offer':
    case 'consent':
      return `${message.type} of ${message.election}, term ${message.term}`;
    case 'formation':
      return `formation: ${message.isFormed ? 'formed' : message.kept ? 'keeps a configuration' : 'keeps nothing'}`;
    default:
      return message.type;
  }
}
