export { type BusHarness, busContract } from './bus-contract.ts';
export { type JournalHarness, journalContract } from './journal-contract.ts';
export {
  type CarriedMessage,
  MemoryBus,
  type MemoryFaults,
  MemoryNetwork,
  type MemoryNetworkOptions,
} from './memory-bus.ts';
export {
  type CrashOptions,
  MemoryDisk,
  type MemoryDiskImage,
  type MemoryDiskOptions,
  MemoryJournal,
  type MemoryJournalOptions,
} from './memory-journal.ts';
export { seededRandom } from './seeded-random.ts';
export { settle, VirtualClock } from './virtual-clock.ts';
