import type { components } from '../api/schema';
import type { Change } from '../core/types';

type Schemas = components['schemas'];

/** POST /sync. */
export type SyncRequest = Omit<Schemas['PushBody'], 'changes'> & { clientId: string; since: string; changes: Change[] };

/** What POST /sync answers. */
export type SyncAnswer = Omit<Schemas['PushAnswer'], 'serverChanges'> & { serverChanges: Change[] };

/** A page of merged records, for a device that is new or behind what the log keeps. */
export type SnapshotPage = Schemas['SnapshotAnswer'];

/** A merged record of a snapshot. */
export type SnapshotRecord = Schemas['SnapshotRecord'];

/** The version of the data's shape that this app writes. */
export const SCHEMA_VERSION = 1;

/** How a push goes out; throws ApiError, OfflineError or SessionEnded. */
export type PostSync = (body: SyncRequest) => Promise<SyncAnswer>;

/** The server, as the engine needs it. Both throw ApiError, OfflineError or SessionEnded. */
export interface SyncServer {
	post: PostSync;
	/** The snapshot's page after the one that answered `after`; '' for the first. */
	snapshot: (after: string) => Promise<SnapshotPage>;
}
