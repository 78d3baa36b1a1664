import { packInto, unpack } from './msgpack.ts';
import { Recent } from './recent.ts';
import type { Command } from './schemas/command.ts';
import { Slab } from './slab.ts';
import { isCommand } from './validators.generated.ts';

/** What a slot holds: a batch of commands in a frame. The empty value is a no-op and takes no position. */
export type Value = Uint8Array;

export const NO_OP: Value = new Uint8Array(0);

/** A batch is closed when it holds this much, bytes (B3). */
export const MAX_BATCH_BYTES = 256 * 1024;

/** A larger command is refused at its proposer: it must fit a batch, and the batch a message. */
export const MAX_COMMAND_BYTES = MAX_BATCH_BYTES - 1024;

/**
 * No message is larger, bytes: a batch, and what stands around it. Of several values in one message all together have no more
 * than a batch may have: a bus that carries an Accept carries all that is ever told of it (P4, N2).
 */
export const MAX_MESSAGE_BYTES = MAX_BATCH_BYTES + 16 * 1024;

const HEADER_BYTES = 4;

/** What a command adds to a batch, bytes, no less. */
export const commandBytes = (command: Command): number =>
  command.body.byteLength + command.id.length + command.machine.length + 16;

/**
 * A value is decoded when it is asked for, when it is proposed and when it is chosen, and by several nodes where they live in one
 * process: the same bytes are read once, and not at all by whoever wrote them. As many as the window is wide.
 */
const decoded = new Recent<Value, readonly (Command | null)[]>(32);

/** Values are kept until a checkpoint, and all of them go then. */
const values = new Slab(8 * 1024);

/**
 * Frame of a batch: count of commands (u32, big endian), then the commands. The count stands outside the encoding, so that a
 * batch nobody can decode still advances the position by the same number at every node (protocol.md, "position").
 */
export function encodeBatch(commands: readonly Command[]): Value {
  if (commands.length === 0) return NO_OP;
  const rows = commands.map(({ id, machine, body }) => [id, machine, body]);
  const value = packInto(values, rows, HEADER_BYTES);
  new DataView(value.buffer, value.byteOffset).setUint32(0, commands.length);
  // What passes this check comes out of the bytes as it went in.
  if (commands.every(isCommand)) decoded.set(value, [...commands]);
  return value;
}

/** The most positions a batch may claim: what could stand in the largest batch. A larger claim is no frame. */
const MAX_COMMANDS = 65_536;

/** Number of positions the value takes, readable or not. */
export function batchCount(value: Value): number {
  if (value.byteLength < HEADER_BYTES) return 0;
  const count = new DataView(value.buffer, value.byteOffset).getUint32(0);
  return count <= MAX_COMMANDS ? count : 0;
}

/**
 * The commands of a value in order, `null` for each that cannot be read. A deterministic function of the bytes: every node
 * refuses the same commands (N1).
 */
export function decodeBatch(value: Value): readonly (Command | null)[] {
  let commands = decoded.get(value);
  if (commands === undefined) {
    commands = readBatch(value);
    decoded.set(value, commands);
  }
  return commands;
}

function readBatch(value: Value): readonly (Command | null)[] {
  const count = batchCount(value);
  if (count === 0) return [];
  const unreadable = () => new Array<null>(count).fill(null);
  const decoded = unpack(value.subarray(HEADER_BYTES));
  if (!Array.isArray(decoded) || decoded.length !== count) return unreadable();
  return decoded.map((entry): Command | null => {
    if (!Array.isArray(entry) || entry.length !== 3) return null;
    const command = { id: entry[0], machine: entry[1], body: entry[2] };
    return isCommand(command) ? command : null;
  });
}
