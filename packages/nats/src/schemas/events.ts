import { causeSchema, countSchema, leaseMsSchema, metadataSchema, nameSchema } from '@synod/protocol/schemas';
import Type, { type Static } from 'typebox';

const dataFields = {
  group: nameSchema,
  election: nameSchema,
  /** Of the present mastership, or of the last one while there is none: the fencing token. */
  term: countSchema,
  /** Position of the command that made it so. Of two statements about an election the higher version is the present. */
  version: countSchema,
  /** Why the mastership before ended. */
  cause: causeSchema,
  current: Type.Union([Type.Object({ node: nameSchema, metadata: metadataSchema }), Type.Null()]),
  /** Master before, as far as the teller knows. */
  previous: Type.Union([Type.Object({ node: nameSchema, term: countSchema }), Type.Null()]),
  /** Of the present master's session; `null` while there is none. */
  leaseMs: Type.Union([leaseMsSchema, Type.Null()]),
};

/** What is public of one election at one version: data of an event, and part of an answer to whois. */
export const electionStateSchema = Type.Object(dataFields);
export type ElectionState = Readonly<Static<typeof electionStateSchema>>;

const typeSchema = Type.Union([
  Type.Literal('synod.master.elected.v1'),
  Type.Literal('synod.master.resigned.v1'),
  Type.Literal('synod.master.expired.v1'),
  Type.Literal('synod.master.transferred.v1'),
]);
export type MasterEventType = Static<typeof typeSchema>;

/**
 * A change of mastership as CloudEvents 1.0, structured JSON. Unknown attributes are allowed, as CloudEvents demands.
 * This schema is the only definition of the public format.
 */
export const masterEventSchema = Type.Object({
  specversion: Type.Literal('1.0'),
  type: typeSchema,
  /** `synod://<group>/<node that published it>`. */
  source: Type.String({ maxLength: 256 }),
  /** The election. */
  subject: nameSchema,
  /** `<group>/<election>/<type>/<version>`: the same at every member, so that repeats can be dropped. */
  id: Type.String({ maxLength: 256 }),
  time: Type.String({ maxLength: 64 }),
  datacontenttype: Type.Literal('application/json'),
  data: electionStateSchema,
});
export type MasterEvent = Readonly<Static<typeof masterEventSchema>>;

/** Headers of the message that carries an event, where the server takes any. */
export const eventHeadersSchema = Type.Object({
  /** The event's id: JetStream keeps the first message of it. */
  'Nats-Msg-Id': Type.Optional(masterEventSchema.properties.id),
});
