import type { Group } from './group/group.ts';
import { GroupNode } from './group/group-node.ts';
import type { NodeOptions, NodePorts } from './options.ts';

/**
 * Joins a group over ports. Resolves when this node plays its part: a voter of a formed group, a learner, an observer.
 *
 * @throws ConfigError with every problem of the options at once.
 * @throws NodeIdInUseError another process lives under this node id (I1).
 * @throws ForeignJournalError, JournalLockedError, JournalFailedError the journal cannot be used.
 * @throws the reason of `options.signal` when it aborts first.
 */
export async function joinOver(ports: NodePorts, options: NodeOptions): Promise<Group> {
  const node = new GroupNode(ports, options);
  options.onJoining?.(node);
  await node.start();
  return node;
}
