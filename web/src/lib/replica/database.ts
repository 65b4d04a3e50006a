import Dexie, { type EntityTable, type Table } from 'dexie';
import type { Conflict, ReplicaMeta, TextLineage } from '../core/sync';
import type { Change, Manifest, Proposal } from '../core/types';
import type { RecordRow } from './rows';

/** A change that waits to be sent. */
export interface OutboxRow {
	seq: number;
	eventId: string;
	change: Change;
	/** The cursor when the change was written (T4); missing in rows of an older version. */
	since?: string;
}

/** A change that the server refused, with its reason. */
export interface SetAsideRow {
	eventId: string;
	change: Change;
	reason: string;
	at: string;
	/** The cursor of the outbox row. */
	since?: string;
}

/** Single values, by key. */
export interface Meta {
	/** The last stamp given, RFC 3339 with microseconds. */
	clock: string;
	/** The server's clock minus this device's, in ms. */
	clockOffset: number;
	clientId: string;
	/** The cursor up to which the server's log is merged; '' until a snapshot is in. */
	cursor: string;
	/** The token of an unfinished snapshot's next page; '' for its first page. */
	snapshotAfter: string;
	lastSyncedAt: string;
	/** Stamps of texts that the server set back last, each with what it became (T4). */
	setBack: [string, string][];
	manifests: Manifest[];
}

/** The IndexedDB of one user: plain objects only, never a reactive proxy. */
export class ManaDb extends Dexie {
	records!: Table<RecordRow, [string, string, string]>;
	outbox!: EntityTable<OutboxRow, 'seq'>;
	setAside!: EntityTable<SetAsideRow, 'eventId'>;
	proposals!: EntityTable<Proposal, 'id'>;
	meta!: Table<{ key: string; value: unknown }, string>;
	/** The values that the texts of records replaced. */
	texts!: Table<TextLineage, [string, string, string, string]>;
	/** Values that lost to others whose authors had not seen them. */
	conflicts!: EntityTable<Conflict, 'conflictId'>;

	constructor(userId: string) {
		super(`mana-${userId}`, { cache: 'disabled' });
		this.version(1).stores({
			records: '[app+table+id], [app+table]',
			outbox: '++seq, eventId',
			setAside: 'eventId',
			proposals: 'id, status, missionId',
			meta: 'key'
		});
		this.version(2).stores({
			texts: '[app+table+id+field], [app+table+id]',
			conflicts: 'conflictId, [app+table+id], noticedAt'
		});
	}

	/** Reads a single value. */
	async readMeta<K extends keyof Meta>(key: K): Promise<Meta[K] | undefined> {
		return (await this.meta.get(key))?.value as Meta[K] | undefined;
	}

	/** The single values that the sync step reads. */
	async readReplicaMeta(clientId: string): Promise<ReplicaMeta> {
		const last = await this.readMeta('clock');
		const offset = Math.round(((await this.readMeta('clockOffset')) ?? 0) * 1000);
		return {
			clientId,
			cursor: (await this.readMeta('cursor')) ?? '',
			snapshotAfter: (await this.readMeta('snapshotAfter')) ?? '',
			clock: last ? { last, offset } : undefined,
			lastSyncedAt: await this.readMeta('lastSyncedAt'),
			setBack: await this.readMeta('setBack')
		};
	}

	/** The single values that the sync step wrote. */
	async writeReplicaMeta({ cursor, snapshotAfter, clock, lastSyncedAt, setBack }: ReplicaMeta): Promise<void> {
		await this.writeMeta('cursor', cursor);
		await this.writeMeta('snapshotAfter', snapshotAfter);
		if (clock) await this.writeMeta('clock', clock.last);
		if (clock) await this.writeMeta('clockOffset', clock.offset / 1000);
		if (lastSyncedAt) await this.writeMeta('lastSyncedAt', lastSyncedAt);
		if (setBack) await this.writeMeta('setBack', setBack);
	}

	/** Writes a single value. */
	async writeMeta<K extends keyof Meta>(key: K, value: Meta[K]): Promise<void> {
		await this.meta.put({ key, value });
	}
}
