import { CONFLICTS_KEPT, type Conflict } from '../core';
import type { ManaDb } from './database';

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
