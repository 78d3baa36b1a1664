/**
 * Stands before a resource and refuses the writes of masters that have been replaced (F2). Clocks play no part in it: what
 * it has seen decides (S3).
 */
export interface Fence {
  /**
   * Remembers the highest term of each election.
   * @throws StaleFenceError when it has seen a higher one, or `term` is none. Then the write must not happen.
   */
  check(election: string, term: number): Promise<void>;
}
