/** Milliseconds on a clock that all processes of this machine share; `performance.now()` begins anew in each. */
export const machineNowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/** An instant of a history (`at_ns`, `until_ns`) on the same clock. */
export const msOfNs = (ns: string): number => Number(ns) / 1e6;
