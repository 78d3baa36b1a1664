/**
 * Knows by which work something is called, over whatever is awaited on the way: `AsyncLocalStorage` of Node is one. With it a
 * mastership that is resigned by its own work does not wait for that work, and waits for it when anybody else asks.
 */
export interface Scope {
  getStore(): unknown;
  run<T>(store: unknown, callback: () => T): T;
}
