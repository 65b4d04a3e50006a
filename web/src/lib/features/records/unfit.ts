/** The values of a record that do not fit their fields: the core says which, and what can be kept of each. */
import type { Core } from '$lib/core';
import type { Data, Row, UnfitField } from '$lib/core/types';
import { currentReplica } from '$lib/replica/current';

/** A row never changes: a write makes another one. New manifests make another core. */
const known = new WeakMap<Row, { core: Core; fields: UnfitField[] }>();

/** The fields of a record whose values do not fit, in the manifest's order. */
export function unfitOf(row: Row): readonly UnfitField[] {
	const { core } = currentReplica();
	const found = known.get(row);
	if (found?.core === core) return found.fields;
	const fields = core.unfit(row.app, row.table, row.data);
	known.set(row, { core, fields });
	return fields;
}

/** A record's data as pages show it: a value that can be kept whole is one of its kind. Nothing is written. */
export function fittedData(row: Row): Data {
	const kept = unfitOf(row).filter((one) => one.kept !== undefined);
	return kept.length ? { ...row.data, ...Object.fromEntries(kept.map(({ field, kept }) => [field, kept])) } : row.data;
}
