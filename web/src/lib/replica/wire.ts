import type { SnapshotPage, SyncAnswer, SyncRequest } from '../core/sync';

export type { SnapshotPage, SyncAnswer, SyncRequest } from '../core/sync';

/** How a push goes out; throws ApiError, OfflineError or SessionEnded. */
export type PostSync = (body: SyncRequest) => Promise<SyncAnswer>;

/** The server, as a sync needs it. Both throw ApiError, OfflineError or SessionEnded. */
export interface SyncServer {
	post: PostSync;
	/** The snapshot's page after the one that answered `after`; '' for the first. */
	snapshot: (after: string) => Promise<SnapshotPage>;
}
