import type { Formation, NodeId, Received } from '@synod/protocol';
import { configurationDigest } from '@synod/protocol';
import { type FormationRules, type FormationState, formationRules } from '@synod/runtime';
import type { Model } from './explore.ts';
import { canonical, Interner } from './intern.ts';

/** How large a small world of stores that form a group is. */
export interface FormationBounds {
  readonly name: string;
  readonly voters: readonly NodeId[];
  /** Folders that are emptied on the way. */
  readonly wipes: number;
  /** Nodes whose operator names the stores, as they are at the start or after the wipes of those in `wiped`. */
  readonly named?: Readonly<Record<NodeId, Readonly<Record<NodeId, string>>>>;
  /** Answers to everybody, as the runtime asks for them: at most so many askings a node. */
  readonly askings: number;
}

interface Store {
  readonly wipes: number;
  readonly state: FormationState;
}

interface Outcome {
  readonly next: number;
  readonly sent: readonly number[];
}

const HEAR = 0;
const ASK = 1;
const WIPE = 2;

const codeOf = (kind: number, at: number, arg = 0): number => (kind << 24) | (at << 16) | arg;

const WORDS = 8;

/**
 * Formation in small (I5): stores that keep and form by the rules that are handed in, over a network that does whatever it
 * may, and folders that are emptied on the way. What is kept is durable before it is said (P3).
 */
export class FormationWorld implements Model {
  readonly name: string;
  readonly width: number;
  readonly #bounds: FormationBounds;
  readonly #rules: FormationRules;
  readonly #stores = new Interner<Store>((store) => canonical(store));
  readonly #outcomes: Map<number, Outcome>[] = [];
  readonly #messages = new Interner<Received<Formation>>((message) => canonical(message));
  readonly #wipesAt: number;
  /** After it the digest that was formed first, as a number: a store that was wiped since may have formed it. */
  readonly #formedAt: number;
  readonly #sentAt: number;
  readonly #digests = new Interner<string>((digest) => digest);

  constructor(bounds: FormationBounds, rules: FormationRules = formationRules) {
    this.name = bounds.name;
    this.#bounds = bounds;
    this.#rules = rules;
    this.#wipesAt = bounds.voters.length;
    this.#formedAt = this.#wipesAt + 1;
    this.#sentAt = this.#formedAt + 1;
    this.width = this.#sentAt + WORDS;
    this.#digests.id('');
  }

  initial(): Uint32Array {
    const row = new Uint32Array(this.width);
    this.#bounds.voters.forEach((_, at) => {
      row[at] = this.#stores.id(this.#fresh(at, 0));
    });
    return row;
  }

  expand(row: Uint32Array, reach: (next: Uint32Array, action: number, broken?: string | null) => void): void {
    const next = new Uint32Array(row);
    const step = (at: number, code: number): void => {
      const { next: id, sent } = this.#outcome(at, row[at] as number, code);
      next[at] = id;
      for (const message of sent) this.#send(next, message);
      const broken = this.#noteFormed(next, at);
      if (broken !== null || id !== row[at] || sent.some((message) => !this.#wasSent(row, message)))
        reach(next, code, broken);
      next.set(row);
    };
    this.#bounds.voters.forEach((node, at) => {
      for (let id = 0; id < this.#messages.size; id++) {
        if (this.#wasSent(row, id) && this.#messages.get(id).from !== node) step(at, codeOf(HEAR, at, id));
      }
      if (this.#stores.get(row[at] as number).state.asked < this.#bounds.askings) step(at, codeOf(ASK, at));
      if ((row[this.#wipesAt] as number) < this.#bounds.wipes) {
        next[this.#wipesAt] = (row[this.#wipesAt] as number) + 1;
        step(at, codeOf(WIPE, at));
      }
    });
  }

  check(): string | null {
    return null;
  }

  describe(action: number): string {
    const node = this.#bounds.voters[(action >>> 16) & 0xff];
    const arg = action & 0xffff;
    if (action >>> 24 === ASK) return `${node} asks everybody what they keep`;
    if (action >>> 24 === WIPE) return `${node} is emptied and comes back`;
    const { from, storeId, kept, isFormed } = this.#messages.get(arg);
    const words = kept
      ? `keeps ${kept.voters.map((voter) => voter.storeId).join(', ')}${isFormed ? ', formed' : ''}`
      : 'keeps nothing';
    return `${node} hears that ${from} (store ${storeId}) ${words}`;
  }

  #outcome(at: number, id: number, code: number): Outcome {
    this.#outcomes[id] ??= new Map();
    const outcomes = this.#outcomes[id];
    const known = outcomes.get(code);
    if (known) return known;
    const outcome = this.#work(at, this.#stores.get(id), code);
    outcomes.set(code, outcome);
    return outcome;
  }

  #work(at: number, store: Store, code: number): Outcome {
    if (code >>> 24 === WIPE) return { next: this.#stores.id(this.#fresh(at, store.wipes + 1)), sent: [] };
    const from = this.#bounds.voters[at] as NodeId;
    const heard = code >>> 24 === HEAR ? this.#messages.get(code & 0xffff) : null;
    const { state } = heard ? this.#rules.hear(store.state, heard) : this.#rules.begin(store.state);
    const message: Received<Formation> = { ...this.#rules.message(state, true), from };
    return { next: this.#stores.id({ ...store, state }), sent: [this.#messages.id(message)] };
  }

  #fresh(at: number, wipes: number): Store {
    const { voters, named } = this.#bounds;
    const self = voters[at] as NodeId;
    const storeId = wipes === 0 ? `${self}-s` : `${self}-s${wipes + 1}`;
    const state: FormationState = {
      self,
      storeId,
      wished: {
        group: 'g',
        epoch: 0,
        voters,
        quorum: 'majority',
        maxDriftPpm: 10_000,
        guardDivisor: 100,
        firstPosition: 1,
      },
      named: named?.[self] ?? null,
      asked: 0,
      livedThrough: 0,
      isDamaged: false,
      kept: null,
      isFormed: false,
      heard: new Map(),
      foreign: null,
      conflict: null,
    };
    return { wipes, state };
  }

  /** I5: whatever is formed is one and the same configuration, for ever. */
  #noteFormed(row: Uint32Array, at: number): string | null {
    const { state } = this.#stores.get(row[at] as number);
    if (!state.isFormed || !state.kept) return null;
    const digest = this.#digests.id(configurationDigest(state.kept));
    const before = row[this.#formedAt] as number;
    if (before !== 0 && before !== digest) return `I5: ${state.self} forms another group than was formed before`;
    row[this.#formedAt] = digest;
    return null;
  }

  #send(row: Uint32Array, id: number): void {
    if (id >= 32 * WORDS) throw new RangeError(`${this.name}: more than ${32 * WORDS} different messages`);
    const word = this.#sentAt + (id >>> 5);
    row[word] = ((row[word] as number) | (1 << (id & 31))) >>> 0;
  }

  #wasSent(row: Uint32Array, id: number): boolean {
    return ((row[this.#sentAt + (id >>> 5)] as number) & (1 << (id & 31))) !== 0;
  }
}
