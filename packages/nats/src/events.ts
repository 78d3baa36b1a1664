import {
  type Cause,
  countSchema,
  leaseMsSchema,
  type MasterRecord,
  metadataSchema,
  type NodeId,
  nameSchema,
  recordSchema,
  type Session,
} from '@synod/protocol';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { parseJson } from './json.ts';

const dataFields = {
  group: nameSchema,
  election: nameSchema,
  /** Of the present mastership, or of the last one while there is none: the fencing token. */
  term: countSchema,
  /** Position of the command that made it so. Of two statements about an election the higher version is the present. */
  version: countSchema,
  /** Why the mastership before ended. */
  cause: recordSchema.properties.cause,
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

const eventCheck = Compile(masterEventSchema);

/** A record as the fold had it and as it has it now. */
export interface RecordChange {
  readonly group: string;
  /** Node that tells: the source of the events. */
  readonly node: NodeId;
  /**
   * The record at the version just before. `null` where it is not known, as after a snapshot: then nothing is said of how
   * the mastership before it ended.
   */
  readonly previous: MasterRecord | null;
  readonly next: MasterRecord;
  /** Session of the new master, if there is one. */
  readonly session: Session | null;
  /** Wall clock, milliseconds since 1970. */
  readonly timeMs: number;
}

/**
 * The events of one change of a record, in the order to publish them. A BeMaster that ended its holder's session is two at
 * one version, `expired` and then `elected`. Events of one version carry the same data: whichever of them a consumer sees
 * last, it knows the present.
 */
export function eventsOf(change: RecordChange): MasterEvent[] {
  const { group, node, previous, next, session, timeMs } = change;
  if (next.version === 0 || next.version <= (previous?.version ?? 0)) return [];
  const data = electionState(group, next, session, previous);
  const isSameMaster = previous !== null && previous.master === next.master && previous.term === next.term;
  if (isSameMaster) return [];
  const names: EventName[] = [endOrBeginning(next.master !== null, next.cause)];
  const tookFromHolder = previous !== null && previous.master !== null && next.master !== null;
  if (tookFromHolder && next.cause === 'expired') names.unshift('expired');
  return names.map((name) => eventOf(name, data, node, timeMs));
}

/** What is public of a record. `session` is that of its master; `previous` the record before, where it is known. */
export function electionState(
  group: string,
  record: MasterRecord,
  session: Session | null,
  previous: MasterRecord | null = null,
): ElectionState {
  const isHeld = record.master !== null && record.node !== '';
  // A free record still names the master it had last; a held one names only the present.
  const before = isHeld ? previous : record;
  return {
    group,
    election: record.election,
    term: record.term,
    version: record.version,
    cause: record.cause,
    current: isHeld ? { node: record.node, metadata: record.metadata } : null,
    previous: before && before.node !== '' ? { node: before.node, term: before.term } : null,
    leaseMs: isHeld ? (session?.leaseMs ?? null) : null,
  };
}

/** The event that tells a state that was asked for, not seen happen. */
export const eventOfState = (state: ElectionState, node: NodeId, timeMs: number): MasterEvent =>
  eventOf(endOrBeginning(state.current !== null, state.cause), state, node, timeMs);

/** For the payload of a message. */
export const encodeEvent = (event: MasterEvent): Uint8Array => new TextEncoder().encode(JSON.stringify(event));

/**
 * Reads and checks an event. `null` for whatever is not one, an event that contradicts itself included; never throws:
 * input is anybody's (fault 39).
 */
export function parseEvent(payload: Uint8Array): MasterEvent | null {
  const event = parseJson(payload);
  if (!eventCheck.Check(event)) return null;
  const { id, type, subject, source, data } = event;
  const isConsistent =
    subject === data.election && id === eventId(nameOf(type), data) && source.startsWith(sourceOf(data.group, ''));
  return isConsistent ? event : null;
}

/** Who tells an event. What a message says of it must agree with its subject, which NATS pins (I4). */
export const sourceOf = (group: string, node: NodeId): string => `synod://${group}/${node}`;

type EventName = 'elected' | 'resigned' | 'expired' | 'transferred';

const nameOf = (type: MasterEventType): EventName => type.split('.')[2] as EventName;

const eventId = (name: EventName, data: ElectionState): string =>
  `${data.group}/${data.election}/${name}/${data.version}`;

/** A holder that ends its session has stopped of its own will: `resigned`, with the cause to tell which. */
function endOrBeginning(isHeld: boolean, cause: Cause): EventName {
  if (isHeld) return cause === 'transferred' ? 'transferred' : 'elected';
  return cause === 'expired' ? 'expired' : 'resigned';
}

const eventOf = (name: EventName, data: ElectionState, node: NodeId, timeMs: number): MasterEvent => ({
  specversion: '1.0',
  type: `synod.master.${name}.v1`,
  source: sourceOf(data.group, node),
  subject: data.election,
  id: eventId(name, data),
  time: new Date(timeMs).toISOString(),
  datacontenttype: 'application/json',
  data,
});
