import { blake2s } from '@noble/hashes/blake2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { majority, type QuorumSystem } from './quorum.ts';
import type { Configuration } from './schemas/configuration.ts';

/** The lease's allowance for clocks whose rate is off, parts per million: 1 % (protocol.md, section 1). */
export const DEFAULT_MAX_DRIFT_PPM = 10_000;

/** Every message carries the digest, and a configuration never changes: it is reckoned once. */
const digests = new WeakMap<Configuration, string>();
/** The configuration reckoned last: each formation message brings it anew, as an object of its own. */
let last = { canonical: '', digest: '' };

/** Short name of a configuration: two nodes with the same digest have the same one (I3). */
export function configurationDigest(configuration: Configuration): string {
  const known = digests.get(configuration);
  if (known !== undefined) return known;
  const voters = [...configuration.voters].sort((a, b) => (a.node < b.node ? -1 : 1)).map((v) => [v.node, v.storeId]);
  const { group, epoch, quorum, maxDriftPpm, guardDivisor, firstPosition } = configuration;
  const canonical = JSON.stringify([group, epoch, voters, quorum, maxDriftPpm, guardDivisor, firstPosition]);
  if (canonical !== last.canonical)
    last = { canonical, digest: bytesToHex(blake2s(utf8ToBytes(canonical), { dkLen: 8 })) };
  digests.set(configuration, last.digest);
  return last.digest;
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
