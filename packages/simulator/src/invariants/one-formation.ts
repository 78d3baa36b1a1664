import { configurationDigest } from '@synod/protocol';
import type { Invariant } from './invariant.ts';

/** A group forms once: all stores that are formed keep the same configuration, and a store keeps one for ever. */
export const oneFormation: Invariant = {
  name: 'one configuration is formed',
  source: 'I5, protocol.md section 6',
  watch: ({ isOutcast }, fail) => {
    const kept = new Map<string, string>();
    let formed: string | null = null;
    return {
      durable: (machine, storeId, record) => {
        if (record.type === 'kept') {
          const digest = configurationDigest(record.configuration);
          if ((kept.get(storeId) ?? digest) !== digest)
            fail(`store ${storeId} of ${machine.node} keeps a second configuration`);
          kept.set(storeId, digest);
        } else if (record.type === 'formed' && !isOutcast(storeId)) {
          const digest = kept.get(storeId) ?? 'none';
          formed ??= digest;
          if (formed !== digest) fail(`${machine.node} forms with ${digest}, another node did with ${formed}`);
        }
      },
    };
  },
};
