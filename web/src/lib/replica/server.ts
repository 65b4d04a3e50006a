import type { SnapshotPage, SyncAnswer, SyncRequest } from '../core/sync';

/** Sends a push; throws ApiError, OfflineError or SessionEnded. */
export type PostSync = (body: SyncRequest) => Promise<SyncAnswer>;

/** The two requests of a sync. Both throw ApiError, OfflineError or SessionEnded. */
export interface SyncServer {
	post: PostSync;
	/** The snapshot's page after the one that answered `after`; '' for the first. */
	snapshot: (after: string) => Promise<SnapshotPage>;
}
