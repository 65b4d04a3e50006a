import { asManaError } from '$lib/core/errors';
import type { RecordKey } from '$lib/core/types';
import { tableOf } from '$lib/features/records/titles';
import { user } from '$lib/features/records/records';
import { execute, type Write } from '$lib/replica/executor';
import type { Replica } from '$lib/replica/replica';
import { isDeleted, keyName, primaryKey, type RecordRow } from '$lib/replica/rows';

/**
 * Writes the records that a server took nothing back of once more, as the person: each by itself, so that one that
 * doesn't fit holds no other up. Throws the last error once all were tried.
 */
export async function sendKept(replica: Replica): Promise<void> {
	const { db, bus } = replica;
	const resync = await db.readMeta('resync');
	const sent = new Set<string>();
	let failed: Error | undefined;
	for (const key of resync?.kept ?? []) {
		const row = await db.records.get(primaryKey(key));
		try {
			if (row) await execute(replica, { kind: 'write', actor: user, writes: [anew(row)] });
			sent.add(keyName(key));
		} catch (thrown) {
			failed = asManaError(thrown);
		}
	}
	await db.transaction('rw', db.meta, async () => {
		const now = await db.readMeta('resync');
		const rest = (key: RecordKey) => !sent.has(keyName(key));
		if (now) await db.writeMeta('resync', { ...now, kept: now.kept.filter(rest) });
	});
	bus.publish('resync', {});
	if (failed) throw failed;
}

/** Iterations and their like are the server's to write: of them only the rest of their record goes. */
function anew(row: RecordRow): Write {
	const { app, table, id, data } = row;
	if (isDeleted(row)) return { app, table, id, op: 'delete' };
	const fields = tableOf(app, table)?.fields;
	const written = Object.entries(data).filter(([field]) => fields?.[field]?.type !== 'keyedList');
	return { app, table, id, op: 'update', set: Object.fromEntries(written) };
}
