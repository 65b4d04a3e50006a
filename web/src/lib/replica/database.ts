import Dexie, { type EntityTable, type Table } from 'dexie';
import type { ReplicaMeta } from '../core/sync';
import type { Change, Manifest, Proposal } from '../core/types';
import type { RecordRow } from './rows';

/** A change that waits to be sent. */
export interface OutboxRow {
	seq: number;
	eventId: string;
	change: Change;
	/** Where the cursor stood when the change was written (T4); rows of an older version don't say. */
	since?: string;
}

/** A change that the server refused, with its reason. */
export interface SetAsideRow {
	eventId: string;
	change: Change;
	reason: string;
	at: string;
	/** As in the outbox. */
	since?: string;
}

/** Single values, by key. */
export interface Meta {
	/** The last stamp given, RFC 3339 with microseconds. */
	clock: string;
	/** The server's clock minus this device's, in ms. */
	clockOffset: number;
	clientId: string;
	/** Up to where the server's log is known; '' until a snapshot is in. */
	cursor: string;
	/** Where a snapshot that is not in yet goes on; '' is its first page. */
	snapshotAfter: string;
	lastSyncedAt: string;
	manifests: Manifest[];
}

/** One user's data at this browser. Only core's plain output is written here, never a reactive proxy. */
export class ManaDb extends Dexie {
	records!: Table<RecordRow, [string, string, string]>;
	outbox!: EntityTable<OutboxRow, 'seq'>;
	setAside!: EntityTable<SetAsideRow, 'eventId'>;
	proposals!: EntityTable<Proposal, 'id'>;
	meta!: Table<{ key: string; value: unknown }, string>;

	constructor(userId: string) {
		super(`mana-${userId}`, { cache: 'disabled' });
		this.version(1).stores({
			records: '[app+table+id], [app+table]',
			outbox: '++seq, eventId',
			setAside: 'eventId',
			proposals: 'id, status, missionId',
			meta: 'key'
		});
	}

	/** A single value. */
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
			lastSyncedAt: await this.readMeta('lastSyncedAt')
		};
	}

	/** The single values that the sync step wrote. */
	async writeReplicaMeta({ cursor, snapshotAfter, clock, lastSyncedAt }: ReplicaMeta): Promise<void> {
		await this.writeMeta('cursor', cursor);
		await this.writeMeta('snapshotAfter', snapshotAfter);
		if (clock) await this.writeMeta('clock', clock.last);
		if (clock) await this.writeMeta('clockOffset', clock.offset / 1000);
		if (lastSyncedAt) await this.writeMeta('lastSyncedAt', lastSyncedAt);
	}

	/** Write a single value. */
	async writeMeta<K extends keyof Meta>(key: K, value: Meta[K]): Promise<void> {
		await this.meta.put({ key, value });
	}
}
