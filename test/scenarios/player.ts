import { createTestGroup, type Messages, type Rules, type TestGroup } from '@synod/simulator';
import { drain } from '../simulation/drain.ts';
import { nodesIn, type Parts, type Phrase, understand } from './phrases.ts';
import type { Script, Step } from './script.ts';

/**
 * Plays a scenario: the real machines, in whole groups, under virtual time, with every invariant watched.
 * @throws Error for what is not seen, with the transcript of its step.
 */
export async function play(script: Script, rules: Rules, number: number): Promise<void> {
  const [first, ...steps] = script.steps;
  if (!first) throw new Error('nothing happens in it');
  const player = new Player(first, rules);
  try {
    for (const step of [{ ...first, words: '0 ms pass' }, ...steps]) await player.step(step, number);
  } finally {
    await player.close();
  }
}

class Player {
  readonly group: TestGroup;
  readonly campaigns = new Map<string, AbortController>();
  /** Since when the present step goes on: as an entry of the recorder, and as an instant. */
  sinceEntry = 0;
  sinceMs = 0;

  constructor({ line, words }: Step, rules: Rules) {
    const [, names = '', leaseMs, seed, forming] =
      /^group ((?:[a-z] ?)+)(?:, lease (\d+))?(?:, seed (\d+))?(, not formed yet)?$/.exec(words) ?? [];
    if (!names) throw new Error(`line ${line}: first comes a group, as "group a b c, lease 1000, seed 1"`);
    this.group = createTestGroup({
      nodes: nodesIn(names.trim()),
      leaseMs: Number(leaseMs ?? 1000),
      seed: Number(seed ?? 1),
      isForming: forming !== undefined,
      service: () => {},
      rules,
      drain,
    });
  }

  async step({ line, words, seen }: Step, number: number): Promise<void> {
    this.sinceEntry = this.group.recorder.entries.length;
    this.sinceMs = this.group.nowMs;
    try {
      const { means, parts } = understand(HAPPENS, words.replace(/\bN\b/, String(number)));
      await means(this, parts);
      await this.group.advance(0);
    } catch (error) {
      throw this.#failure(line, words, error instanceof Error ? error.message : String(error));
    }
    for (const expected of seen) {
      if (!holds(this, expected.words)) throw this.#failure(expected.line, expected.words, 'is not so');
    }
  }

  #failure(line: number, words: string, why: string): Error {
    const lines = this.group.transcript({ fromMs: this.sinceMs }).split('\n');
    const told = lines.length > 60 ? ['…', ...lines.slice(-60)] : lines;
    return new Error(`line ${line}: ${words}: ${why}\n${told.join('\n')}`);
  }

  campaign(node: string): void {
    const ending = new AbortController();
    this.campaigns.set(node, ending);
    const until = (signal: AbortSignal) =>
      new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    this.group
      .node(node)
      .election.runWhileMaster(({ signal }) => until(signal), { signal: ending.signal })
      // Its process has died, or it was told to end.
      .catch(() => {});
  }

  /** What a node said, heard or applied in this step, as far as it begins like this. */
  entries(node: string, verb: string, what: string): number {
    const [text = '', other] = what.replaceAll('"', '').split(/ (?:to|from) (?=[a-z]$|all$)/);
    const isIt = (entry: string): boolean => {
      if (verb === 'applies') return entry.startsWith('applies') && entry.includes(text);
      const [, sign, who, content = ''] = /^([<>]) (\S+) {2}(.*)$/.exec(entry) ?? [];
      return sign === (verb === 'says' ? '>' : '<') && content.startsWith(text) && (other ?? who) === who;
    };
    return this.group.recorder.entries.slice(this.sinceEntry).filter((entry) => entry.node === node && isIt(entry.text))
      .length;
  }

  renewals(node: string): number {
    const { entries } = this.group.recorder;
    return entries.slice(this.sinceEntry).filter((entry) => entry.node === node && entry.text.startsWith('has renewed'))
      .length;
  }

  /** The terms that there were, in the order in which they began. */
  get terms(): number[] {
    return this.group.recorder.held.map(({ term }) => term);
  }

  known(node: string): string | null {
    return this.group.node(node).election.master?.node ?? null;
  }

  close(): Promise<void> {
    return this.group.close();
  }
}

type Happening = (player: Player, parts: Parts) => unknown;

const fate =
  (name: 'lose' | 'hold') =>
  ({ group }: Player, { TYPE, NODE, OTHER }: Parts): void => {
    const which = { type: TYPE, from: NODE, ...(OTHER ? { to: OTHER } : {}) };
    group[name](which as Messages);
  };

/** What can happen. */
const HAPPENS: readonly Phrase<Happening>[] = [
  { pattern: 'NODES starts?', means: ({ group }, { NODES = '' }) => group.start(...nodesIn(NODES)) },
  {
    pattern: 'NODES begins? to start',
    means: ({ group }, { NODES = '' }) => nodesIn(NODES).forEach((node) => void group.restart(node)),
  },
  {
    pattern: 'NODES campaigns?',
    means: (player, { NODES = '' }) => {
      for (const node of nodesIn(NODES)) player.campaign(node);
    },
  },
  { pattern: 'NODE resigns', means: ({ campaigns }, { NODE = '' }) => campaigns.get(NODE)?.abort() },
  { pattern: 'NODE crashes', means: ({ group }, { NODE = '' }) => group.crash(NODE) },
  { pattern: 'NODE is wiped', means: ({ group }, { NODE = '' }) => group.wipe(NODE) },
  { pattern: 'NODE pauses', means: ({ group }, { NODE = '' }) => group.pause(NODE) },
  { pattern: 'NODE resumes', means: ({ group }, { NODE = '' }) => group.resume(NODE) },
  { pattern: 'NODE is cut off', means: ({ group }, { NODE = '' }) => void group.isolate(NODE) },
  {
    pattern: 'NODE stops for MS ms, COUNT looks at the world from now',
    means: ({ group }, { NODE = '', MS, COUNT }) => group.stall(NODE, Number(MS), Number(COUNT)),
  },
  { pattern: 'TYPE messages of NODE are lost', means: fate('lose') },
  { pattern: 'TYPE messages of NODE to OTHER are lost', means: fate('lose') },
  { pattern: 'TYPE messages of NODE are held', means: fate('hold') },
  { pattern: 'TYPE messages of NODE to OTHER are held', means: fate('hold') },
  { pattern: 'all is healed', means: ({ group }) => group.heal() },
  { pattern: 'MS ms pass', means: ({ group }, { MS }) => group.advance(Number(MS)) },
  {
    pattern: 'until TEXT, for MS ms at most',
    means: (player, { TEXT = '', MS }) => player.group.until(() => holds(player, TEXT), Number(MS)),
  },
];

type Condition = (player: Player, parts: Parts) => boolean;

const holds = (player: Player, sentence: string): boolean => {
  const { means, parts } = understand(HOLDS, sentence);
  return means(player, parts);
};

/** What can be so. */
const HOLDS: readonly Phrase<Condition>[] = [
  { pattern: 'NODE is master', means: ({ group }, { NODE }) => group.master() === NODE },
  {
    pattern: 'NODE is master with term COUNT',
    means: (player, { NODE, COUNT }) => player.group.master() === NODE && player.terms.at(-1) === Number(COUNT),
  },
  { pattern: 'NODE is not master', means: ({ group }, { NODE }) => group.master() !== NODE },
  { pattern: 'nobody is master', means: ({ group }) => group.master() === null },
  { pattern: 'somebody is master', means: ({ group }) => group.master() !== null },
  {
    pattern: 'NODES knows? that OTHER is master',
    means: (player, { NODES = '', OTHER }) => nodesIn(NODES).every((node) => player.known(node) === OTHER),
  },
  {
    pattern: 'NODES knows? that nobody is master',
    means: (player, { NODES = '' }) => nodesIn(NODES).every((node) => player.known(node) === null),
  },
  {
    pattern: 'NODES (?:is|are) up',
    means: ({ group }, { NODES = '' }) => nodesIn(NODES).every((node) => group.isUp(node)),
  },
  { pattern: 'NODE is down', means: ({ group }, { NODE = '' }) => !group.isUp(NODE) },
  { pattern: 'NODE is waiting', means: ({ group }, { NODE = '' }) => group.doing(NODE).includes('waiting') },
  { pattern: 'NODE is asking', means: ({ group }, { NODE = '' }) => group.doing(NODE).includes('campaigning') },
  { pattern: 'NODE is leading', means: ({ group }, { NODE = '' }) => group.doing(NODE).includes('leading') },
  {
    pattern: 'NODE never (?:says) TEXT',
    means: (player, { NODE = '', TEXT = '' }) => player.entries(NODE, 'says', TEXT) === 0,
  },
  {
    pattern: 'NODE never (?:hears) TEXT',
    means: (player, { NODE = '', TEXT = '' }) => player.entries(NODE, 'hears', TEXT) === 0,
  },
  {
    pattern: 'NODE never (?:applies) TEXT',
    means: (player, { NODE = '', TEXT = '' }) => player.entries(NODE, 'applies', TEXT) === 0,
  },
  { pattern: 'NODE says TEXT', means: (player, { NODE = '', TEXT = '' }) => player.entries(NODE, 'says', TEXT) > 0 },
  { pattern: 'NODE hears TEXT', means: (player, { NODE = '', TEXT = '' }) => player.entries(NODE, 'hears', TEXT) > 0 },
  {
    pattern: 'NODE applies TEXT',
    means: (player, { NODE = '', TEXT = '' }) => player.entries(NODE, 'applies', TEXT) > 0,
  },
  {
    pattern: 'NODE has renewed COUNT times',
    means: (player, { NODE = '', COUNT }) => player.renewals(NODE) === Number(COUNT),
  },
  {
    pattern: 'NODE has renewed MIN to MAX times',
    means: (player, { NODE = '', MIN, MAX }) =>
      player.renewals(NODE) >= Number(MIN) && player.renewals(NODE) <= Number(MAX),
  },
  {
    pattern: 'it took MIN to MAX ms',
    means: ({ group, sinceMs }, { MIN, MAX }) =>
      group.nowMs - sinceMs >= Number(MIN) && group.nowMs - sinceMs <= Number(MAX),
  },
  { pattern: 'there was one term', means: ({ terms }) => new Set(terms).size === 1 },
  {
    pattern: 'there were COUNT terms, each greater than the one before',
    means: ({ terms }, { COUNT }) =>
      terms.length === Number(COUNT) && terms.every((term, i) => i === 0 || term > (terms[i - 1] ?? 0)),
  },
];
