import type { MissionInput, RecordState } from '$lib/core/types';
import type { Replica } from '$lib/replica/replica';
import { isDeleted, primaryKey } from '$lib/replica/rows';

/** A record that a mission reads, as this device holds it, unsynced changes included. */
export interface ResolvedInput extends RecordState {
	module: string;
	table: string;
	id: string;
}

/** More than this is not sent along: the outbox went first, so the server has them as well. */
const RECORDS = 2_000;

/**
 * Resolve a mission's inputs on this device; the runner filters and orders them by the manifest. Undefined where that
 * are too many.
 */
export async function resolveInputs(replica: Replica, missionId: string): Promise<ResolvedInput[] | undefined> {
	const { db } = replica;
	const mission = await db.records.get(primaryKey({ app: 'ai', table: 'aiMissions', id: missionId }));
	const inputs = (mission?.data.inputs ?? []) as MissionInput[];
	const found = new Map<string, ResolvedInput>();
	for (const { module, table, id } of inputs) {
		const rows = id
			? [await db.records.get(primaryKey({ app: module, table, id }))]
			: await db.records.where('[app+table]').equals([module, table]).toArray();
		for (const row of rows) {
			if (!row || isDeleted(row)) continue;
			found.set(`${module}/${table}/${row.id}`, { module, table, id: row.id, data: row.data, meta: row.meta });
		}
	}
	return found.size > RECORDS ? undefined : [...found.values()];
}
