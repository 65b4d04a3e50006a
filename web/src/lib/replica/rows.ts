import type { RecordKey, RecordState, Row } from '../core/types';

/** A record as it lies in IndexedDB. */
export interface RecordRow extends RecordKey, RecordState {}

/** The key of a record in IndexedDB. */
export function primaryKey(key: RecordKey): [string, string, string] {
	return [key.app, key.table, key.id];
}

/** Compares keys as the core does: by code points, where JavaScript and IndexedDB compare by UTF-16 units. */
export function byKey(a: [string, string, string], b: [string, string, string]): number {
	for (let at = 0; at < 3; at++) {
		const [left, right] = [a[at]!, b[at]!];
		if (left === right) continue;
		const [these, those] = [[...left], [...right]];
		const differs = these.findIndex((char, index) => char !== those[index]);
		if (differs < 0) return -1;
		return (these[differs]!.codePointAt(0) ?? 0) - (those[differs]?.codePointAt(0) ?? -1);
	}
	return 0;
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
