/** The order and the days of a generic list, from its manifest. */
import type { Data, Row, Table } from '$lib/core/types';
import { dayOf } from '$lib/primitives/format';
import { plainText } from '$lib/primitives/text';
import { fieldUi } from './fieldUi';

/** When a record was last written. */
export function updatedAt(row: Row | undefined): string {
	let latest = '';
	for (const stamp of Object.values(row?.meta ?? {})) if (stamp.at > latest) latest = stamp.at;
	return latest;
}

function valueAt(field: string, data: Data, row: Row | undefined): unknown {
	// Something that is only proposed counts as written now.
	return field === '$updated' ? (row ? updatedAt(row) : '9999') : data[field];
}

/** Compares two records as the manifest sorts; what has no value comes last. */
export function comparator(table: Table | undefined): (a: Data, b: Data, aRow?: Row, bRow?: Row) => number {
	const sort = table?.list?.sort ?? [];
	return (a, b, aRow, bRow) => {
		for (const { field, dir } of sort) {
			const x = valueAt(field, a, aRow);
			const y = valueAt(field, b, bRow);
			const none = (v: unknown) => v === undefined || v === null || v === '';
			if (none(x) || none(y)) {
				if (none(x) && none(y)) continue;
				return none(x) ? 1 : -1;
			}
			const order = fieldUi(table?.fields[field]).compare(x, y);
			if (order) return dir === 'desc' ? -order : order;
		}
		return 0;
	};
}

/** The field whose days divide the list, where the manifest sorts by a time of its own. */
export function dayField(table: Table | undefined): string | null {
	const first = table?.list?.sort?.[0]?.field;
	return first && fieldUi(table?.fields[first]).hasDays ? first : null;
}

/** The local day of a record. */
export function dayIn(data: Data, field: string): string | null {
	const date = new Date(plainText(data[field]));
	return Number.isNaN(date.getTime()) ? null : dayOf(date);
}
