import { commandId } from '@synod/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeMasterCommand, encodeMasterCommand, type MasterCommand } from './commands.ts';

/** What a node elsewhere reads. */
const readElsewhere = (body: Uint8Array): MasterCommand | null => decodeMasterCommand(Uint8Array.from(body));

/** Not -0: no position is, and it compares as 0. */
const number = fc.oneof(fc.nat(), fc.integer(), fc.double()).map((n) => n + 0);
const name = fc.oneof(fc.constantFrom('group', 'n1'), fc.string());
const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constant('\ud800'));
const metadata = fc.oneof(fc.dictionary(text, text), fc.constant(JSON.parse('{"__proto__": "x"}') as object));
const holder = fc.option(fc.record({ session: number, version: number }));
const take = fc.record({ election: name, expectedVersion: number, holder, metadata });
const commands = fc.oneof(
  fc.record({
    type: fc.constant('open'),
    node: name,
    incarnation: name,
    leaseMs: fc.oneof(fc.constant(1000), number),
    take: fc.option(take),
  }),
  fc.record({ type: fc.constant('renew'), session: number, expectedVersion: number, leaseMs: fc.constant(1000) }),
  fc.tuple(take, fc.nat()).map(([asked, session]) => ({ type: 'beMaster', session, ...asked })),
  fc.record({ type: fc.constant('resign'), election: name, session: number, term: number }),
  fc.record({ type: fc.constant('transfer'), election: name, session: number, term: number, to: number, metadata }),
  fc.record({ type: fc.constantFrom('end', 'expire'), session: number, expectedVersion: number }),
) as fc.Arbitrary<MasterCommand>;

describe('a command of the fold', () => {
  it('is to its writer what it is to everybody else (N1)', () => {
    fc.assert(
      fc.property(commands, (command) => {
        const { body } = encodeMasterCommand(commandId('a', 1), command);
        expect(decodeMasterCommand(body)).toEqual(readElsewhere(body));
      }),
      { numRuns: 1_000 },
    );
  });

  it('does not change with the metadata it was made of', () => {
    const mine: Record<string, string> = { zone: 'a' };
    const take = { election: 'group', expectedVersion: 0, holder: null, metadata: mine };
    const { body } = encodeMasterCommand('a/1', { type: 'beMaster', session: 1, ...take });
    mine['zone'] = 'b';
    expect(decodeMasterCommand(body)).toMatchObject({ metadata: { zone: 'a' } });
  });
});
