export { type BusHarness, busContract } from './bus-contract.ts';
export { type ConsensusLogHarness, consensusLogContract } from './consensus-log-contract.ts';
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
export { MemoryLog, MemoryLogNode, type MemoryLogOptions } from './memory-log.ts';
export { seededRandom } from './seeded-random.ts';
export { settle, VirtualClock } from './virtual-clock.ts';
