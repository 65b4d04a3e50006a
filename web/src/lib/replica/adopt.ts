import { ManaDb } from './database';

/** How many records this browser holds of an account. */
export async function heldRecords(userId: string): Promise<number> {
	const db = new ManaDb(userId);
	try {
		return await db.records.count();
	} finally {
		db.close();
	}
}

/**
 * Copies what this browser holds of one account into the database of another, whose server knows nothing of it: a
 * server that was set up anew. The next sync gives it to that server, because the cursor names no row of its log
 * (SYNC R7). The database of the first account stays as it is.
 */
export async function adoptReplica(from: string, to: string): Promise<void> {
	const [old, fresh] = [new ManaDb(from), new ManaDb(to)];
	try {
		const [records, outbox, setAside, texts, conflicts, drafts] = await Promise.all([
			old.records.toArray(),
			old.outbox.orderBy('seq').toArray(),
			old.setAside.toArray(),
			old.texts.toArray(),
			old.conflicts.toArray(),
			old.drafts.toArray()
		]);
		const [cursor, clock, clockOffset] = [
			await old.readMeta('cursor'),
			await old.readMeta('clock'),
			await old.readMeta('clockOffset')
		];
		const { records: r, outbox: o, setAside: s, texts: x, conflicts: c, drafts: d, meta } = fresh;
		await fresh.transaction('rw', [r, o, s, x, c, d, meta], async () => {
			await r.bulkPut(records);
			await o.bulkAdd(outbox.map(({ eventId, change }) => ({ eventId, change, since: '' })));
			await s.bulkPut(setAside);
			await x.bulkPut(texts);
			await c.bulkPut(conflicts);
			await d.bulkPut(drafts);
			// A replica that was never in step has no cursor: any place that the new log does not have does.
			await fresh.writeMeta('cursor', cursor || new Date().toISOString());
			await fresh.writeMeta('logEpoch', '');
			await fresh.writeMeta('logEnd', '');
			if (clock) await fresh.writeMeta('clock', clock);
			if (clockOffset !== undefined) await fresh.writeMeta('clockOffset', clockOffset);
		});
	} finally {
		old.close();
		fresh.close();
	}
}
