import { farthest } from '../world/drift.ts';
import type { Plan } from './plan.ts';

/** Parts of a lease: T11, B1a, B6, and when an attempt is given up. */
const JITTER = 1 / 20;
const PATIENCE = 4 / 9;
const DUEL = 1 / 2;
const ATTEMPT = 3 / 4;

/**
 * L1 as a figure: how long after the healing of a majority there may be no master, in true time.
 *
 * - A restarted member first claims its id: max(20 ms, 4 round trips) (I1), and opens its journal.
 * - A candidate waits T2 from the first sight of the command that set the holder's session: a lease, on a clock that may be
 *   slow. A renewal that was proposed before the healing and is chosen by the next leader is sighted late: once more.
 * - It adds up to a twentieth of its lease (T11), and asks. Whoever is asked may have to lead first: patience for a silent
 *   leader up to 4/9 of a lease (B1a), a lost duel up to half a lease of waiting (B6).
 * - An attempt that had no answer in three quarters of a lease is made anew.
 *
 * Each of these once, on the slowest clock: whoever asks again asks one who leads. Beyond T2, the claim and the delays no more
 * than half of what they come to was ever seen.
 */
export function masterWithinMs({ settings, leaseMs, isWithinDrift }: Plan): number {
  const { link, disk, maxDriftPpm } = settings;
  const slowest = Math.min(
    1 - maxDriftPpm / 1e6,
    ...[...settings.nodes, ...(settings.candidates ?? [])].map(({ rate }) => rate),
    isWithinDrift ? 1 : 1 - farthest(maxDriftPpm),
  );
  const claimMs = Math.max(20, 4 * 2 * link.maxMs) + 3 * disk.maxMs;
  const waitsMs = (2 * leaseMs * (1 + maxDriftPpm / 1e6)) / slowest;
  const leadingMs = ((JITTER + PATIENCE + DUEL + ATTEMPT) * leaseMs) / slowest;
  return claimMs + waitsMs + leadingMs + 40 * (link.maxMs + disk.maxMs);
}
