import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchCount, decodeBatch, encodeBatch } from './command.ts';
import { commandId } from './command-id.ts';
import type { Command } from './schemas/command.ts';

/** Bytes as they come from elsewhere: nobody here wrote them. */
const fromElsewhere = (value: Uint8Array): Uint8Array => Uint8Array.from(value);

const body = fc.uint8Array({ maxLength: 300 });
const anId = fc.nat().map((number) => commandId('a', number));
const sound = fc.record({ id: anId, machine: fc.constantFrom('master', 'kv'), body });
const odd = fc.record({ id: fc.oneof(anId, fc.string()), machine: fc.oneof(fc.string(), fc.constant('kv')), body });

describe('a batch', () => {
  it('is to its writer what it is to everybody else (N1)', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(sound, odd), { maxLength: 8 }), (commands) => {
        const value = encodeBatch(commands);
        const read = decodeBatch(fromElsewhere(value));
        expect(read.length).toBe(batchCount(value));
        expect(plain(decodeBatch(value))).toEqual(plain(read));
      }),
    );
  });

  it('stays what it was when the list it was made of changes', () => {
    const commands: Command[] = [{ id: 'a/1', machine: 'kv', body: new Uint8Array([1]) }];
    const value = encodeBatch(commands);
    commands.length = 0;
    expect(decodeBatch(value).map((command) => command?.id)).toEqual(['a/1']);
  });
});

/** Bytes are compared as bytes, whatever kind of array holds them. */
const plain = (commands: readonly (Command | null)[]): unknown[] =>
  commands.map((command) => command && { ...command, body: [...command.body] });
