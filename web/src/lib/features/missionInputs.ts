import type { Data, MissionInput } from '../core/types';
import type { Replica } from '../db/replica';
import { isDeleted, primaryKey } from '../db/rows';

/** A record that a mission reads, as this device holds it, unsynced changes included. */
export interface ResolvedInput {
	module: string;
	table: string;
	id: string;
	data: Data;
}

/** The records of an input that names a whole table at most; the runner filters and orders them by the manifest. */
const TABLE_RECORDS = 500;

/** Resolve a mission's inputs on this device. */
export async function resolveInputs(replica: Replica, missionId: string): Promise<ResolvedInput[]> {
	const { db } = replica;
	const mission = await db.records.get(primaryKey({ app: 'ai', table: 'aiMissions', id: missionId }));
	const inputs = (mission?.data.inputs ?? []) as MissionInput[];
	const found = new Map<string, ResolvedInput>();
	for (const { module, table, id } of inputs) {
		const rows = id
			? [await db.records.get(primaryKey({ app: module, table, id }))]
			: await db.records.where('[app+table]').equals([module, table]).reverse().limit(TABLE_RECORDS).toArray();
		for (const row of rows) {
			if (!row || isDeleted(row)) continue;
			found.set(`${module}/${table}/${row.id}`, { module, table, id: row.id, data: row.data });
		}
	}
	return [...found.values()];
}
