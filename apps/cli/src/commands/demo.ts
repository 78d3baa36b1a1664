import type { Command } from '../asking.ts';
export const demo = async (_command: Command): Promise<number> => 0;
