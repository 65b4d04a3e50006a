import type { Resync, SetAsideRow } from './database';

export type SetAside = SetAsideRow;
export type SyncState = 'synced' | 'syncing' | 'offline' | 'error';
/** A notice for the person: `code` finds its translation, `message` is plain English. */
export interface Notice {
	code: string;
	message: string;
}

/** The state that the syncing tab publishes to the others. */
export interface SharedStatus {
	state: SyncState;
	lastSyncedAt: string | null;
	/** Why, where `state` is `error`. */
	error: Notice | null;
}

/** The state of the connection to the server. */
export interface SyncStatus extends SharedStatus {
	/** Changes that wait to be sent. */
	pending: number;
	/** Changes that the server refused; their records keep them on this device. */
	setAside: SetAside[];
	/** What happened where this device could not go on from its place in the log; null once the person has seen it. */
	resync: Resync | null;
	/** The server's host. */
	host: string;
	/** Trouble with this device's storage (quota). */
	storage: Notice | null;
}

export const syncStatus: SyncStatus = $state(initial());

/** The changes set aside as a JSON file. */
export function exportSetAside(): Blob {
	return new Blob([JSON.stringify(syncStatus.setAside, null, '\t')], { type: 'application/json' });
}

/** Resets everything, after a sign-out. */
export function resetStatus(): void {
	Object.assign(syncStatus, initial());
}

function initial(): SyncStatus {
	return {
		state: 'syncing',
		lastSyncedAt: null,
		error: null,
		pending: 0,
		setAside: [],
		resync: null,
		host: typeof location === 'undefined' ? '' : location.host,
		storage: null
	};
}
