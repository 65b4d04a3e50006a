import { ApiError } from '../api/http';
import type { Adjusted, Change, RecordKey, RecordState, Row } from '../core/types';
import type { OutboxRow } from '../db/database';
import type { Replica } from '../db/replica';
import { storageError } from '../db/storage';
import { asRow, keyName, primaryKey, stateOf, uniqueKeys, type RecordRow } from '../db/rows';
import { SCHEMA_VERSION, type SnapshotPage, type SnapshotRecord, type SyncAnswer, type SyncServer } from './wire';

/** Changes in one push at most, and about how many characters of JSON. */
const BATCH_CHANGES = 500;
const BATCH_CHARS = 4_000_000;

/**
 * One way to the server and back: sends the outbox, takes over what others changed. It holds no state of its own
 * that a crash could lose: a batch leaves the outbox in the same transaction that merges its answer, and a push that
 * the server already has is a no-op there.
 */
export class SyncEngine {
	#batchChanges = BATCH_CHANGES;
	/** A snapshot was begun anew in this sync. A second time nothing would come of it. */
	#renewed = false;

	constructor(
		readonly replica: Replica,
		readonly server: SyncServer
	) {}

	/** Until nothing waits, here or there. */
	async sync(): Promise<void> {
		this.#renewed = false;
		let more = true;
		while (more) more = await this.#round();
	}

	/** One request. True where another is needed. */
	async #round(): Promise<boolean> {
		const { db, clientId } = this.replica;
		const since = await db.readMeta('cursor');
		if (!since) return this.#readSnapshot();
		const batch = await this.#nextBatch();
		const sentAt = Date.now();
		let answer: SyncAnswer;
		try {
			answer = await this.server.post({
				clientId,
				since,
				schemaVersion: SCHEMA_VERSION,
				changes: batch.map((row) => row.change)
			});
		} catch (thrown) {
			await this.#recover(thrown, batch);
			return true;
		}
		this.#batchChanges = Math.min(BATCH_CHANGES, this.#batchChanges * 2);
		const heardAt = (sentAt + Date.now()) / 2;
		return this.#takeOver(batch, since, answer, heardAt).catch((thrown: unknown) => {
			throw storageError(thrown);
		});
	}

	/** A page of a snapshot, by which a device begins that is new, or behind what the log keeps (S7, R3). */
	async #readSnapshot(): Promise<true> {
		const after = (await this.replica.db.readMeta('snapshotAfter')) ?? '';
		const sentAt = Date.now();
		let page: SnapshotPage;
		try {
			page = await this.server.snapshot(after);
		} catch (thrown) {
			if (!after || !(thrown instanceof ApiError) || thrown.status !== 400) throw thrown;
			// The server does not know how to go on, such as after it was set up anew.
			await this.#beginAnew(thrown);
			return true;
		}
		await this.#join(page, (sentAt + Date.now()) / 2).catch((thrown: unknown) => {
			throw storageError(thrown);
		});
		return true;
	}

	/** Merge a page into what is here, which may not be sent yet, and remember how to go on: together or not at all. */
	async #join(page: SnapshotPage, localMs: number): Promise<void> {
		const { db, core } = this.replica;
		let rows: Row[] = [];
		await db.transaction('rw', [db.records, db.meta], async () => {
			const states = await this.#readStates(page.records.map(recordKey));
			const changed: RecordRow[] = [];
			const here: SnapshotRecord[] = [];
			for (const record of page.records) {
				const key = recordKey(record);
				if (states.has(keyName(key))) here.push(record);
				else changed.push({ ...key, data: record.data, meta: record.meta });
			}
			if (here.length > 0) {
				const records = here.map(recordKey).map((key) => ({ ...key, state: states.get(keyName(key)) ?? null }));
				const merged = core.apply(records, here.flatMap(asChanges));
				for (const { state, ...key } of merged.records) changed.push({ ...key, ...state });
				for (const { eventId, reason } of merged.refused) console.warn(`snapshot ${eventId} left out: ${reason}`);
			}
			await db.records.bulkPut(changed);
			await db.writeMeta('snapshotAfter', page.after ?? '');
			if (!page.hasMore) await db.writeMeta('cursor', page.syncedUntil);
			await this.#observe(page.serverTime, localMs);
			rows = changed.map(asRow);
		});
		this.replica.committed(rows);
	}

	/** From a snapshot's first page on. The outbox and what is here stay. */
	async #beginAnew(reason: ApiError): Promise<void> {
		if (this.#renewed) throw reason;
		this.#renewed = true;
		const { db } = this.replica;
		await db.transaction('rw', [db.meta], async () => {
			await db.writeMeta('cursor', '');
			await db.writeMeta('snapshotAfter', '');
		});
	}

	async #nextBatch(): Promise<OutboxRow[]> {
		const rows = await this.replica.db.outbox.orderBy('seq').limit(this.#batchChanges).toArray();
		let chars = 0;
		const end = rows.findIndex((row) => (chars += JSON.stringify(row.change).length) > BATCH_CHARS);
		return end === -1 ? rows : rows.slice(0, Math.max(1, end));
	}

	/**
	 * Merge the answer, clear the batch and move the cursor: together or not at all. True where there is more to send
	 * or to read.
	 */
	async #takeOver(batch: OutboxRow[], since: string, answer: SyncAnswer, localMs: number): Promise<boolean> {
		const { db, core, bus } = this.replica;
		let rows: Row[] = [];
		let more = answer.hasMore;
		let taken = 0;
		await db.transaction('rw', [db.records, db.outbox, db.setAside, db.meta], async () => {
			const adjusted = groupByEvent(answer.adjusted);
			const setBack = batch.filter((row) => adjusted.has(row.eventId));
			const keys = [...setBack.map((row) => row.change), ...answer.serverChanges].map(changeKey);
			const states = await this.#readStates(keys);
			const changed = new Map<string, RecordRow>();
			for (const { eventId, change } of setBack) {
				const key = changeKey(change);
				const state = states.get(keyName(key));
				if (!state) continue;
				const taken = core.takeOver({ ...key, state, change, adjusted: adjusted.get(eventId) ?? [] });
				states.set(keyName(key), taken.state);
				changed.set(keyName(key), { ...key, ...taken.state });
			}
			if (answer.serverChanges.length > 0) {
				const records = uniqueKeys(answer.serverChanges.map(changeKey)).map((key) => ({
					...key,
					state: states.get(keyName(key)) ?? null
				}));
				const merged = core.apply(records, answer.serverChanges);
				for (const { state, ...key } of merged.records) changed.set(keyName(key), { ...key, ...state });
				for (const { eventId, reason } of merged.refused) console.warn(`change ${eventId} left out: ${reason}`);
			}
			await db.records.bulkPut([...changed.values()]);
			await db.outbox.bulkDelete(batch.map((row) => row.seq));
			// What one server refused another may have taken.
			taken = await db.setAside
				.where('eventId')
				.anyOf(batch.map((row) => row.eventId))
				.delete();
			// What came between the writing of a change and now may have lost here to a stamp that was set back: then it
			// is read again, from a snapshot on if nobody knows from where. In order, the first row is the oldest.
			const moved = (await db.readMeta('cursor')) !== since;
			const reread = setBack.find((row) => moved || row.since !== since);
			await db.writeMeta('cursor', reread ? (reread.since ?? '') : answer.syncedUntil);
			if (reread && !reread.since) await db.writeMeta('snapshotAfter', '');
			await db.writeMeta('lastSyncedAt', new Date().toISOString());
			await this.#observe(answer.serverTime, localMs);
			more ||= reread !== undefined || (await db.outbox.count()) > 0;
			rows = [...changed.values()].map(asRow);
		});
		this.replica.committed(rows);
		if (taken > 0) bus.publish('setAside', {});
		return more;
	}

	/** Follow the server's clock. */
	async #observe(serverTime: string, localMs: number): Promise<void> {
		const { db, core } = this.replica;
		const last = (await db.readMeta('clock')) ?? null;
		const clock = core.observe({ last, serverTime, now: new Date(localMs).toISOString() });
		this.replica.clockOffset = clock.offset / 1000;
		await db.writeMeta('clockOffset', this.replica.clockOffset);
		await db.writeMeta('clock', clock.last);
	}

	/** What can be mended by itself is mended, and the round repeated; everything else is thrown on. */
	async #recover(thrown: unknown, batch: OutboxRow[]): Promise<void> {
		if (!(thrown instanceof ApiError)) throw thrown;
		if (thrown.status === 400 && thrown.code === 'invalid_change') {
			const details = (thrown.details ?? {}) as { index?: number; reason?: string };
			const bad = batch[details.index ?? -1];
			if (!bad) throw thrown;
			return this.#setAside(bad, details.reason ?? thrown.message);
		}
		if (thrown.status === 413) {
			if (batch.length > 1) {
				this.#batchChanges = Math.max(1, Math.floor(batch.length / 2));
				return;
			}
			const [only] = batch;
			if (!only) throw thrown;
			return this.#setAside(only, thrown.message);
		}
		// The log no longer reaches back to the cursor.
		if (thrown.status === 410) return this.#beginAnew(thrown);
		throw thrown;
	}

	/** A change that the server refuses must not hold up the others. */
	async #setAside(row: OutboxRow, reason: string): Promise<void> {
		const { db, bus } = this.replica;
		await db.transaction('rw', [db.outbox, db.setAside], async () => {
			await db.setAside.put({
				eventId: row.eventId,
				change: row.change,
				reason,
				at: new Date().toISOString(),
				since: row.since
			});
			await db.outbox.delete(row.seq);
		});
		bus.publish('setAside', {});
	}

	async #readStates(keys: RecordKey[]): Promise<Map<string, RecordState>> {
		const rows = await this.replica.db.records.bulkGet(uniqueKeys(keys).map(primaryKey));
		return new Map(
			rows.flatMap((row) => {
				const state = stateOf(row);
				return row && state ? [[keyName(row), state] as const] : [];
			})
		);
	}
}

function changeKey(change: Change): RecordKey {
	return { app: change.appId, table: change.table, id: change.id };
}

function recordKey(record: SnapshotRecord): RecordKey {
	return { app: record.appId, table: record.table, id: record.id };
}

/** A merged record as the writes that make it: one change for each author. */
function asChanges(record: SnapshotRecord): Change[] {
	const { appId, table, id } = record;
	const byAuthor = new Map<string, Change>();
	for (const [field, { at, actor }] of Object.entries(record.meta)) {
		const author = JSON.stringify(actor);
		const change = byAuthor.get(author) ?? {
			eventId: `${appId}/${table}/${id}`,
			appId,
			table,
			id,
			op: 'update',
			actor,
			fields: {}
		};
		change.fields = { ...change.fields, [field]: { value: record.data[field], updatedAt: at } };
		byAuthor.set(author, change);
	}
	return [...byAuthor.values()];
}

function groupByEvent(adjusted: Adjusted[]): Map<string, Adjusted[]> {
	const groups = new Map<string, Adjusted[]>();
	for (const one of adjusted) groups.set(one.eventId, [...(groups.get(one.eventId) ?? []), one]);
	return groups;
}
