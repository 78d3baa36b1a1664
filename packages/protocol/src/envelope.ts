import { pack, unpack } from './msgpack.ts';
import type { Incarnation } from './node-id.ts';
import type { Message, Store } from './schemas/messages.ts';
import { isEnvelopeHead, messageValidators } from './validators.generated.ts';

/** Major version of the wire format. Another one is dropped and counted. */
export const WIRE_VERSION = 1;

/** What stands around every message between nodes. */
export interface Envelope {
  /** Digest of the newest configuration applied at the sender; empty while it knows none (I3). */
  readonly config: string;
  /** Which life of the sender speaks (I1). */
  readonly incarnation: Incarnation;
  /** With which store the sender votes, and how often it has been opened (I2). None where there is no journal. */
  readonly store?: Store;
  readonly message: Message;
}

/** Why a payload was dropped: the label of a counter. */
export type DropReason = 'malformed' | 'version' | 'unknown-kind' | 'invalid' | 'stranger' | 'too-large';

export type Decoded =
  | { readonly envelope: Envelope; readonly dropped?: never }
  | { readonly dropped: DropReason; readonly envelope?: never };

const checks = new Map(Object.entries(messageValidators));

export const encodeEnvelope = (envelope: Envelope): Uint8Array =>
  pack({
    v: WIRE_VERSION,
    kind: envelope.message.type,
    config: envelope.config,
    inc: envelope.incarnation,
    ...(envelope.store ? { store: envelope.store } : {}),
    m: envelope.message,
  });

/** Decodes and checks. Never throws: bad input is dropped with a reason, unknown fields are ignored (fault 39). */
export function decodeEnvelope(payload: Uint8Array): Decoded {
  const data = unpack(payload);
  if (!isEnvelopeHead(data)) return { dropped: 'malformed' };
  if (data.v !== WIRE_VERSION) return { dropped: 'version' };
  const check = checks.get(data.kind);
  if (!check) return { dropped: 'unknown-kind' };
  const message = data.m as { type?: unknown };
  if (message.type !== data.kind || !isChecked(check, message)) return { dropped: 'invalid' };
  const envelope = { config: data.config, incarnation: data.inc, message: message as Message };
  return { envelope: data.store ? { ...envelope, store: data.store } : envelope };
}

/** A check may run into a hostile getter-free but deep structure: whatever it throws is a refusal. */
function isChecked(check: (value: unknown) => boolean, value: unknown): boolean {
  try {
    return check(value);
  } catch {
    return false;
  }
}
