export { type DiskJournalOptions, diskJournal } from './disk-journal.ts';
