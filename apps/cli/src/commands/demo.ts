import { ConfigError } from 'synod';
import type { Command } from '../asking.ts';
import { playDemo } from '../demo/demo.ts';
import { EXIT } from '../exit.ts';
import { FlagReader } from '../options.ts';

/** A busy machine must be able to renew in time; a person does not want to wait. */
const DEMO_LEASE_MS = 1000;

/** Shows the whole of what Synod does, on a server of its own. */
export async function demo({ flags, terminal, interruption }: Command): Promise<number> {
  const { signal, exitCode } = interruption;
  const reader = new FlagReader(flags);
  const leaseMs = reader.whole('leaseMs', '--lease-ms (or SYNOD_LEASE_MS)') ?? DEMO_LEASE_MS;
  if (leaseMs < 200 || leaseMs > 60_000) reader.problems.push(`--lease-ms is ${leaseMs}: 200 to 60000 make a demo`);
  if (reader.problems.length > 0) throw new ConfigError(reader.problems);
  try {
    const picture = reader.text('picture');
    const isShown = await playDemo({ leaseMs, isKept: reader.flag('keep'), picture, signal, terminal });
    return isShown ? EXIT.yes : EXIT.no;
  } catch (error) {
    if (!signal.aborted) throw error;
    return exitCode() || EXIT.interrupted;
  }
}
