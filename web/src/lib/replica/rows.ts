import type { RecordKey, RecordState, Row } from '../core/types';

/** A record as it lies in IndexedDB. */
export interface RecordRow extends RecordKey, RecordState {}

/** The key of a record in IndexedDB. */
export function primaryKey(key: RecordKey): [string, string, string] {
	return [key.app, key.table, key.id];
}

/** The name of a record in one string. */
export function keyName(key: RecordKey): string {
	return `${key.app}/${key.table}/${key.id}`;
}

/** The keys without duplicates. */
export function uniqueKeys(keys: RecordKey[]): RecordKey[] {
	return [...new Map(keys.map(({ app, table, id }) => [keyName({ app, table, id }), { app, table, id }])).values()];
}

/** A stored record as the pages see it. */
export function asRow(record: RecordRow): Row {
	return { ...record, deleted: isDeleted(record) };
}

/** The state of a stored record, as the core takes it. */
export function stateOf(record: RecordRow | undefined): RecordState | null {
	return record ? { data: record.data, meta: record.meta } : null;
}

/** `deletedAt` is an ordinary field: a value means deleted. */
export function isDeleted(state: RecordState): boolean {
	return state.data.deletedAt != null;
}
