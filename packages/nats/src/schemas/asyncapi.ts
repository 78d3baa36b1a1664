import { NAME_PATTERN } from '@synod/protocol';
import { SERVICE_TEMPLATES, SERVICE_VERBS, subjectTemplate } from '../subjects.ts';
import { adminAnswerSchema } from './admin.ts';
import { eventHeadersSchema, masterEventSchema } from './events.ts';
import { serviceAnswerSchema } from './service.ts';
import { whoisAnswerSchema, whoisRequestSchema } from './whois.ts';

/**
 * The public subjects of a group as an AsyncAPI 3 document, from a member's point of view: what it sends, what it answers. Made
 * of the schemas that every message is checked by, so it cannot say anything else.
 *
 * @param version - Of the package.
 */
export const asyncApi = (version: string): object => ({
  asyncapi: '3.0.0',
  info: {
    title: 'Synod: the public subjects of a group',
    version,
    description:
      'Who is master of an election, as the members of a group tell it over NATS. News, not a licence: what acts as master ' +
      'sends its term with each write, and the resource refuses a lower one.',
    license: { name: 'MIT' },
  },
  defaultContentType: 'application/json',
  channels: {
    events: {
      address: subjectTemplate('event', '{election}', 'node'),
      description:
        'Changes of mastership, CloudEvents 1.0 in structured JSON. Every member publishes what it applied, under the same id. ' +
        'Where the server has JetStream, the stream SYNOD_EVENTS keeps them.',
      parameters: { group, election, node: sender },
      messages: { masterEvent: { $ref: '#/components/messages/masterEvent' } },
    },
    whois: {
      address: subjectTemplate('whois', 'all', 'node'),
      description: 'Asks every member who is master; the asker takes the answer of the highest version.',
      parameters: { group, node: sender },
      messages: { whoisRequest: { $ref: '#/components/messages/whoisRequest' } },
    },
    health: {
      address: subjectTemplate('whois', '{member}', 'node'),
      description: 'Asks one member, a `synod serve`, how it is: what its health check does.',
      parameters: { group, member: named('Who is asked'), node: sender },
      messages: { healthRequest: { $ref: '#/components/messages/healthRequest' } },
    },
    admin: {
      address: subjectTemplate('admin', '{action}', 'node'),
      description: 'Requests of operators. Who may ask is settled by the permissions of NATS.',
      parameters: { group, action: { description: 'What is asked for: `status`, `resign` …' }, node: sender },
      messages: { adminRequest: { $ref: '#/components/messages/adminRequest' } },
    },
    ...Object.fromEntries(
      SERVICE_TEMPLATES.map((address, index) => [
        services[index]?.channel,
        {
          address,
          description:
            'The micro-service protocol of NATS (ADR-32), which members and candidates answer by the name synod.',
          parameters: {
            verb: { description: 'What is asked for', enum: SERVICE_VERBS },
            ...(address.includes('{id}') ? { id: { description: 'One life of one node' } } : {}),
          },
          messages: { serviceRequest: { $ref: '#/components/messages/serviceRequest' } },
        },
      ]),
    ),
    answers: {
      address: null,
      description: 'The reply subject of NATS that the asker names.',
      messages: {
        whoisAnswer: { $ref: '#/components/messages/whoisAnswer' },
        adminAnswer: { $ref: '#/components/messages/adminAnswer' },
        serviceAnswer: { $ref: '#/components/messages/serviceAnswer' },
      },
    },
  },
  operations: {
    tellChange: {
      action: 'send',
      channel: { $ref: '#/channels/events' },
      messages: [{ $ref: '#/channels/events/messages/masterEvent' }],
    },
    answerWhois: answering('whois', 'whoisRequest', 'whoisAnswer'),
    answerHealth: answering('health', 'healthRequest', 'adminAnswer'),
    answerAdmin: answering('admin', 'adminRequest', 'adminAnswer'),
    ...Object.fromEntries(
      services.map(({ channel, operation }) => [operation, answering(channel, 'serviceRequest', 'serviceAnswer')]),
    ),
  },
  components: {
    messages: {
      masterEvent: {
        title: 'A change of mastership',
        contentType: 'application/cloudevents+json',
        headers: plain(eventHeadersSchema),
        payload: plain(masterEventSchema),
      },
      whoisRequest: { title: 'Who is master?', payload: plain(whoisRequestSchema) },
      whoisAnswer: { title: "One member's view of the masterships", payload: plain(whoisAnswerSchema) },
      healthRequest: { title: 'How is it?', payload: { description: 'JSON that is not looked at.' } },
      adminRequest: { title: 'What an operator asks of a member', payload: { description: 'Depends on the action.' } },
      adminAnswer: { title: 'What a member answers an operator, or how it is', payload: plain(adminAnswerSchema) },
      serviceRequest: {
        title: 'Which services are there, and how are they?',
        payload: { description: 'Not looked at.' },
      },
      serviceAnswer: { title: 'What a member or candidate tells of itself', payload: plain(serviceAnswerSchema) },
    },
  },
});

/** By how much a question narrows the services down. */
const services = [
  { channel: 'allServices', operation: 'answerAllServices' },
  { channel: 'synodServices', operation: 'answerSynodServices' },
  { channel: 'synodService', operation: 'answerSynodService' },
] as const;

const named = (what: string) => ({ description: `${what}. Matches \`${NAME_PATTERN}\`.` });
const group = named('The nodes that elect one master together');
const election = named("One of the group's masterships; its own is `group`");
const sender = named('Who sends: permissions of NATS pin it');

const answering = (channel: string, request: string, answer: string) => ({
  action: 'receive',
  channel: { $ref: `#/channels/${channel}` },
  messages: [{ $ref: `#/channels/${channel}/messages/${request}` }],
  reply: {
    address: { location: '$message.header#/reply', description: 'An inbox of the asker' },
    channel: { $ref: '#/channels/answers' },
    messages: [{ $ref: `#/channels/answers/messages/${answer}` }],
  },
});

/** A schema of TypeBox is JSON Schema, and symbols that JSON leaves out. */
function plain(schema: object): object {
  return JSON.parse(JSON.stringify(schema)) as object;
}
