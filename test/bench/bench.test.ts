import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { quantile, summarize } from './harness/statistics.ts';

const PROGRAM = fileURLToPath(new URL('main.ts', import.meta.url));

interface Line {
  readonly figure: string;
  readonly unit: string;
  readonly runs: readonly number[];
  readonly p50: number;
  readonly overlapMs: number;
  readonly lease: number;
}

/** The smallest run of each bench: how long anything took is not looked at, other tests share the machine. */
const smallest: Readonly<Record<string, { args: string[]; figures: Record<string, number> }>> = {
  failover: { args: ['--leases', '1000', '--runs', '1'], figures: { failover: 1, sinceRenewal: 1 } },
  handover: { args: ['--lease', '1000', '--runs', '2'], figures: { handover: 2, transfer: 2 } },
  campaign: { args: ['--lease', '1000', '--warm-up', '5', '--runs', '2'], figures: { campaign: 2 } },
  elections: { args: ['--count', '30', '--lease', '1000', '--seconds', '1'], figures: { cpu: 3, rss: 3 } },
  natskill: { args: ['--lease', '1000', '--runs', '1'], figures: { 'kept, own': 1, 'kept, other': 1, renewalGap: 2 } },
  silent: { args: ['--lease', '1000', '--runs', '1'], figures: { signalLead: 1, failover: 1 } },
  coldstart: { args: ['--lease', '1000', '--runs', '1'], figures: { coldstart: 1 } },
  ismaster: {
    args: ['--lease', '2000', '--rounds', '3', '--calls', '100'],
    figures: { isMaster: 3, 'performance.now': 3, ratio: 3 },
  },
  idle: { args: ['--lease', '1000', '--seconds', '1'], figures: { cpu: 3, rss: 3 } },
};

describe('bench', () => {
  for (const [bench, { args, figures }] of Object.entries(smallest)) {
    it(`${bench} measures, and tells it as JSON lines`, async () => {
      const { code, out, err } = await run([bench, ...args, '--json']);
      expect(err).not.toContain('could not be');
      expect(code).toBe(0);
      const lines = out
        .trimEnd()
        .split('\n')
        .map((line): Line => JSON.parse(line));
      expect(Object.fromEntries(lines.map(({ figure, runs }) => [figure, runs.length]))).toEqual(figures);
      for (const line of lines) {
        expect(line).toMatchObject({ bench, overlapMs: 0, lease: expect.any(Number), machine: expect.any(String) });
        expect(line).toMatchObject({ unit: expect.any(String), ...summarize(line.runs) });
      }
    });
  }

  it('says so, and ends with an error, when a run cannot be measured', async () => {
    const { code, out, err } = await run(['coldstart', '--folder', PROGRAM, '--json']);
    expect(code).toBe(1);
    expect(out).toBe('');
    expect(err).toContain('coldstart could not be measured: ');
  });

  it.each([
    ['no bench', []],
    ['an unknown one', ['cold']],
    ['an unknown option', ['ismaster', '--calm']],
    ['a value that is none', ['failover', '--leases', '200,soon']],
  ])('usage, 2: %s', async (_what, args) => {
    expect(await run(args)).toMatchObject({ code: 2, out: '', err: expect.stringMatching(/usage|error/i) });
  });

  it('--help is no mistake', async () => {
    expect(await run(['--help'])).toMatchObject({ code: 0, out: expect.stringContaining('failover') });
  });
});

describe('quantile', () => {
  it('lies between two runs where it must', () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
    expect(quantile([5, 1, 3], 0.5)).toBe(3);
    expect(quantile([1, 2], 1)).toBe(2);
    expect(quantile([7], 0.99)).toBe(7);
  });
});

async function run(args: readonly string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, ['--conditions=@synod/source', PROGRAM, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code, out, err };
}
