/** Where a NATS server listens that nobody configured. */
export const DEFAULT_NATS_URL = 'nats://127.0.0.1:4222';

/** Longest wait for an answer. */
export const DEFAULT_TIMEOUT_MS = 5000;

export const DEFAULT_LEASE_MS = 3000;
