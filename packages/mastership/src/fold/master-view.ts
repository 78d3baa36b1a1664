import type { MasterNews, MasterRecord, Session } from '@synod/protocol';
import type { MasterReader } from './master-reader.ts';

export class MasterView implements MasterReader {
  get view(): MasterReader {
    return this;
  }
  session(_id: number): Session | undefined {
    throw new Error('to be written');
  }
  record(_election: string): MasterRecord {
    throw new Error('to be written');
  }
  sessions(): IterableIterator<Session> {
    throw new Error('to be written');
  }
  records(): IterableIterator<MasterRecord> {
    throw new Error('to be written');
  }
  held(_session: number): ReadonlySet<string> {
    throw new Error('to be written');
  }
  /** Takes in what is newer than what is known. @returns that part, or `null` if all was old. */
  hear(_news: MasterNews): MasterNews | null {
    return null;
  }
}
