import { readFile } from 'node:fs/promises';

/** The kernel counts a process's time in ticks of 10 ms, on every machine that Node runs on (USER_HZ). */
const TICK_MS = 10;

/** Time a process has spent on all cores, its own and the kernel's for it. Linux only. */
export async function cpuMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The program's name, in parentheses, may hold anything; the state follows as field 3 of proc(5).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [userTicks, systemTicks] = [fields[14 - 3], fields[15 - 3]];
  return (Number(userTicks) + Number(systemTicks)) * TICK_MS;
}

/** Memory a process has in RAM, shared pages included. Linux only. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kilobytes === undefined) throw new Error(`/proc/${pid}/status has no VmRSS`);
  return Number(kilobytes) * 1024;
}
