import type { Cause, MasterRecord, NodeId, Session } from '@synod/protocol';
import { parseJson } from './json.ts';
import type { ElectionState, MasterEvent, MasterEventType } from './schemas/events.ts';
import { isMasterEvent } from './validators.generated.ts';

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
  if (!isMasterEvent(event)) return null;
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
