export const VOTERS = ['n1', 'n2', 'n3'] as const;
export const ELECTION = 'jobs';
export const LEASE_MS = 2000;

/** Clients of NATS that a pod may have. */
export const CLIENTS = ['@nats-io/transport-node 3', 'nats 2'] as const;
export type Client = (typeof CLIENTS)[number];

/** What a pod is told. */
export interface PodHears {
  readonly type: 'campaign' | 'resign' | 'transfer' | 'status';
  /** Of `resign` and `transfer`: who is to have it. */
  readonly to?: string;
}

/** What a pod says. */
export interface PodSays {
  readonly type: 'joined' | 'elected' | 'lost' | 'resigned' | 'status' | 'failed';
  readonly node: string;
  readonly term: number;
  /** By `process.hrtime.bigint()`, which all processes share. */
  readonly atNs: string;
  readonly reason?: string;
  readonly isMaster?: boolean;
  readonly leader?: string | null;
  readonly isConnected?: boolean;
}
