import type { JoinRequest, SnapshotPage, SnapshotRequest, SyncAnswer, SyncRequest } from '../core/sync';

/** Sends a push; throws ApiError, OfflineError or SessionEnded. */
export type PostSync = (body: SyncRequest) => Promise<SyncAnswer>;

/** The requests of a sync. All throw ApiError, OfflineError or SessionEnded. */
export interface SyncServer {
	post: PostSync;
	/** A page of the snapshot. */
	snapshot: (request: SnapshotRequest) => Promise<SnapshotPage>;
	/** Gives back what the log lost; the answer names the end of the log after it. */
	join: (body: JoinRequest) => Promise<{ logEnd?: string }>;
}
