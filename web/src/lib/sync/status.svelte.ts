import type { Change } from '../core/types';
/** A change that the server refused; its record keeps it on this device. */
export interface SetAside { eventId: string; change: Change; reason: string; at: string }
/** How the way to the server stands. */
export interface SyncStatus {
	state: 'synced' | 'syncing' | 'offline' | 'error';
	lastSyncedAt: string | null;
	/** Changes that wait to be sent. */
	pending: number;
	setAside: SetAside[];
	/** The server's host. */
	host: string;
	/** Why, where `state` is `error`. */
	error: { code: string; message: string } | null;
	/** Storage trouble on this device (quota). */
	storage: { code: string; message: string } | null;
}
export const syncStatus: SyncStatus = $state({ state: 'syncing', lastSyncedAt: null, pending: 0, setAside: [], host: '', error: null, storage: null });
/** Sync at once. */
export function syncNow(): void {}
export async function retrySetAside(eventId: string): Promise<void> { void eventId; }
export async function dropSetAside(eventId: string): Promise<void> { void eventId; }
/** The changes set aside as a JSON file. */
export function exportSetAside(): Blob { return new Blob(); }
