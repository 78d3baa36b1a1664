import { blake2s } from '@noble/hashes/blake2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import Type, { type Static } from 'typebox';
import { majority, type QuorumSystem } from './quorum.ts';
import { count, name } from './schema-types.ts';

/** The lease's allowance for clocks whose rate is off, parts per million: 1 % (protocol.md, section 1). */
export const DEFAULT_MAX_DRIFT_PPM = 10_000;

export const configurationSchema = Type.Object({
  group: name,
  /** Grows with each change of the members (section 8). */
  epoch: count,
  /** A voter is a node with its store: a wiped folder is another voter (I2). Sorted by node. */
  voters: Type.Array(Type.Object({ node: name, storeId: name }), { minItems: 1, maxItems: 9 }),
  quorum: Type.Literal('majority'),
  maxDriftPpm: Type.Integer({ minimum: 0, maximum: 200_000 }),
  /** Part of leaseMs that a holder gives up at its end: guardMs = max(5, leaseMs / guardDivisor) (T1). */
  guardDivisor: Type.Integer({ minimum: 2, maximum: 1000 }),
  /** Position of the first command: above every term of a group of this name that lived before (I5). */
  firstPosition: Type.Integer({ minimum: 1, maximum: 2 ** 52 }),
});

/** What all voters of a group must agree on before they vote (I3, I5). */
export type Configuration = Readonly<Static<typeof configurationSchema>>;

/** Every message carries the digest, and a configuration never changes: it is reckoned once. */
const digests = new WeakMap<Configuration, string>();

/** Short name of a configuration: two nodes with the same digest have the same one (I3). */
export function configurationDigest(configuration: Configuration): string {
  const known = digests.get(configuration);
  if (known !== undefined) return known;
  const voters = [...configuration.voters].sort((a, b) => (a.node < b.node ? -1 : 1)).map((v) => [v.node, v.storeId]);
  const { group, epoch, quorum, maxDriftPpm, guardDivisor, firstPosition } = configuration;
  const canonical = JSON.stringify([group, epoch, voters, quorum, maxDriftPpm, guardDivisor, firstPosition]);
  const digest = bytesToHex(blake2s(utf8ToBytes(canonical), { dkLen: 8 }));
  digests.set(configuration, digest);
  return digest;
}

const quorums = new WeakMap<Configuration, QuorumSystem>();

/** Checked once: every prepare quorum meets every accept quorum. */
export function quorumSystemOf(configuration: Configuration): QuorumSystem {
  let quorum = quorums.get(configuration);
  if (!quorum) {
    quorum = majority(configuration.voters.map((voter) => voter.node));
    quorums.set(configuration, quorum);
  }
  return quorum;
}
