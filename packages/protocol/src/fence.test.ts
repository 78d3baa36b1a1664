import { describe, expect, it } from 'vitest';
import { fenceHeaders, readFenceHeaders } from './fence.ts';

const token = { election: 'group', term: 45 };

describe('F1: a term in headers', () => {
  it('is read back from whatever carries headers', () => {
    const headers = fenceHeaders(token);
    expect(headers).toEqual({ 'Synod-Term': '45', 'Synod-Election': 'group' });
    expect(readFenceHeaders(headers)).toEqual(token);
    expect(readFenceHeaders(new Headers(headers))).toEqual(token);
    const ofNode = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
    expect(readFenceHeaders(ofNode)).toEqual(token);
  });

  it.each(['', '0', '-1', '045', '4.5', '4e1', ' 45', '45, 46', 'NaN', '9007199254740993', '99999999999999999'])(
    'is none when it is "%s"',
    (term) => {
      expect(readFenceHeaders({ 'Synod-Term': term, 'Synod-Election': 'group' })).toBeNull();
    },
  );

  it('is none without its election, or with two of them', () => {
    expect(readFenceHeaders({ 'Synod-Term': '45' })).toBeNull();
    expect(readFenceHeaders({ 'Synod-Term': '45', 'Synod-Election': 'a.b' })).toBeNull();
    expect(readFenceHeaders({ 'Synod-Term': ['45', '46'], 'Synod-Election': 'group' })).toBeNull();
    const twice = new Headers(fenceHeaders(token));
    twice.append('Synod-Term', '46');
    expect(readFenceHeaders(twice)).toBeNull();
    expect(readFenceHeaders({ get: () => '' })).toBeNull();
    expect(readFenceHeaders(undefined)).toBeNull();
  });
});
