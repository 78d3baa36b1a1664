/** The only source of chance: jitter and ids. A simulator gives a seeded one. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** A fresh id that nobody else ever draws, 22 characters or less of `[A-Za-z0-9_-]`. */
  id(): string;
}

/** Uniform in [low, high). */
export const between = (random: Random, low: number, high: number): number => low + (high - low) * random.next();
