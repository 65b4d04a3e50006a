import { dataOf } from '$lib/api/client';
import { ManaError } from '$lib/core/errors';
import type { Change, RecordKey, RecordState } from '$lib/core/types';
import { currentReplica } from '$lib/replica/current';
import type { Replica } from '$lib/replica/replica';
import { asRow, keyName, primaryKey, type RecordRow } from '$lib/replica/rows';
import { storageError } from '$lib/replica/storage';
import { currentApi } from '$lib/features/session/session.svelte';
import type { SyncAnswer } from '$lib/core/sync';

/** Reads a page of a module's log. Throws ApiError, OfflineError or SessionEnded. */
type PullLog = (app: string, query: { collection: string; since: string }) => Promise<SyncAnswer>;

/** By an empty push, because `/pull` speaks the first client's shape. */
const pullLog: PullLog = async (app, { collection, since }) => {
	const body = { clientId: currentReplica().clientId, since, changes: [] };
	const answer = (await dataOf(currentApi().POST('/sync', { body }))) as SyncAnswer;
	const wanted = ({ appId, table }: Change) => appId === app && table === collection;
	return { ...answer, serverChanges: answer.serverChanges.filter(wanted) };
};

/** So often a sync may come in between before one is told to try again. */
const TRIES = 5;

/**
 * Never send a change that was set aside. Its record comes back to what the server holds, with what still waits in the
 * outbox on top. Dropping needs the server: without it nothing is dropped.
 */
export async function dropSetAside(
	eventId: string,
	replica: Replica = currentReplica(),
	pull: PullLog = pullLog
): Promise<void> {
	const { db, bus } = replica;
	const dropped = await db.setAside.get(eventId);
	if (!dropped) return;
	const { appId: app, table, id } = dropped.change;
	const key = { app, table, id };
	for (let tries = 0; ; tries++) {
		const cursor = await db.readMeta('cursor');
		const log = await readLog(key, pull);
		const state = await rebuild(replica, key, log, eventId, cursor);
		if (state === 'moved') {
			if (tries < TRIES) continue;
			throw new ManaError(
				'busy',
				'Other changes are being synced right now. Try again in a moment; nothing was dropped.'
			);
		}
		// a record that nobody else knows is gone
		replica.committed([state ? asRow({ ...key, ...state }) : { ...key, data: {}, meta: {}, deleted: true }]);
		bus.publish('setAside', {});
		return;
	}
}

/** Everything that the server has of a record, this device's own changes too. */
async function readLog({ app, table, id }: RecordKey, pull: PullLog): Promise<Change[]> {
	const changes: Change[] = [];
	let since = '';
	for (;;) {
		const page = await pull(app, { collection: table, since });
		changes.push(...page.serverChanges.filter((change) => change.id === id));
		if (!page.hasMore) return changes;
		since = page.syncedUntil;
	}
}

/** Write the record anew and drop the change, together. `moved`: a sync came in between; read the log again. */
async function rebuild(
	{ db, core }: Replica,
	key: RecordKey,
	log: Change[],
	eventId: string,
	cursor: string | undefined
): Promise<RecordState | null | 'moved'> {
	try {
		return await db.transaction('rw', [db.records, db.outbox, db.setAside, db.meta], async () => {
			if ((await db.readMeta('cursor')) !== cursor) return 'moved';
			await db.setAside.delete(eventId);
			const local = [...(await db.outbox.toArray()), ...(await db.setAside.toArray())]
				.map(({ change }) => change)
				.filter(({ appId, table, id }) => keyName({ app: appId, table, id }) === keyName(key));
			const changes = [...log, ...local];
			const state = changes.length ? core.apply([{ ...key, state: null }], changes).records[0]?.state : null;
			if (state) await db.records.put({ ...key, ...state } satisfies RecordRow);
			else await db.records.delete(primaryKey(key));
			return state ?? null;
		});
	} catch (thrown) {
		throw storageError(thrown);
	}
}
