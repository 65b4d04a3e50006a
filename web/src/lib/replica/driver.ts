import { ApiError } from '../api/errors';
import { ManaError } from '../core/errors';
import type { SyncCommit, SyncEffect, SyncEvent, SyncStep } from '../core';
import type { RecordRange, SyncRequest } from '../core/sync';
import type { RecordKey } from '../core/types';
import { addConflicts, conflictsOf, endConflicts } from './conflicts';
import type { ManaDb } from './database';
import { forgetRecords } from './lastActions';
import type { Replica } from './replica';
import { ResyncWatch } from './resync';
import { asRow, byKey, primaryKey, uniqueKeys, type RecordRow } from './rows';
import { storageError } from './storage';
import type { SyncServer } from './server';

/** The end of a request. `thrown` is the error of the caller of the server. */
interface Reply {
	event: SyncEvent;
	thrown?: unknown;
}

/**
 * Drives the core's sync step over IndexedDB and fetch. The step decides, the driver carries out its effects
 * (`crates/core/src/sync`). A crash at any point loses nothing, because a push leaves the outbox in the transaction
 * that merges its answer.
 */
export class SyncDriver {
	constructor(
		readonly replica: Replica,
		readonly server: SyncServer
	) {}

	readonly #resync = new ResyncWatch();

	/** Syncs until nothing waits, here or on the server. Throws the error of the request or of the storage. */
	async sync(): Promise<void> {
		const step = this.replica.core.syncStep();
		let reply: Promise<Reply> | undefined;
		let push: SyncRequest | undefined;
		let joined: RecordKey[] = [];
		let thrown: unknown;
		try {
			const effects = step.next({ started: {} });
			for (;;) {
				const effect = effects.shift();
				if (!effect) {
					const ended = await reply;
					if (!ended) throw new ManaError('unexpected', 'The sync waits for nothing.');
					thrown = ended.thrown;
					this.#resync.hear(ended.event, push);
					if ('failed' in ended.event && 'refused' in ended.event.failed.error)
						await this.#resync.takeBack(this.replica.db, joined);
					joined = [];
					effects.push(...step.next(ended.event));
				} else if ('push' in effect) {
					push = effect.push;
					reply = this.#request(this.server.post(effect.push), (answer, times) => ({ answered: { answer, ...times } }));
				} else if ('fetch' in effect) {
					const page = this.server.snapshot(effect.fetch);
					reply = this.#request(page, (page, times) => ({ paged: { page, ...times } }));
				} else if ('join' in effect) {
					joined = uniqueKeys(effect.join.records);
					await this.#resync.offer(this.replica.db, joined);
					reply = this.#request(this.server.join(effect.join), ({ logEnd }) => ({ joined: { logEnd } }));
				} else if ('read' in effect) {
					effects.push(...(await this.#transact(step, effect.read)));
				} else if ('done' in effect) {
					return;
				} else {
					if (thrown instanceof Error) throw thrown;
					throw new ManaError('unexpected', `The sync stopped: ${JSON.stringify(effect)}`);
				}
			}
		} finally {
			step.free();
		}
	}

	/** A request under way. The promise never rejects, because a request may be given up. */
	async #request<T>(
		request: Promise<T>,
		asEvent: (answer: T, times: { sentAt: string; now: string }) => SyncEvent
	): Promise<Reply> {
		const sentAt = new Date().toISOString();
		try {
			const answer = await request;
			return { event: asEvent(answer, { sentAt, now: new Date().toISOString() }) };
		} catch (thrown) {
			return { event: { failed: { error: transportError(thrown), now: new Date().toISOString() } }, thrown };
		}
	}

	/** Reads for the step in one transaction, and commits there what the step then returns. */
	async #transact(step: SyncStep, wanted: Extract<SyncEffect, { read: unknown }>['read']): Promise<SyncEffect[]> {
		const { replica } = this;
		const { db } = replica;
		let commit: SyncCommit | undefined;
		let effects: SyncEffect[] = [];
		let unsetAside = 0;
		let resynced = false;
		try {
			const tables = [db.records, db.outbox, db.setAside, db.meta, db.texts, db.conflicts];
			await db.transaction('rw', tables, async () => {
				const rows = await db.records.bulkGet(wanted.records.map(primaryKey));
				const texts = wanted.texts.map(primaryKey);
				effects = step.next({
					read: {
						meta: await db.readReplicaMeta(),
						outbox: await db.outbox.orderBy('seq').limit(wanted.outbox).toArray(),
						records: rows.filter((row) => row !== undefined),
						texts: texts.length ? await db.texts.where('[app+table+id]').anyOf(texts).toArray() : [],
						conflicts: await conflictsOf(db, wanted.records),
						range: wanted.range && (await readRange(db, wanted.range))
					}
				});
				const [first] = effects;
				if (!first || !('commit' in first)) return;
				commit = first.commit;
				resynced = await this.#resync.note(db, commit);
				if (commit.meta) await db.writeReplicaMeta(commit.meta);
				await db.records.bulkPut(commit.records);
				if (commit.dropped.length > 0) {
					const keys = commit.dropped.map(primaryKey);
					await db.records.bulkDelete(keys);
					await db.texts.where('[app+table+id]').anyOf(keys).delete();
					await db.conflicts.where('[app+table+id]').anyOf(keys).delete();
					await forgetRecords(db, commit.dropped);
				}
				if (commit.dequeue.length > 0) await db.outbox.bulkDelete(commit.dequeue);
				unsetAside = await db.setAside.where('eventId').anyOf(commit.unsetAside).delete();
				await db.setAside.bulkPut(commit.setAside.map((one) => ({ ...one, eventId: one.change.eventId })));
				await keepConflicts(db, commit);
			});
		} catch (thrown) {
			throw storageError(thrown);
		}
		if (!commit) return effects;
		this.#publish(commit, unsetAside);
		if (resynced) replica.bus.publish('resync', {});
		return step.next({ committed: {} });
	}

	/** Tells this tab and the others what was committed. */
	#publish(commit: SyncCommit, unsetAside: number): void {
		const { replica } = this;
		// A copy of this browser's data has the old id; see S16.
		if (commit.meta) replica.clientId = commit.meta.clientId;
		if (commit.meta?.clock) replica.clockOffset = commit.meta.clock.offset / 1000;
		for (const { eventId, reason } of commit.leftOut) console.warn(`change ${eventId ?? ''} left out: ${reason}`);
		const dropped = commit.dropped.map((key) => ({ ...key, data: {}, meta: {}, deleted: true }));
		replica.committed([...commit.records.map(asRow), ...dropped]);
		if (dropped.length > 0) replica.bus.publish('lastActions', {});
		if (unsetAside + commit.setAside.length > 0) replica.bus.publish('setAside', {});
		if (commit.queue.length > 0) replica.bus.publish('outbox', {});
	}
}

/** A part of the records by key. Only a device that gives back what a log lost reads so. */
async function readRange(db: ManaDb, { after, until, limit }: RecordRange): Promise<RecordRow[]> {
	const keys = (await db.records.toCollection().primaryKeys()).sort(byKey);
	const within = keys.filter(
		(key) => (!after || byKey(key, primaryKey(after)) > 0) && (!until || byKey(key, primaryKey(until)) <= 0)
	);
	const rows = await db.records.bulkGet(within.slice(0, limit));
	return rows.filter((row) => row !== undefined);
}

/** Stores what the core found of texts in conflict, and the changes that merge them. */
async function keepConflicts(db: ManaDb, { meta, texts, conflicts, ended, queue }: SyncCommit): Promise<void> {
	await db.texts.bulkPut(texts);
	await addConflicts(db, conflicts);
	await endConflicts(db, ended);
	const since = meta?.cursor ?? '';
	await db.outbox.bulkAdd(queue.map((change) => ({ eventId: change.eventId, change, since })));
}

function transportError(thrown: unknown) {
	if (!(thrown instanceof ApiError)) return { offline: String(thrown) };
	const { status, code, message, details } = thrown;
	return { refused: { status, code, message, details } };
}
