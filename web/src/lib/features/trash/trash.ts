/** The trash: what was removed within the last 90 days, of every module. Held by the device, so it is there offline. */
import { dataOf } from '$lib/api/client';
import type { RecordKey, Row } from '$lib/core/types';
import { madeAt } from '$lib/features/modulePages/attribution';
import { modules } from '$lib/features/records/modules.svelte';
import { currentApi } from '$lib/features/session/session.svelte';
import { daysSince } from '$lib/primitives/format';
import { flush, syncNow } from '$lib/replica/actions';
import { collection } from '$lib/replica/collection.svelte';

/** For how many days the server keeps what was removed: `REMOVED_KEPT` of crates/sync. */
export const DAYS_KEPT = 90;

/** The most records that one request may take away for good. */
const AT_ONCE = 1000;

/** When a record was removed. */
export function removedAt({ meta }: Row): string {
	return meta.deletedAt ? madeAt(meta.deletedAt) : '';
}

/** The removed records, the last removed first. */
export function removedRecords(): Row[] {
	const rows = modules.flatMap(({ id, tables }) =>
		Object.keys(tables).flatMap((table) => collection(id, table).removed)
	);
	return rows.sort((a, b) => (removedAt(a) < removedAt(b) ? 1 : -1));
}

/** For how many more days a record can be brought back; 0 where the server may take it away any day. */
export function daysLeft(row: Row): number {
	return Math.max(0, DAYS_KEPT - daysSince(removedAt(row)));
}

/**
 * Take removed records away for good, on every device. Answers how many stay, because they were brought back elsewhere.
 * Throws where the server is not reached: nothing is gone then, or only the first ones.
 */
export async function deleteForGood(keys: readonly RecordKey[]): Promise<number> {
	// The server has to know that they are removed.
	await flush();
	let kept = 0;
	for (let from = 0; from < keys.length; from += AT_ONCE) {
		const records = keys.slice(from, from + AT_ONCE).map(({ app, table, id }) => ({ app, table, id }));
		const answer = await dataOf(currentApi().POST('/sync/forget', { body: { records } }));
		kept += answer.kept.length;
	}
	syncNow();
	return kept;
}
