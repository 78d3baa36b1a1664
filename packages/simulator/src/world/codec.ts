import { type Codec, type Decoded, type Envelope, type JournalRecord, wireCodec } from '@synod/protocol';

/**
 * What a message or record is on its way: not bytes, but the very object. Neither bus nor disk of the simulator looks inside;
 * both ask for a length at most.
 */
class Sealed {
  readonly byteLength = 64;
  readonly length = 64;
  readonly content: unknown;

  constructor(content: unknown) {
    this.content = content;
  }
}

const seal = (content: unknown): Uint8Array => new Sealed(content) as unknown as Uint8Array;

/** Lets the world see what goes over its ports. */
export interface SeeingCodec extends Codec {
  envelopeIn(payload: Uint8Array): Envelope | null;
  recordIn(data: Uint8Array): JournalRecord | null;
}

/** Hands on what it was given: reading the same bytes at every node is most of a simulation's work. */
export const sealingCodec: SeeingCodec = {
  encodeEnvelope: (envelope) => seal({ envelope } satisfies Decoded),
  decodeEnvelope: (payload) =>
    payload instanceof Sealed ? (payload.content as Decoded) : wireCodec.decodeEnvelope(payload),
  encodeRecord: seal,
  decodeRecord: (data) => (data instanceof Sealed ? (data.content as JournalRecord) : wireCodec.decodeRecord(data)),
  envelopeIn: (payload) => (payload instanceof Sealed ? ((payload.content as Decoded).envelope ?? null) : null),
  recordIn: (data) => (data instanceof Sealed ? (data.content as JournalRecord) : null),
};

/** The wire's own, byte for byte. A run must not differ by it. */
export const seeingWireCodec: SeeingCodec = {
  ...wireCodec,
  envelopeIn: (payload) => wireCodec.decodeEnvelope(payload).envelope ?? null,
  recordIn: wireCodec.decodeRecord,
};
