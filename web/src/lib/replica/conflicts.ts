import { CONFLICTS_KEPT, type Conflict } from '../core';
import type { RecordKey } from '../core/types';
import type { ManaDb } from './database';
import { keyName } from './rows';

/** The conflicts about these records. A device keeps few, so all are read: a page of the log names many records. */
export async function conflictsOf(db: ManaDb, keys: RecordKey[]): Promise<Conflict[]> {
	const all = keys.length ? await db.conflicts.toArray() : [];
	if (all.length === 0) return all;
	const names = new Set(keys.map(keyName));
	return all.filter((one) => names.has(keyName(one)));
}

/** Adds conflicts where none of their id is kept, and drops the oldest above the bound, those that have ended first. */
export async function addConflicts(db: ManaDb, conflicts: Conflict[]): Promise<void> {
	if (conflicts.length === 0) return;
	const known = await db.conflicts.bulkGet(conflicts.map(({ conflictId }) => conflictId));
	await db.conflicts.bulkPut(conflicts.filter((_, index) => !known[index]));
	const surplus = (await db.conflicts.count()) - CONFLICTS_KEPT;
	if (surplus <= 0) return;
	const all = await db.conflicts.orderBy('noticedAt').toArray();
	const oldest = all.sort((a, b) => Number(b.ended) - Number(a.ended)).slice(0, surplus);
	await db.conflicts.bulkDelete(oldest.map(({ conflictId }) => conflictId));
}

/** Marks conflicts as over: they are told no more. */
export async function endConflicts(db: ManaDb, ids: string[]): Promise<void> {
	for (const id of ids) await db.conflicts.update(id, { ended: true });
}
