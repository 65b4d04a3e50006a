import { ManaError } from '../core/errors';
import { syncStatus } from './status.svelte';

/** Asks the browser to keep the data when space gets short. */
export async function persistStorage(): Promise<boolean> {
	try {
		return (await navigator.storage?.persist?.()) ?? false;
	} catch {
		return false; // A browser without this API keeps data by its own rules.
	}
}

/** Names a full disk as such, and shows it until a write succeeds. Returns every other error as it is. */
export function storageError(thrown: unknown): unknown {
	if (!isQuotaError(thrown)) return thrown;
	const error = new ManaError(
		'storage_full',
		'This device has no space left for the change. Free some space and try again; nothing was changed.'
	);
	syncStatus.storage = { code: error.code, message: error.message };
	return error;
}

/** Shows that the database can't be read, because nothing on screen would be true. */
export function storageUnreadable(thrown: unknown): void {
	const reason = thrown instanceof Error ? thrown.message : String(thrown);
	syncStatus.storage = {
		code: 'storage_unreadable',
		message: `What is stored on this device cannot be read. Reload the page. (${reason})`
	};
}

/** Clears the notice after a write that succeeded. */
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
