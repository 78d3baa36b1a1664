import { readFileSync } from 'node:fs';
import type { Command, Option } from 'commander';
import { ConfigError } from 'synod';
import type { Flags } from './options.ts';

/**
 * The flags of a command, and for those that neither the command line nor the environment gives the settings of its `--config`
 * file: JSON by the flags' names, as `{"group": "orders", "voters": ["n1", "n2", "n3"], "lease-ms": 1000}`.
 *
 * @param known - Names of the flags of all commands: one file may serve several.
 * @throws ConfigError when the file cannot be read, with every problem in it.
 */
export function withConfigFile(command: Command, path: string, known: ReadonlySet<string>): Flags {
  const settings = read(path);
  const problems: string[] = [];
  for (const name of Object.keys(settings)) {
    if (!known.has(name)) problems.push(`${path}: there is no flag --${name}`);
    else if (textOf(settings[name]) === null)
      problems.push(`${path}: "${name}" is neither text, number, list nor pairs`);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  const flags: Record<string, Flags[string]> = { ...command.opts<Flags>() };
  for (const option of command.options) {
    const name = nameOf(option);
    if (Object.hasOwn(settings, name) && !isGiven(command, option))
      flags[option.attributeName()] = textOf(settings[name]) ?? undefined;
  }
  return flags;
}

/** As it stands behind the dashes. */
export const nameOf = ({ long }: Option): string => (long ?? '').slice(2);

function read(path: string): Readonly<Record<string, unknown>> {
  try {
    const settings: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (isPlain(settings)) return settings;
  } catch (error) {
    throw new ConfigError([`--config (or SYNOD_CONFIG): ${(error as Error).message}`]);
  }
  throw new ConfigError([`--config (or SYNOD_CONFIG): ${path} holds no JSON object`]);
}

/** An empty text in the environment is none: a compose file sets variables to nothing. */
function isGiven(command: Command, option: Option): boolean {
  const key = option.attributeName();
  const source = command.getOptionValueSource(key);
  return source === 'cli' || (source === 'env' && command.getOptionValue(key) !== '');
}

/** A setting as the command line would have it; `null` for what no flag can be. */
function textOf(value: unknown): string | boolean | readonly string[] | null {
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return String(value);
  if (Array.isArray(value)) return value.every(isText) ? value.join(',') : null;
  if (!isPlain(value) || !Object.values(value).every(isText)) return null;
  return Object.entries(value).map(([key, text]) => `${key}=${text}`);
}

const isText = (value: unknown): value is string => typeof value === 'string';

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
