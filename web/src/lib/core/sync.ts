/** The events and effects of the core's sync step (`crates/core/src/sync`), in its JSON. */
import type { components } from '../api/schema';
import type { Actor, Change, RecordKey, RecordState } from './types';

type Schemas = components['schemas'];

/** The body of POST /sync. */
export type SyncRequest = Omit<Schemas['PushBody'], 'changes'> & { clientId: string; since: string; changes: Change[] };

/** The answer of POST /sync. */
export type SyncAnswer = Omit<Schemas['PushAnswer'], 'serverChanges'> & { serverChanges: Change[] };

/** A page of merged records, for a device that is new or behind what the log keeps. */
export type SnapshotPage = Schemas['SnapshotAnswer'];

/** The replica's knowledge of itself and the server. */
export interface ReplicaMeta {
	clientId: string;
	/** The cursor up to which the log is merged; '' until a snapshot is in. */
	cursor: string;
	/** The token of an unfinished snapshot's next page; '' for the first. */
	snapshotAfter: string;
	/** The last stamp given, and the microseconds by which the server's clock is ahead. */
	clock?: { last: string; offset: number };
	lastSyncedAt?: string;
	/** The stamps of texts that the server set back last, each with what it became. */
	setBack?: [string, string][];
	/** The number of the last push that was answered. */
	pushNumber?: number;
	/** The identity of the log that the cursor belongs to; missing until the server has named one. */
	logEpoch?: string;
	/** The furthest end of that log that the server named. */
	logEnd?: string;
	/** Set while a snapshot is read of a log that may lack what this replica holds (R8). */
	rejoin?: { after?: RecordKey; end?: string };
	/** The cursor with which the last giving back ended. */
	rejoined?: string;
}

/** The query of GET /sync/snapshot. */
export interface SnapshotRequest {
	/** The token of the page; '' for the first. */
	after: string;
	logEpoch: string;
	logEnd: string;
	/** The furthest end from before the replica began to read anew. */
	lostEnd?: string;
}

/** The body of POST /sync/join. */
export type JoinRequest = Schemas['JoinBody'];

/** A part of the records by key, in the order of the code points of app, table and id. */
export interface RecordRange {
	after: RecordKey | null;
	until: RecordKey | null;
	limit: number;
}

/** The values that a text replaced, kept beside its record. The core reads and writes the rest. */
export interface TextLineage extends RecordKey {
	field: string;
}

/** A value that somebody wrote. */
export interface WrittenValue {
	value: unknown;
	updatedAt: string;
	actor: Actor;
}

/** A value that lost to another one whose author had not seen it. */
export interface Conflict extends RecordKey {
	conflictId: string;
	/** A text lost; a mission's value lost to a person's edit; a person's edit lies in a record that a mission removed. */
	kind: 'text' | 'overruled' | 'removed';
	field: string;
	winner: WrittenValue;
	loser: WrittenValue;
	noticedAt: string;
	/** Whether there is nothing to tell any more. */
	ended: boolean;
}

/** A change that waits to be sent. */
interface QueuedChange {
	seq: number;
	change: Change;
	/** The cursor when the change was written (T4); missing in rows of an older version. */
	since?: string;
}

/** A record as it lies in the replica's storage. */
interface StoredRecord extends RecordKey, RecordState {}

type Failure =
	| { offline: string }
	| { refused: { status: number; code: string; message: string; details?: unknown } }
	| { unexpected: string };

/** An event of the sync. Times are RFC 3339, of the local clock. */
export type SyncEvent =
	| { started: Record<never, never> }
	| {
			read: {
				meta: ReplicaMeta;
				outbox: QueuedChange[];
				records: StoredRecord[];
				texts: TextLineage[];
				conflicts: Conflict[];
				range?: StoredRecord[];
			};
	  }
	| { committed: Record<never, never> }
	| { answered: { answer: SyncAnswer; sentAt: string; now: string } }
	| { paged: { page: SnapshotPage; sentAt: string; now: string } }
	| { joined: { logEnd?: string } }
	| { failed: { error: Failure; now: string } };

/** The writes of one transaction: all or nothing. */
export interface SyncCommit {
	meta?: ReplicaMeta;
	records: StoredRecord[];
	/** The outbox rows to delete, by `seq`. */
	dequeue: number[];
	setAside: { change: Change; reason: string; at: string; since: string }[];
	/** Event ids of changes that are set aside no longer. Most of them never were. */
	unsetAside: string[];
	/** The server's changes that can't be read here. */
	leftOut: { eventId?: string; reason: string }[];
	/** The lineages of texts to replace. */
	texts: TextLineage[];
	/** The conflicts to add where none of this id is kept. */
	conflicts: Conflict[];
	/** The conflicts to mark as ended, by id. */
	ended: string[];
	/** The changes to append to the outbox. */
	queue: Change[];
	/** The records to delete, because the log was put back to a state without them on purpose. */
	dropped: RecordKey[];
	/** The records of which this replica holds more than a log that takes nothing back. */
	kept?: RecordKey[];
}

/** Conflicts that a device keeps at most: `CONFLICTS_KEPT` of the core. */
export const CONFLICTS_KEPT = 200;

/** An effect for the driver to carry out. */
export type SyncEffect =
	| { push: SyncRequest }
	| { fetch: SnapshotRequest }
	/** Give back what the log lost. */
	| { join: JoinRequest }
	/** Read in a transaction: so many of the oldest outbox rows, these records, and of some what their texts replaced. */
	| { read: { outbox: number; records: RecordKey[]; texts: RecordKey[]; range?: RecordRange } }
	/** Write in the transaction that was read in. */
	| { commit: SyncCommit }
	| { done: Record<never, never> }
	| { stop: { error: Failure } };
