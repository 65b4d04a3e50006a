import Dexie, { type EntityTable, type Table } from 'dexie';
import type { Conflict, ReplicaMeta, TextLineage } from '../core/sync';
import type { Change, Data, Manifest, Proposal, RecordKey, ReversibleWrite } from '../core/types';
import type { RecordRow } from './rows';

/** A command of the person, as it can be taken back. */
export interface LastAction {
	id: string;
	/** ISO 8601. */
	at: string;
	/** Its writes, with the values that they replaced. */
	writes: ReversibleWrite[];
	/** The proposals that it rejected. */
	rejected: string[];
	/** Whether it stands on the screen already: a form was saved, or a line added. */
	quiet: boolean;
}

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

/** What a device did that could not go on from its place in the log, until its person has seen it (SYNC R11). */
export interface Resync {
	/** The log was shortened past this device's place; or it is not the log that this device knew. */
	reason: 'compacted' | 'restored';
	at: string;
	/** The changes that waited to be sent, and the outbox place of the last of them. */
	waiting: number;
	until: number;
	/** Records that this device gave back to the log, which lacked them. */
	offered: RecordKey[];
	/** Records of which this device alone holds all, because the log takes nothing back. */
	kept: RecordKey[];
	/** Records that this device dropped, because nothing newer than the backup was to come back. */
	dropped: RecordKey[];
	/** The records of those of the waiting changes that lost to what others wrote meanwhile. */
	lost: RecordKey[];
}

/** A form's fields that a person wrote in and did not save. */
export interface DraftRow {
	/** The id of the form that wrote it last. */
	id: string;
	/** The kind of form and the record that it is for, such as `record/todo/tasks/ID` or `new/notes/notes`. */
	place: string;
	/** The written values by field. */
	written: Data;
	/** The values that the form was opened on, of the written fields. */
	opened: Data;
	/** The stamps of `opened`. */
	seen: Record<string, string>;
	/** The time of the last write, ISO 8601. */
	at: string;
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
	/** The identity of the log that the cursor belongs to, and its furthest end that the server named (R7). */
	logEpoch: string;
	logEnd: string;
	/** How far the replica has come in giving back what the log lost (R8). */
	rejoin: ReplicaMeta['rejoin'] | null;
	/** The cursor with which the last giving back ended. */
	rejoined: string;
	/** The number of the last push that was answered (S16). */
	pushNumber: number;
	/** What the person has yet to be told of a log that was read anew (R11). */
	resync: Resync;
	manifests: Manifest[];
	/** The person's last actions, which can be taken back, the oldest first. */
	lastActions: LastAction[];
	/** When the app was last on the screen here, and when the visit before this one ended, ISO 8601. */
	visits: { seen: string; last?: string };
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
	drafts!: EntityTable<DraftRow, 'id'>;

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
		this.version(3).stores({ drafts: 'id' });
	}

	/** Reads a single value. */
	async readMeta<K extends keyof Meta>(key: K): Promise<Meta[K] | undefined> {
		return (await this.meta.get(key))?.value as Meta[K] | undefined;
	}

	/** The single values that the sync step reads. */
	async readReplicaMeta(): Promise<ReplicaMeta> {
		const last = await this.readMeta('clock');
		const offset = Math.round(((await this.readMeta('clockOffset')) ?? 0) * 1000);
		return {
			clientId: (await this.readMeta('clientId')) ?? '',
			cursor: (await this.readMeta('cursor')) ?? '',
			snapshotAfter: (await this.readMeta('snapshotAfter')) ?? '',
			clock: last ? { last, offset } : undefined,
			lastSyncedAt: await this.readMeta('lastSyncedAt'),
			setBack: await this.readMeta('setBack'),
			logEpoch: (await this.readMeta('logEpoch')) ?? '',
			logEnd: (await this.readMeta('logEnd')) ?? '',
			rejoin: (await this.readMeta('rejoin')) ?? undefined,
			rejoined: (await this.readMeta('rejoined')) ?? '',
			pushNumber: await this.readMeta('pushNumber')
		};
	}

	/** The single values that the sync step wrote. */
	async writeReplicaMeta(meta: ReplicaMeta): Promise<void> {
		const { clientId, cursor, snapshotAfter, clock, lastSyncedAt, setBack, pushNumber } = meta;
		const { logEpoch, logEnd, rejoin, rejoined } = meta;
		await this.writeMeta('clientId', clientId);
		await this.writeMeta('cursor', cursor);
		await this.writeMeta('logEpoch', logEpoch ?? '');
		await this.writeMeta('logEnd', logEnd ?? '');
		await this.writeMeta('rejoin', rejoin ?? null);
		await this.writeMeta('rejoined', rejoined ?? '');
		await this.writeMeta('snapshotAfter', snapshotAfter);
		if (clock) await this.writeMeta('clock', clock.last);
		if (clock) await this.writeMeta('clockOffset', clock.offset / 1000);
		if (lastSyncedAt) await this.writeMeta('lastSyncedAt', lastSyncedAt);
		if (setBack) await this.writeMeta('setBack', setBack);
		if (pushNumber !== undefined) await this.writeMeta('pushNumber', pushNumber);
	}

	/** Writes a single value. */
	async writeMeta<K extends keyof Meta>(key: K, value: Meta[K]): Promise<void> {
		await this.meta.put({ key, value });
	}
}
