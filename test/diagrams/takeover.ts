import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTestGroup } from '@synod/simulator';

/** Stands beside the README of the simulator, which shows it. */
export const takeoverFile = 'packages/simulator/takeover.svg';

const path = join(import.meta.dirname, '../..', takeoverFile);

/** A master dies, another takes over, and the first comes back. */
export async function takeover(): Promise<string> {
  await using group = createTestGroup({ nodes: 3, seed: 3, leaseMs: 1000, delayMs: 20 });
  await group.start();
  const first = await group.untilMaster();
  await group.advance(650);
  group.crash(first);
  const second = await group.untilMaster(first);
  await group.advance(250);
  group.restart(first);
  await group.advance(500);
  const title = `${first} is master and dies; a lease after its last renewal ${second} takes over`;
  return group.picture(title);
}

export const drawnTakeover = (): string => readFileSync(path, 'utf8');

/** Brings the picture up to date, or only looks. @returns A sentence if it was not. */
export async function updateTakeover(isCheck: boolean): Promise<string[]> {
  const wanted = await takeover();
  const found = readOr('');
  if (found === wanted) return [];
  if (!isCheck) writeFileSync(path, wanted);
  return [`${takeoverFile} ${isCheck ? 'is out of date' : 'is new'}`];
}

function readOr(nothing: string): string {
  try {
    return drawnTakeover();
  } catch {
    return nothing;
  }
}
