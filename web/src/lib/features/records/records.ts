import { v7 as uuid } from 'uuid';
import type { Actor, Data, FieldError, RecordKey, Row } from '$lib/core/types';
import { currentReplica } from '$lib/replica/current';
import { execute, type Write } from '$lib/replica/executor';

/** The person at this browser. */
export const user: Actor = { kind: 'user' };

/**
 * Create a record; answers its id. A module with one record (`singleton`) names it itself. `draft`: the form's draft,
 * which ends with the write. Throws ValidationError.
 */
export async function createRecord(
	app: string,
	table: string,
	data: Data,
	id: string = uuid(),
	draft?: string
): Promise<string> {
	await writeRecords([{ app, table, id, op: 'insert', set: data }], draft);
	return id;
}

/**
 * Change fields of a record; null empties one. Answers the rows that were written, a record that goes on after it among
 * them. `seen`: what the form was opened on; `draft`: its draft, which ends with the write. Throws ValidationError.
 */
export async function updateRecord(
	app: string,
	table: string,
	id: string,
	set: Data,
	seen?: Record<string, string>,
	draft?: string
): Promise<Row[]> {
	return writeRecords([{ app, table, id, op: 'update', set, seen }], draft);
}

/** The stamp of a field that was never written. */
export const NEVER = '1970-01-01T00:00:00.000000Z';

/** The stamps of a record's fields, as the person sees them when they begin to write. */
export function stampsOf({ meta }: Row): Record<string, string> {
	return Object.fromEntries(Object.entries(meta).map(([field, { at }]) => [field, at]));
}

/** Delete a record; `restoreRecord` takes it back. */
export async function deleteRecord(app: string, table: string, id: string): Promise<void> {
	await writeRecords([{ app, table, id, op: 'delete' }]);
}

/** Take a deletion back. */
export async function restoreRecord(app: string, table: string, id: string): Promise<void> {
	await updateRecord(app, table, id, { deletedAt: null });
}

/** Take several deletions back at once. */
export async function restoreRecords(keys: readonly RecordKey[]): Promise<void> {
	const writes = keys.map(({ app, table, id }) => ({
		app,
		table,
		id,
		op: 'update' as const,
		set: { deletedAt: null }
	}));
	await writeRecords(writes);
}

/** Several writes at once, and the end of the draft that they come from: all or none. Answers the rows. */
export async function writeRecords(writes: Write[], draft?: string): Promise<Row[]> {
	const { rows } = await execute(currentReplica(), { kind: 'write', actor: user, writes }, draft);
	return rows;
}

/** The errors of a form, before it is sent. */
export function checkRecord(app: string, table: string, data: Data, partial = false): FieldError[] {
	return currentReplica().core.check(app, table, data, partial);
}
