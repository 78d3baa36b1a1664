/** An impossible state. It stops the actor that meets it, and with it the node: better silent than wrong. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/**
 * Demands what a rule promises.
 * @param rule - Name of the rule and the sentence that would be broken, e.g. `B4 an answer names our ballot`.
 * @throws {@link InvariantError} when `condition` is false.
 */
export function invariant(condition: unknown, rule: string): asserts condition {
  if (!condition) throw new InvariantError(`broken invariant: ${rule}`);
}
