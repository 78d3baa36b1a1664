import { countSchema, nameSchema } from '@synod/protocol/schemas';
import Type, { type Static } from 'typebox';

const identity = {
  name: Type.Literal('synod'),
  /** One life of one node. */
  id: nameSchema,
  version: Type.String(),
  /** Of this moment. `master` is empty and `term` 0 while nobody is known to be master of the group's own election. */
  metadata: Type.Object({
    group: nameSchema,
    node: nameSchema,
    role: Type.String(),
    master: Type.String(),
    term: Type.String(),
  }),
};

const endpoint = { name: Type.Literal('whois'), subject: Type.String(), queue_group: Type.Literal('') };

/** What a member or candidate answers by the micro-service protocol of NATS (ADR-32); the one endpoint, at members, is whois. */
export const serviceAnswerSchema = Type.Union([
  Type.Object({ type: Type.Literal('io.nats.micro.v1.ping_response'), ...identity }),
  Type.Object({
    type: Type.Literal('io.nats.micro.v1.info_response'),
    ...identity,
    description: Type.String(),
    endpoints: Type.Array(Type.Object(endpoint)),
  }),
  Type.Object({
    type: Type.Literal('io.nats.micro.v1.stats_response'),
    ...identity,
    started: Type.String(),
    endpoints: Type.Array(
      Type.Object({
        ...endpoint,
        num_requests: countSchema,
        num_errors: countSchema,
        last_error: Type.String(),
        /** Nanoseconds, as the next one. */
        processing_time: countSchema,
        average_processing_time: countSchema,
      }),
    ),
  }),
]);

export type ServiceAnswer = Static<typeof serviceAnswerSchema>;
