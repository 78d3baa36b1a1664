import { describe, expect, it } from 'vitest';
import { createMachine } from 'xstate';
import { diagrams } from './machines.ts';
import { toMermaid } from './mermaid.ts';
import { compare, withDiagram } from './readme.ts';
import { drawnTakeover, takeover } from './takeover.ts';

describe.each(diagrams)('the diagram of $name in $readme', (diagram) => {
  it('is what the machine is: npm run diagrams', () => {
    const { found, wanted } = compare(diagram);
    expect(found).toBe(wanted);
  });
});

describe('the picture of a takeover', () => {
  it('is what happens: npm run diagrams', async () => {
    expect(drawnTakeover()).toBe(await takeover());
  });
});

describe('toMermaid', () => {
  it('draws states within states, events, guards, delays, and where it begins and ends', () => {
    const machine = createMachine({
      id: 'door',
      initial: 'shut',
      on: { knock: { actions: 'answer' }, burn: '.gone' },
      states: {
        shut: {
          initial: 'bolted',
          exit: 'creak',
          states: {
            bolted: { on: { unbolt: 'free' } },
            free: { after: { 500: 'bolted', patience: { guard: 'isNight', target: 'bolted' } } },
          },
          on: {
            open: [
              { guard: 'isFree', target: 'open' },
              { guard: { type: 'isStuck' }, target: 'gone' },
            ],
          },
        },
        open: { entry: 'creak', on: { shut: [{ guard: 'isWindy', target: 'shut' }, { actions: 'push' }] } },
        gone: { type: 'final' },
      },
    });
    expect(toMermaid(machine)).toBe(`stateDiagram-v2
  [*] --> shut
  state "shut" as shut {
    [*] --> bolted
    bolted
    free
    bolted --> free : unbolt
    free --> bolted : after 500 ms<br>after patience [isNight]
  }
  note right of shut
    exit / creak
  end note
  state "open" as open
  open : entry / creak
  open : shut [else] / push
  gone
  gone --> [*]
  shut --> open : open [isFree]
  shut --> gone : open [isStuck]
  open --> shut : shut [isWindy]
  state "in any state" as any_state
  any_state : knock / answer
  any_state --> gone : burn
`);
  });

  it('says what begins at once and what is invoked, tells states of one name apart, and names again what was drawn away', () => {
    const machine = createMachine({
      id: 'ship',
      initial: 'afloat',
      states: {
        afloat: {
          type: 'parallel',
          states: {
            engine: {
              initial: 'end',
              states: {
                end: { invoke: { src: 'heat', onDone: 'running', onError: '#ship.afloat.engine' } },
                running: { on: { cut: '#ship.afloat.sails.end', '*': '#ship.sunk' } },
              },
            },
            sails: { initial: 'end', states: { end: {} } },
          },
        },
        sunk: {},
      },
    });
    expect(toMermaid(machine)).toBe(`stateDiagram-v2
  [*] --> afloat
  state "afloat" as afloat {
    [*] --> engine
    [*] --> sails
    state "engine" as engine {
      [*] --> engine_end
      state "end" as engine_end
      engine_end : invoke heat
      engine_end : error heat → engine
      running
      engine_end --> running : done heat
      running --> sails_end : cut
    }
    state "sails" as sails {
      [*] --> sails_end
      state "end" as sails_end
      sails_end
    }
  }
  sunk
  running --> sunk : any event
`);
  });
});

describe('withDiagram', () => {
  const text = 'a\n<!-- diagram:x -->\nold\n<!-- /diagram -->\nb\n<!-- diagram:y -->\n<!-- /diagram -->\n';

  it('replaces what is between the markers of that name', () => {
    expect(withDiagram(text, 'y', 'new\n')).toBe(
      'a\n<!-- diagram:x -->\nold\n<!-- /diagram -->\nb\n<!-- diagram:y -->\n\n```mermaid\nnew\n```\n\n<!-- /diagram -->\n',
    );
  });

  it('refuses a text without a place for it', () => {
    expect(() => withDiagram(text, 'z', 'new\n')).toThrow('<!-- diagram:z -->');
  });
});
