import { nameProblems } from 'synod';
import { type NatsOptions, natsProblems } from './connection.ts';
import { DEFAULT_NATS_URL } from './defaults.ts';

/** Flags as commander hands them over: text, or nothing. The environment has been consulted already. */
export type Flags = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

/**
 * Reads flags and gathers what is wrong with them, so that all of it can be said at once. An empty text counts as absent: a
 * compose file sets variables to nothing.
 */
export class FlagReader {
  readonly problems: string[] = [];
  readonly #flags: Flags;

  constructor(flags: Flags) {
    this.#flags = flags;
  }

  text(name: string): string | undefined {
    const value = this.#flags[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  }

  /** @param what - For the sentence about it: `--group (or SYNOD_GROUP)`. */
  required(name: string, what: string): string {
    const value = this.text(name);
    if (value === undefined) this.problems.push(`${what} is missing`);
    return value ?? '';
  }

  /** One token of a NATS subject: what groups, nodes and elections are called. */
  name(name: string, what: string): string {
    const value = this.required(name, what);
    if (value !== '') this.problems.push(...nameProblems(what, value));
    return value;
  }

  whole(name: string, what: string, most = Number.MAX_SAFE_INTEGER): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (/^\d{1,15}$/.test(value) && Number(value) <= most) return Number(value);
    const atMost = most === Number.MAX_SAFE_INTEGER ? '' : ` of at most ${most}`;
    this.problems.push(`${what} is "${value}": a whole number${atMost} is wanted`);
    return undefined;
  }

  list(name: string): readonly string[] {
    return (this.text(name) ?? '')
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  }

  flag(name: string): boolean {
    return this.#flags[name] === true;
  }

  nats(): NatsOptions {
    const servers = this.list('natsUrl');
    const files = {
      creds: this.text('natsCreds'),
      ca: this.text('natsCa'),
      cert: this.text('natsCert'),
      key: this.text('natsKey'),
    };
    const given = Object.fromEntries(Object.entries(files).filter(([, file]) => file !== undefined));
    const options: NatsOptions = { servers: servers.length > 0 ? servers : [DEFAULT_NATS_URL], ...given };
    this.problems.push(...natsProblems(options));
    return options;
  }
}
