import type { Change } from '../core/types';

/** POST /sync. */
export interface SyncRequest {
	clientId: string;
	since: string;
	schemaVersion: number;
	changes: Change[];
}

/** A stamp that lay too far in the future and was set back. */
export interface Adjusted {
	eventId: string;
	field: string;
	at: string;
}

/** What POST /sync answers. */
export interface SyncAnswer {
	serverChanges: Change[];
	syncedUntil: string;
	hasMore: boolean;
	serverTime: string;
	adjusted?: Adjusted[];
}

/** The version of the data's shape that this app writes. */
export const SCHEMA_VERSION = 1;

/** How a push goes out; throws ApiError, OfflineError or SessionEnded. */
export type PostSync = (body: SyncRequest) => Promise<SyncAnswer>;
