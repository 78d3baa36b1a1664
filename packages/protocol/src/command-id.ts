/** `<incarnation>/<number>`: never sent with other content. */
export type CommandId = string;

export const COMMAND_ID_PATTERN = '^[A-Za-z0-9_-]{1,64}/(0|[1-9][0-9]{0,15})$';

export const commandId = (incarnation: string, number: number): CommandId => `${incarnation}/${number}`;

/** The incarnation that made the command (T3: only it may hold by it). */
export const incarnationOf = (id: CommandId): string => id.slice(0, id.indexOf('/'));
