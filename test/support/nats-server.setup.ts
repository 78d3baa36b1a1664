import { findNatsServer } from '@synod/cli/internal';

/** Finds the NATS server once for the whole run, so that test files that run side by side do not each fetch one. */
export default async function setup(): Promise<void> {
  try {
    const { path } = await findNatsServer({ log: (message) => console.error(`synod: ${message}`) });
    process.env['NATS_SERVER'] = path;
  } catch (error) {
    // Many tests need no server; those that do fail with the same words.
    console.error(`synod: ${(error as Error).message}`);
  }
}
