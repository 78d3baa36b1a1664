// Prints the path of a nats-server program, fetching one if the machine has none.
import { findNatsServer } from '../apps/cli/src/lab/index.ts';

const { path } = await findNatsServer({ log: (message) => console.error(`ci: ${message}`) });
console.log(path);
