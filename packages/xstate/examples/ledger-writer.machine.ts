import { type ElectionEvent, electionLogic, masterWork } from '@synod/xstate';
import type { Election, Mastership } from 'synod';
import { assign, sendTo, setup } from 'xstate';

/** Work of a master: until `signal` aborts. */
export type Write = (mastership: Mastership, signal: AbortSignal) => Promise<void>;

/**
 * A service of which exactly one replica writes. It follows the election all its life, and writes in the state that it enters
 * when it is elected and leaves when it is not master any more. Copy it, and put your own states in.
 */
export const ledgerWriter = (election: Election, write: Write) =>
  setup({
    types: {} as {
      context: { readonly master: string | null };
      events: ElectionEvent | { readonly type: 'hand over' };
    },
    actors: {
      election: electionLogic(election),
      writing: masterWork(election, ({ mastership, signal }) => write(mastership, signal)),
    },
    actions: {
      noteMaster: assign({
        master: ({ context, event }) =>
          event.type === 'synod.master.changed' ? (event.current?.node ?? null) : context.master,
      }),
      resign: sendTo('election', { type: 'synod.resign' }),
    },
  }).createMachine({
    id: 'ledgerWriter',
    context: { master: null },
    invoke: { id: 'election', src: 'election', onDone: '.left' },
    on: { 'synod.master.changed': { actions: 'noteMaster' } },
    initial: 'following',
    states: {
      following: {
        on: { 'synod.master.elected': 'writing' },
      },
      writing: {
        // Done or failed: somebody else shall try.
        invoke: { src: 'writing', onDone: { actions: 'resign' }, onError: { actions: 'resign' } },
        on: {
          'synod.master.lost': 'following',
          'hand over': { actions: 'resign' },
        },
      },
      /** The group was closed. */
      left: { type: 'final' },
    },
  });
