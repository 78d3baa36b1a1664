export { type BusHarness, busContract } from './bus-contract.ts';
export {
  type CarriedMessage,
  MemoryBus,
  type MemoryFaults,
  MemoryNetwork,
  type MemoryNetworkOptions,
} from './memory-bus.ts';
export { seededRandom } from './seeded-random.ts';
export { settle, VirtualClock } from './virtual-clock.ts';
