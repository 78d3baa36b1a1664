// Schemas as values: for tools and tests. What runs imports their types, and the checks that were made of them.
export { adminAnswerSchema } from './admin.ts';
export { electionStateSchema, eventHeadersSchema, masterEventSchema } from './events.ts';
export { serviceAnswerSchema } from './service.ts';
export { whoisAnswerSchema, whoisRequestSchema } from './whois.ts';
