import { v7 as uuid } from 'uuid';
import { Core } from '../core';
import type { Manifest, RecordKey, Row } from '../core/types';
import { Bus } from './bus';
import { ManaDb } from './database';
import { asRow, keyName, primaryKey } from './rows';
import { storageError } from './storage';

type RowListener = (rows: Row[]) => void;

/** The replica of one user in this browser: the database, the core with the user's modules, and the other tabs. */
export class Replica {
	readonly bus: Bus;
	/** The server's clock minus this device's, in ms. */
	clockOffset = 0;
	readonly #rowListeners = new Set<RowListener>();
	/** Keys that changed while a read of another tab's changes was under way. */
	readonly #reads = new Set<Set<string>>();

	private constructor(
		readonly userId: string,
		readonly db: ManaDb,
		public clientId: string,
		public core: Core,
		public manifests: Manifest[]
	) {
		this.bus = new Bus(userId);
		this.bus.on('records', ({ keys }, rows) => {
			if (rows) this.#emit(rows);
			else void this.#readChanged(keys);
		});
	}

	/**
	 * Opens the database of a user. `fetchManifests` is called only where no manifests are kept from an earlier start, so
	 * that a start without network works.
	 */
	static async open(userId: string, fetchManifests: () => Promise<Manifest[]>): Promise<Replica> {
		const db = new ManaDb(userId);
		try {
			const manifests = (await db.readMeta('manifests')) ?? (await fetchManifests());
			const core = await Core.load(manifests);
			const clientId = await db.transaction('rw', db.meta, async () => {
				await db.writeMeta('manifests', manifests);
				const known = await db.readMeta('clientId');
				if (known) return known;
				const fresh = uuid();
				await db.writeMeta('clientId', fresh);
				return fresh;
			});
			const replica = new Replica(userId, db, clientId, core, manifests);
			replica.clockOffset = (await db.readMeta('clockOffset')) ?? 0;
			return replica;
		} catch (thrown) {
			db.close();
			throw storageError(thrown);
		}
	}

	/** The server's time as far as this device knows it. */
	now(): string {
		return new Date(Date.now() + this.clockOffset).toISOString();
	}

	/** Calls the listener with rows as they change, in any tab or by a sync. Returns how to stop. */
	onRows(listener: RowListener): () => void {
		this.#rowListeners.add(listener);
		return () => this.#rowListeners.delete(listener);
	}

	/** Tells this tab and the others what was committed. */
	committed(rows: Row[]): void {
		if (rows.length === 0) return;
		const keys = rows.map(({ app, table, id }) => ({ app, table, id }));
		this.bus.publish('records', { keys }, rows);
	}

	/** Reads a record of this device. */
	async read(key: RecordKey): Promise<Row | undefined> {
		const row = await this.db.records.get(primaryKey(key));
		return row && asRow(row);
	}

	/** Replaces the manifests; the records stay. */
	async replaceManifests(manifests: Manifest[]): Promise<void> {
		const core = await Core.load(manifests);
		await this.db.writeMeta('manifests', manifests);
		this.core = core;
		this.manifests = manifests;
	}

	close(): void {
		this.#rowListeners.clear();
		this.bus.close();
		this.db.close();
	}

	#emit(rows: Row[]): void {
		for (const changed of this.#reads) for (const row of rows) changed.add(keyName(row));
		for (const listener of this.#rowListeners) listener(rows);
	}

	/** Reads the records that another tab wrote. A write of this tab that lands meanwhile is newer and wins. */
	async #readChanged(keys: RecordKey[]): Promise<void> {
		const changed = new Set<string>();
		this.#reads.add(changed);
		try {
			const read = await this.db.records.bulkGet(keys.map(primaryKey));
			// A missing record was dropped, which counts as deleted.
			const rows = read.map((row, at) => (row ? asRow(row) : { ...keys[at]!, data: {}, meta: {}, deleted: true }));
			this.#reads.delete(changed);
			this.#emit(rows.filter((row) => !changed.has(keyName(row))));
		} catch {
			// The database closed meanwhile, so there is no listener left.
		} finally {
			this.#reads.delete(changed);
		}
	}
}
