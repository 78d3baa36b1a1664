import { expect, it } from 'vitest';
import { connectOnce, natsProblems, withoutUser } from './connection.ts';
import { EXIT } from './exit.ts';

it('knows a URL of a server from what is none', () => {
  const servers = ['nats://a:4222', 'a', 'a:4222', '127.0.0.1', 'tls://a', 'nats://user:p%40ss@a:4222'];
  expect(natsProblems({ servers })).toEqual([]);
  // Of the last two: a kind of connection that is not made, and a user that is none.
  const wrong = ['nats://a b', 'wss://a', 'nats://%zz:x@a'];
  expect(natsProblems({ servers: wrong, creds: '/nowhere' })).toEqual([
    ...wrong.map((server) => `--nats-url (or NATS_URL): "${server}" is no URL of a NATS server`),
    '--nats-creds (or NATS_CREDS): the file /nowhere cannot be read',
  ]);
  expect(natsProblems({ servers, creds: import.meta.filename })).toEqual([
    `--nats-creds (or NATS_CREDS): the file ${import.meta.filename} holds no credentials`,
  ]);
});

it('shows no password', async () => {
  expect(withoutUser('nats://user:secret@a:4222')).toBe('nats://a:4222');
  expect(withoutUser('nats://token@a:4222')).toBe('nats://a:4222');
  expect(withoutUser('a:4222')).toBe('a:4222');
  // Port 1 of this machine: nobody listens there.
  const error = await connectOnce({ servers: ['nats://user:secret@127.0.0.1:1'] }, 1000).catch((e: Error) => e);
  expect(error).toMatchObject({ exitCode: EXIT.unavailable, message: expect.not.stringContaining('secret') });
});
