import type { Model } from '../explorer/explore.ts';
import type { Rules } from '../group/life.ts';

/** What looks for a broken rule: a small world in which everything is tried, or whole groups under seeds. */
export type Engine =
  | {
      readonly kind: 'explorer';
      readonly world: () => Model;
      /** The same world by the rules of production: nothing is found in it. */
      readonly sound: () => Model;
    }
  | {
      readonly kind: 'seeds';
      readonly rules: () => Rules;
      /** A seed that finds it: tests run this one, searches begin with the first. */
      readonly seed: number;
    };

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
  readonly engine: Engine;
  /** What the finding must speak of: a control that is found for another reason shows nothing. */
  readonly finds: RegExp;
}
