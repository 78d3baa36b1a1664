// Schemas as values: for tools and tests. What runs imports their types, and the checks that were made of them.
export { adminAnswerSchema } from './admin.ts';
export { electionStateSchema, masterEventSchema } from './events.ts';
export { whoisAnswerSchema, whoisRequestSchema } from './whois.ts';
