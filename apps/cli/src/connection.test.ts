import { expect, it } from 'vitest';
import { connectOnce, natsProblems, withoutUser } from './connection.ts';
import { EXIT } from './exit.ts';

it('knows a URL of a server from what is none', () => {
  const servers = ['nats://a:4222', 'a', 'a:4222', '127.0.0.1', 'tls://a', 'nats://user:p%40ss@a:4222'];
  expect(natsProblems({ servers })).toEqual([]);
  expect(natsProblems({ servers: ['nats://a b'], creds: '/nowhere' })).toEqual([
    '--nats-url (or NATS_URL): "nats://a b" is no URL of a NATS server',
    '--nats-creds (or NATS_CREDS): the file /nowhere cannot be read',
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
