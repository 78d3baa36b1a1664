import type { NatsServer } from '@synod/cli/internal';
import { type NatsPermissions, type PermissionsOptions, permissionsOf, probePermissions } from '@synod/nats';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Processes } from '../apps/processes.ts';
import { cleanups, clients } from '../nats/support.ts';
import { startGuarded, type User, userOf } from './accounts.ts';

const kinds = ['member', 'candidate', 'observer', 'operator'] as const;
type Kind = PermissionsOptions['kind'];

/** A user who lacks one rule of its kind, and the rule. */
interface Lacking {
  readonly kind: Kind;
  readonly rule: string;
  readonly user: User;
}

/** One for each rule of each kind. */
const lacking: readonly Lacking[] = kinds.flatMap((kind) => {
  const node = 'n1';
  const all = permissionsOf({ group: 'orders', node, kind });
  const without = (rules: readonly string[], rule: string) => rules.filter((each) => each !== rule);
  const made = (rule: string, change: (rules: NatsPermissions) => NatsPermissions) => (index: number) => ({
    kind,
    rule,
    user: userOf(node, kind, { name: `${kind}-${index}`, change }),
  });
  return [
    ...all.publish.allow.map((rule) =>
      made(`publish allow "${rule}"`, (rules) => ({
        ...rules,
        // A list that is empty allows everything.
        publish: { ...rules.publish, allow: ['nothing', ...without(rules.publish.allow, rule)] },
      })),
    ),
    ...all.subscribe.allow.map((rule) =>
      made(`subscribe allow "${rule}"`, (rules) => ({
        ...rules,
        subscribe: { allow: ['nothing', ...without(rules.subscribe.allow, rule)] },
      })),
    ),
  ].map((make, index) => make(index));
});

/** Users who may answer wherever they are asked to. */
const responding = kinds.map((kind): User => {
  const { permissions } = userOf('n1', kind);
  return { user: `${kind}-responding`, permissions: { ...permissions, allow_responses: true } };
});

let server: NatsServer;
beforeAll(async () => {
  const whole = kinds.map((kind) => userOf('n1', kind, { name: kind }));
  const others = [...responding, { user: 'anybody' }];
  server = await startGuarded([...whole, ...lacking.map(({ user }) => user), ...others], { jetstream: true });
});
afterAll(() => server?.stop());

describe.each(clients)('probePermissions over %s', (_client, connect) => {
  const after = cleanups();
  afterEach(after.run);

  async function probe(user: string, kind: Kind) {
    const connection = await connect(server.url, { user, pass: 'x' });
    after.add(() => connection.close());
    const findings = await probePermissions(connection, { group: 'orders', node: 'n1', kind });
    return findings.filter(({ state }) => state !== 'granted').map(({ rule, state }) => `${state} ${rule}`);
  }

  it.each(kinds)('finds nothing amiss with the rules of a %s', async (kind) => {
    expect(await probe(kind, kind)).toEqual([]);
  });

  it.each(lacking)('names the rule that a $kind lacks: $rule', async ({ kind, rule, user }) => {
    expect(await probe(user.user, kind)).toEqual([`missing ${rule}`]);
  });

  it.each(kinds)('tells that a %s could speak as another, by answering where a message tells it to', async (kind) => {
    expect(await probe(`${kind}-responding`, kind)).toEqual(['excess no allow_responses']);
  });

  it('tells what a user may do beyond its part', async () => {
    expect(await probe('anybody', 'observer')).toEqual([
      'excess publish deny "synod.orders.admin.*.from.n1"',
      'excess publish deny "synod.orders.event.*.from.n1"',
      'excess publish allow nothing from others than "n1"',
    ]);
    expect(await probe('member', 'operator')).toEqual([
      'missing publish allow "synod.orders.*.*.from.n1"',
      'excess publish deny "synod.orders.event.*.from.n1"',
    ]);
  });
});

describe('synod doctor', () => {
  const processes = new Processes();
  afterEach(() => processes.endAll());

  const doctor = (user: string, ...more: string[]) => {
    const url = server.url.replace('nats://', `nats://${user}:x@`);
    const args = ['doctor', '--group', 'orders', '--node', 'n1', '--nats-url', url, '--timeout-ms', '2000'];
    return processes.synod([...args, ...more]);
  };

  it('exit 0 for a user who has what its part needs', async () => {
    const { code, stdout, stderr } = await doctor('member');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('publish allow "synod.orders.*.*.from.n1"');
    expect(stdout).toMatch(/^ok +connection +nats-server \d/m);
    expect(stdout).not.toContain('wrong');
  });

  it('exit 77, and the rule by name, for one who has not; and how to get it', async () => {
    const pinned = 'publish allow "synod.orders.*.*.from.n1"';
    const user = lacking.find(({ kind, rule }) => kind === 'member' && rule === pinned)?.user.user as string;
    const { code, stdout, stderr } = await doctor(user);
    expect(code).toBe(77);
    expect(stdout).toContain(`missing: ${pinned}`);
    expect(stderr).toContain('synod permissions --group orders --node n1 --kind member');
  });

  it('notes a user who may speak as anybody, as JSON too', async () => {
    const { code, stdout } = await doctor('anybody', '--kind', 'observer', '--json');
    expect(code).toBe(0);
    const { findings } = JSON.parse(stdout);
    expect(findings).toContainEqual({
      what: 'permission',
      state: 'note',
      detail: expect.stringContaining('not kept: publish allow nothing from others than "n1"'),
    });
  });
});
