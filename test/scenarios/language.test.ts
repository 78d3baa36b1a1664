import { realRules } from '@synod/simulator';
import { describe, expect, it } from 'vitest';
import { nodesIn, understand } from './phrases.ts';
import { play } from './player.ts';
import { parse } from './script.ts';

const played = (text: string): Promise<void> => play(parse(text), realRules, 0);

describe('a scenario', () => {
  it('is a title, a group, steps, and what must be seen of each', () => {
    const script = parse(
      '# Title\n# more\nfails with x at: b is up\nfor N from 2 to 4\n\ngroup a\na starts\n-> a is up\n',
    );
    expect(script).toEqual({
      title: 'Title',
      fails: [{ name: 'x', at: 'b is up' }],
      numbers: [2, 3, 4],
      steps: [
        { line: 6, words: 'group a', seen: [] },
        { line: 7, words: 'a starts', seen: [{ line: 8, words: 'a is up' }] },
      ],
    });
  });

  it.each([
    ['-> a is up', 'line 1: nothing has happened yet'],
    ['fails with x', 'line 1: as "fails with'],
    ['for N in 3', 'line 1: as "for N from'],
  ])('is refused when it cannot be read: %s', (text, why) => {
    expect(() => parse(text)).toThrow(why);
  });

  it.each([
    ['', 'nothing happens in it'],
    ['a starts', 'line 1: first comes a group'],
    ['group a\na sleeps', 'line 2: a sleeps: no phrase for "a sleeps"; there are:'],
    ['group a\na starts\n-> a is well', 'no phrase for "a is well"'],
    ['group a b c\na starts\n-> nobody is master\n-> a is master', 'line 4: a is master: is not so'],
    [
      'group a b c\na starts\nuntil a is master, for 100 ms at most',
      'not within 100 ms: a is up, b is down, c is down',
    ],
  ])('fails with its line, and a reason: %j', async (text, why) => {
    await expect(played(text)).rejects.toThrow(why);
  });

  it('tells what happened in the step that failed', async () => {
    await expect(played('group a\na starts\na campaigns\n500 ms pass\n-> nobody is master')).rejects.toThrow(
      /nobody is master: is not so\n.*a {3}IS MASTER, term 1/s,
    );
  });
});

describe('phrases', () => {
  const phrases = [
    { pattern: 'NODES (?:is|are) up', means: 'up' },
    { pattern: 'TYPE messages of NODE to OTHER are lost', means: 'lost' },
  ];

  it.each([
    ['a is up', 'up', { NODES: 'a' }],
    ['a, b and c are up', 'up', { NODES: 'a, b and c' }],
    ['accept messages of a to b are lost', 'lost', { TYPE: 'accept', NODE: 'a', OTHER: 'b' }],
  ])('%s', (sentence, means, parts) => {
    expect(understand(phrases, sentence)).toEqual({ means, parts });
  });

  it('knows several nodes', () => {
    expect(nodesIn('a, b and c')).toEqual(['a', 'b', 'c']);
    expect(nodesIn('a b')).toEqual(['a', 'b']);
  });
});
