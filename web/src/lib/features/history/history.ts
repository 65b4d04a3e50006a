/** A record's past, from the server's log. */
import { dataOf } from '$lib/api/client';
import type { components } from '$lib/api/schema';
import type { RecordKey } from '$lib/core/types';
import { currentApi } from '$lib/features/session/session.svelte';

export type HistoryEntry = components['schemas']['HistoryEntry'];
export type HistoryPage = components['schemas']['HistoryAnswer'];

/** The address of a record's history. */
export function historyPath({ app, table, id }: RecordKey): string {
	return `/more/history?${new URLSearchParams({ app, table, id })}`;
}

/** The writes of a record, newest first; older ones with the `before` of the last page. */
export function history({ app, table, id }: RecordKey, before?: string): Promise<HistoryPage> {
	return dataOf(
		currentApi().GET('/sync/{appId}/history', { params: { path: { appId: app }, query: { table, id, before } } })
	);
}
