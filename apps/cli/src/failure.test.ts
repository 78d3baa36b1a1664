import { ClosedError, ConfigError, NodeIdInUseError, NoQuorumError, PermissionError, TimeoutError } from 'synod';
import { expect, it } from 'vitest';
import { CommandError, EXIT } from './exit.ts';
import { exitOf } from './failure.ts';

const named = (name: string, message: string): Error => Object.assign(new Error(message), { name });

it.each([
  [new CommandError(EXIT.no, 'nobody'), 1, ['nobody']],
  [new NoQuorumError('1 of 3'), 69, ['1 of 3']],
  [new TimeoutError('late'), 75, ['late']],
  [new PermissionError('no', { hint: 'Ask' }), 77, ['no. Ask']],
  [named('AuthorizationError', 'Authorization Violation'), 77, ['NATS refuses this user: Authorization Violation']],
  [new ConfigError(['a', 'b']), 78, ['a', 'b']],
  [new NodeIdInUseError('twice'), 78, ['twice']],
  [new ClosedError('over'), 70, ['over']],
])('%s ends a command with %i', (error, code, lines) => {
  expect(exitOf(error)).toEqual({ code, lines });
});

it('shows the trace of what nobody expected', () => {
  const { code, lines } = exitOf(new TypeError('undefined is not a function'));
  expect(code).toBe(70);
  expect(lines[0]).toContain('failure.test.ts');
});
