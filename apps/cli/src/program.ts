import { readFileSync } from 'node:fs';
import { Command as CommanderCommand, CommanderError, Option } from 'commander';
import type { Command } from './asking.ts';
import { DEFAULT_LEASE_MS, DEFAULT_NATS_URL, DEFAULT_TIMEOUT_MS } from './defaults.ts';
import { EXIT } from './exit.ts';
import { interruption } from './interruption.ts';
import type { Flags } from './options.ts';
import { type Terminal, terminal } from './terminal.ts';

/** Runs a command; its module is loaded only now, so that `--help` need not wait for NATS and XState. */
type Load = () => Promise<(command: Command) => Promise<number>>;

const option = (flags: string, description: string, env?: string): Option => {
  const made = new Option(flags, description);
  return env === undefined ? made : made.env(env);
};

const NATS = [
  option(
    '--nats-url <urls>',
    `servers of NATS, separated by commas; tls:// demands TLS (default: ${DEFAULT_NATS_URL})`,
    'NATS_URL',
  ),
  option('--nats-creds <file>', 'credentials for NATS', 'NATS_CREDS'),
  option(
    '--nats-ca <file>',
    "authority of the server's certificate, in place of those of this machine (PEM)",
    'NATS_CA',
  ),
  option('--nats-cert <file>', 'certificate of this client (PEM)', 'NATS_CERT'),
  option('--nats-key <file>', 'its key (PEM)', 'NATS_KEY'),
];
const GROUP = option('--group <name>', 'the nodes that elect one master together', 'SYNOD_GROUP');
const CONFIG = option(
  '--config <file>',
  'JSON with what flags and environment leave out, by the names of the flags',
  'SYNOD_CONFIG',
);
const JSON_OUTPUT = option('--json', 'print JSON');
const ASK = [
  CONFIG,
  ...NATS,
  GROUP,
  option('--as <name>', 'who asks; what a permission of NATS may pin (default: a random name)', 'SYNOD_AS'),
  option('--timeout-ms <ms>', `longest wait for an answer (default: ${DEFAULT_TIMEOUT_MS})`, 'SYNOD_TIMEOUT_MS'),
  JSON_OUTPUT,
];
const KIND = option('--kind <kind>', 'member, candidate, observer or operator').default('member');
const ELECTION = option('--election <name>', 'one of the masterships of the group').default('group');

const HELP_AFTER = `
Flags go over the environment, that over the file of --config. Data goes to stdout, the rest to stderr; NO_COLOR is heeded.

Exit codes:
  0    yes          1    no (nobody is master, not healthy)
  2    usage        69   NATS or a quorum is unavailable
  70   failed       75   timed out
  77   permission   78   configuration      130  interrupted`;

/**
 * Runs the command line.
 * @returns the exit code.
 */
export async function run(argv: readonly string[]): Promise<number> {
  let code: number = EXIT.yes;
  const program = new CommanderCommand('synod')
    .description('Exactly one master among the replicas of a service, over NATS.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    .exitOverride()
    .showHelpAfterError('Help: synod --help')
    .addHelpText('after', HELP_AFTER);

  const add = (name: string, description: string, options: readonly Option[], load: Load): void => {
    const command = program.command(name).description(description);
    for (const each of options) command.addOption(each);
    command.action(async (given: Flags) => {
      const run = await load();
      const flags = await withFile(program, command, given);
      code = await run({ flags, terminal, interruption: interruption() });
    });
  };

  add(
    'serve',
    'be a member: vote, and be master when elected, until SIGTERM',
    [
      CONFIG,
      ...NATS,
      GROUP,
      option('--node <name>', 'name of this member', 'SYNOD_NODE'),
      option('--voters <names>', 'all members, separated by commas, the same at each', 'SYNOD_VOTERS'),
      option('--journal <folder>', 'where this member keeps what it promised; its own alone', 'SYNOD_JOURNAL'),
      option(
        '--lease-ms <ms>',
        `a dead master is replaced after about this long (default: ${DEFAULT_LEASE_MS})`,
        'SYNOD_LEASE_MS',
      ),
      option('--priority <0-100>', 'a higher one waits less when a mastership is free', 'SYNOD_PRIORITY'),
      option('--metadata <key=value>', 'travels with the mastership; may be repeated').argParser(
        (value: string, before: readonly string[] | undefined) => [...(before ?? []), value],
      ),
      option('--first-position <n>', 'where a group of this name has lived before', 'SYNOD_FIRST_POSITION'),
      option('--history <file>', 'append acquired, renewed and lost as JSON lines', 'SYNOD_HISTORY'),
      option('--json', 'log JSON lines on a terminal too'),
    ],
    async () => (await import('./commands/serve.ts')).serve,
  );
  add(
    'status',
    'how the members are',
    [
      ...ASK,
      option('--node <name>', 'only this member (default with --check: SYNOD_NODE)'),
      option('--check', 'print nothing; exit 0 if it is joined and sees a quorum'),
    ],
    async () => (await import('./commands/status.ts')).status,
  );
  add(
    'watch',
    'print each change of mastership, the present first',
    [...ASK, option('--election <name>', 'one of the masterships of the group (default: all)')],
    async () => (await import('./commands/watch.ts')).watch,
  );
  add('whois', 'who is master', [...ASK, ELECTION], async () => (await import('./commands/whois.ts')).whois);
  add('resign', 'make the master hand over', [...ASK, ELECTION], async () => {
    return (await import('./commands/hand-over.ts')).resign;
  });
  add(
    'transfer',
    'make the master hand over to one node, which must be waiting for it',
    [...ASK, ELECTION, option('--to <node>', 'who is to be master next')],
    async () => (await import('./commands/hand-over.ts')).transfer,
  );
  add(
    'permissions',
    'print the NATS permissions of a node',
    [CONFIG, GROUP, option('--node <name>', 'the node', 'SYNOD_NODE'), KIND, JSON_OUTPUT],
    async () => (await import('./commands/permissions.ts')).permissions,
  );
  add(
    'doctor',
    'look at what a node depends on, with its own credentials: server, permissions, members',
    [...ASK.filter(({ long }) => long !== '--as'), option('--node <name>', 'the node', 'SYNOD_NODE'), KIND],
    async () => (await import('./commands/doctor.ts')).doctor,
  );
  add(
    'demo',
    'watch three processes elect a master through every kind of failure, on a server of its own',
    [
      option('--keep', 'leave the group running at the end'),
      option('--picture <file>', 'draw what was seen into this SVG file'),
      option('--lease-ms <ms>', 'length of a lease (default: 1000)', 'SYNOD_LEASE_MS'),
    ],
    async () => (await import('./commands/demo.ts')).demo,
  );

  try {
    if (argv.length === 0) {
      program.outputHelp({ error: true });
      return EXIT.usage;
    }
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    // Commander has said what there is to say.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.yes : EXIT.usage;
    return explain(error, terminal);
  }
}

async function withFile(program: CommanderCommand, command: CommanderCommand, given: Flags): Promise<Flags> {
  const path = given['config'];
  if (typeof path !== 'string' || path === '') return given;
  const { nameOf, withConfigFile } = await import('./config-file.ts');
  const known = program.commands.flatMap(({ options }) => options.map(nameOf));
  return withConfigFile(command, path, new Set(known));
}

async function explain(error: unknown, { say, paintSay }: Terminal): Promise<number> {
  const { exitOf } = await import('./failure.ts');
  const { code, lines } = exitOf(error);
  for (const line of lines) say(`${paintSay('red', 'synod:')} ${line}`);
  return code;
}

function version(): string {
  // Beside `src` and `dist` alike.
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
