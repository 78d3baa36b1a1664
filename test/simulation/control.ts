// `npm run sim -- --control NAME`: a rule is broken, and must be found.
import { type Control, controls, type Finding, find } from '@synod/simulator';
import { drain } from './drain.ts';

/**
 * Looks for one broken rule, or for `all`, each engine for 20 s at most.
 * @param fromSeed - Where searches begin; left out, recorded seeds are run first.
 * @returns true when every engine found what it looked for.
 */
export async function lookFor(name: string, fromSeed: number | undefined, json: boolean): Promise<boolean> {
  const chosen = name === 'all' ? controls : controls.filter((control) => control.name === name);
  const findings: Finding[] = [];
  for (const control of chosen) {
    const options = fromSeed === undefined ? {} : { fromSeed };
    for (const finding of await find(control, { now: () => performance.now(), drain, ...options })) {
      findings.push(finding);
      console.error(inWords(control, finding, chosen.length === 1));
    }
  }
  const survivors = findings.filter(({ isFound }) => !isFound);
  if (json) {
    const rows = findings.map(({ control, engine, isFound, seed, looked, ms }) => {
      return { control, engine, isFound, seed, looked, seconds: Math.round(ms / 100) / 10 };
    });
    console.log(JSON.stringify({ controls: chosen.length, survivors: survivors.length, findings: rows }));
  }
  return survivors.length === 0;
}

function inWords({ name, rule, sentence }: Control, finding: Finding, isAlone: boolean): string {
  const { engine, isFound, what, seed, steps, looked, ms } = finding;
  const where = engine === 'seeds' ? `seed ${seed}, ${looked} schedules` : `${looked} states`;
  const head = `${isFound ? 'found   ' : 'SURVIVES'} ${name} by ${engine}: ${where}, ${(ms / 1000).toFixed(1)} s`;
  if (!isAlone) return head;
  return [
    head,
    `  ${sentence} (${rule})`,
    `  ${what ?? 'nothing was broken'}`,
    ...steps.map((step) => `    ${step}`),
  ].join('\n');
}
