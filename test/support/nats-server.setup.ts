// By its path: this file is loaded without the conditions of the tests, and nothing need be compiled for them.
const lab = '../../apps/cli/src/lab/index.ts';

/** Finds the NATS server once for the whole run, so that test files that run side by side do not each fetch one. */
export default async function setup(): Promise<void> {
  try {
    const { findNatsServer } = (await import(lab)) as typeof import('@synod/cli/internal');
    const { path } = await findNatsServer({ log: (message) => console.error(`synod: ${message}`) });
    process.env['NATS_SERVER'] = path;
  } catch (error) {
    // Many tests need no server; those that do fail with the same words.
    console.error(`synod: ${(error as Error).message}`);
  }
}
