import { OfflineError } from '../api/errors';
import { ManaError } from '../core/errors';
import { currentReplica } from './current';
import type { Replica } from './replica';

/** Asks for a sync at once. */
export function syncNow(): void {
	currentReplica().bus.publish('syncNow', {});
}

/** Sends the outbox as it is now. Resolves when the server has all of it; throws where it is not reached or refuses. */
export async function flush(replica: Replica = currentReplica(), timeoutMs = 20_000): Promise<void> {
	const { bus, db } = replica;
	const last = (await db.outbox.orderBy('seq').last())?.seq;
	if (last === undefined) return;
	let stop = () => {};
	let timer: ReturnType<typeof setTimeout> | undefined;
	try {
		await new Promise<void>((resolve, reject) => {
			stop = bus.on('synced', (result) => {
				if (!result.ok) {
					reject(
						result.code === 'offline'
							? new OfflineError()
							: new ManaError(result.code ?? 'unexpected', result.message ?? 'The sync failed.')
					);
					return;
				}
				const waiting = db.outbox.where('seq').belowOrEqual(last).count();
				// The database closes at a sign-out: then the caller hears it at once.
				waiting.then((count) => count === 0 && resolve(), reject);
			});
			timer = setTimeout(() => reject(new OfflineError()), timeoutMs);
			bus.publish('syncNow', {});
		});
	} finally {
		stop();
		clearTimeout(timer);
	}
}

/** The person has seen that everything was read anew. */
export async function endResync(): Promise<void> {
	const { db, bus } = currentReplica();
	await db.meta.delete('resync');
	bus.publish('resync', {});
}

/** Sends a change again that was set aside. */
export async function retrySetAside(eventId: string): Promise<void> {
	const { db, bus } = currentReplica();
	await db.transaction('rw', [db.outbox, db.setAside], async () => {
		const row = await db.setAside.get(eventId);
		if (!row) return;
		await db.outbox.add({ eventId: row.eventId, change: row.change, since: row.since });
		await db.setAside.delete(eventId);
	});
	bus.publish('setAside', {});
	bus.publish('outbox', {});
}
