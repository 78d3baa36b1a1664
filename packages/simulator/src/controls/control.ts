import type { Model } from '../explorer/explore.ts';
import type { Rules } from '../group/life.ts';
import type { Plan } from '../run/plan.ts';
import type { Broken } from './broken.ts';

/** A small world in which everything is tried that can happen. */
export interface ExplorerEngine {
  readonly kind: 'explorer';
  readonly world: () => Model;
  /** The same world by the rules of production: nothing is found in it. */
  readonly sound: () => Model;
  /** What is broken in it of the rules that machines play by. */
  readonly broken: Broken;
}

/** Whole groups, runtime included, under one seed after the other. */
export interface SeedsEngine {
  readonly kind: 'seeds';
  readonly rules: () => Rules;
  /** A seed that finds it: tests run this one alone. */
  readonly seed: number;
  /** False for a schedule in which the broken rule is never asked: a search passes it by. All are looked at where it is left out. */
  readonly concerns?: (plan: Plan) => boolean;
}

/** What looks for a broken rule. */
export type Engine = ExplorerEngine | SeedsEngine;

/**
 * A rule that is broken on purpose. It shows that the tests test: an engine that does not find it would not find the same
 * mistake in the rules of production either. Rules are handed in; production knows nothing of this.
 */
export interface Control {
  /** As `--control NAME` takes it. */
  readonly name: string;
  /** The rule it breaks, by its name in the protocol. */
  readonly rule: string;
  /** What is done wrong, in a sentence. */
  readonly sentence: string;
  /** Each of them must find it. */
  readonly engines: readonly Engine[];
  /** What the finding must speak of: a control that is found for another reason shows nothing. */
  readonly finds: RegExp;
}
