// A thread of its own: it waits until a deadline passes that the main thread should have moved or taken away, and ends the
// process then (F3). Handlers of the main thread would not run, so none is asked.
import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { SharedDeadline } from './shared-deadline.ts';

const { memory, group } = workerData as { memory: SharedArrayBuffer; group: string };
const deadline = new SharedDeadline(memory);

parentPort?.postMessage('watching');
deadline.waitUntilPassed();
const sentence = `the main thread is stuck past the end of a mastership of group "${group}": process ${process.pid} is killed`;
try {
  writeSync(2, `synod: ${sentence} (onOverrun: "abort")\n`);
} finally {
  process.kill(process.pid, 'SIGKILL');
}
