import { DefaultReporter, type SerializedError, type TestModule, type TestRunEndReason } from 'vitest/node';

/** What a run came to. A file that could not be loaded and an error outside every test count as failed. */
export interface Tally {
  passed: number;
  failed: number;
  /** Reason → names of the tests skipped for it. */
  readonly skipped: Map<string, string[]>;
}

export const noReason = 'no reason given: use `skip(reason)` of the test context';

export function tally(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): Tally {
  const result: Tally = { passed: 0, failed: unhandledErrors.length, skipped: new Map() };
  for (const module of modules) {
    result.failed += module.errors().length;
    for (const suite of module.children.allSuites()) result.failed += suite.errors().length;
    for (const test of module.children.allTests()) {
      const outcome = test.result();
      if (outcome.state === 'passed') result.passed += 1;
      else if (outcome.state === 'failed') result.failed += 1;
      else {
        const reason = (outcome.state === 'skipped' && outcome.note) || noReason;
        const names = result.skipped.get(reason) ?? [];
        result.skipped.set(reason, [...names, test.fullName]);
      }
    }
  }
  return result;
}

/** The default report, then why each skipped test was skipped, then one last line: `N passed, N failed, N skipped`. */
export default class SynodReporter extends DefaultReporter {
  override onTestRunEnd(
    modules: readonly TestModule[],
    unhandledErrors: readonly SerializedError[],
    reason: TestRunEndReason,
  ): void {
    super.onTestRunEnd(modules, unhandledErrors, reason);
    for (const line of lines(tally(modules, unhandledErrors))) this.log(line);
  }
}

export function lines({ passed, failed, skipped }: Tally): string[] {
  const reasons = [...skipped].map(([reason, names]) => `skipped ${names.length}: ${reason} (${list(names)})`);
  const count = [...skipped.values()].reduce((sum, names) => sum + names.length, 0);
  return [...reasons, `${passed} passed, ${failed} failed, ${count} skipped`];
}

/** The first names are enough to find the rest. */
function list(names: readonly string[]): string {
  const shown = names.slice(0, 3).join('; ');
  return names.length > 3 ? `${shown}; …` : shown;
}
