import { InvariantError } from '@synod/protocol';
import { describe, expect, it } from 'vitest';
import {
  EVENT_STREAM_SUBJECTS,
  hearings,
  isSynodSubject,
  noRespondersSubjectOf,
  parseSubject,
  patternOf,
  sayings,
  subjectOf,
} from './subjects.ts';

describe('subjects', () => {
  it('spells and reads one shape of six tokens', () => {
    const subject = subjectOf('orders', { role: 'acceptor', to: 'n2' }, 'n1');
    expect(subject).toBe('synod.orders.acceptor.n2.from.n1');
    expect(parseSubject(subject)).toEqual({ group: 'orders', to: { role: 'acceptor', to: 'n2' }, from: 'n1' });
    expect(subjectOf('orders', { role: 'learner', to: 'all' }, 'n1')).toBe('synod.orders.learner.all.from.n1');
    expect(noRespondersSubjectOf('orders', { role: 'log', to: 'append' }, 'web-7')).toBe(
      'synod.orders.no-log.append.from.web-7',
    );
  });

  it('subscribes to every sender, and for * to every recipient', () => {
    expect(patternOf('orders', { role: 'acceptor', to: 'n2' })).toBe('synod.orders.acceptor.n2.from.*');
    expect(patternOf('orders', { role: 'event', to: '*' })).toBe('synod.orders.event.*.from.*');
    expect(EVENT_STREAM_SUBJECTS).toBe('synod.*.event.>');
  });

  it('pins a sender', () => {
    expect(sayings('orders', 'n1')).toBe('synod.orders.*.*.from.n1');
    expect(sayings('*', 'n1', 'admin')).toBe('synod.*.admin.*.from.n1');
    expect(hearings('orders')).toBe('synod.orders.*.*.from.*');
  });

  it.each([
    '',
    'synod',
    'synod.orders.acceptor.n2.from',
    'synod.orders.acceptor.n2.from.n1.n2',
    'synod.orders.acceptor.n2.to.n1',
    'synod.orders.no-log.append.from.n1',
    'synod.orders.acceptor.n2.from.all',
    'synod.all.acceptor.n2.from.n1',
    'synod.orders.acceptor.*.from.n1',
    'synod.orders.acceptor.n2.from.n 1',
    'other.orders.acceptor.n2.from.n1',
    `synod.orders.acceptor.n2.from.${'n'.repeat(65)}`,
  ])('reads nothing from "%s"', (subject) => {
    expect(parseSubject(subject)).toBeNull();
  });

  it.each(['', 'a.b', '*', '>', 'a b', 'n'.repeat(65), 'ä', 'a\n'])('I4: "%s" is no token', (token) => {
    expect(() => subjectOf(token, { role: 'log', to: 'append' }, 'n1')).toThrow(InvariantError);
    expect(() => subjectOf('orders', { role: 'log', to: token }, 'n1')).toThrow(InvariantError);
    expect(() => subjectOf('orders', { role: 'log', to: 'append' }, token)).toThrow(InvariantError);
    expect(() => sayings('orders', token)).toThrow(InvariantError);
    if (token !== '*') expect(() => patternOf('orders', { role: 'log', to: token })).toThrow(InvariantError);
  });

  it('knows its own', () => {
    expect(['synod', 'synod.x', 'synodic.x', '_INBOX.x'].map(isSynodSubject)).toEqual([true, true, false, false]);
  });
});
