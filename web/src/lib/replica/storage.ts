import { ManaError } from '../core/errors';
import { syncStatus } from './status.svelte';

/** Ask the browser to keep the data when space gets short. */
export async function persistStorage(): Promise<boolean> {
	try {
		return (await navigator.storage?.persist?.()) ?? false;
	} catch {
		return false; // a browser that does not know the question keeps data by its own rules
	}
}

/** A full disk is something that a person has to know: named as such, and shown until a write succeeds. */
export function storageError(thrown: unknown): unknown {
	if (!isQuotaError(thrown)) return thrown;
	const error = new ManaError(
		'storage_full',
		'This device has no space left for the change. Free some space and try again; nothing was changed.'
	);
	syncStatus.storage = { code: error.code, message: error.message };
	return error;
}

/** The database can't be read: nothing on screen would be true. */
export function storageUnreadable(thrown: unknown): void {
	const reason = thrown instanceof Error ? thrown.message : String(thrown);
	syncStatus.storage = {
		code: 'storage_unreadable',
		message: `What is stored on this device cannot be read. Reload the page. (${reason})`
	};
}

/** A write went through: there is space again. */
export function storageWorks(): void {
	if (syncStatus.storage) syncStatus.storage = null;
}

/** Dexie wraps the browser's error in an AbortError or puts it in `inner`. */
function isQuotaError(thrown: unknown): boolean {
	for (let error = thrown, depth = 0; error && depth < 4; depth++) {
		const { name, inner } = error as { name?: string; inner?: unknown };
		if (name === 'QuotaExceededError') return true;
		error = inner;
	}
	return false;
}
