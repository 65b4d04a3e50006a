/** A record's past by change, from the server's log. */
import { dataOf } from '$lib/api/client';
import type { components } from '$lib/api/schema';
import type { RecordKey } from '$lib/core/types';
import { currentApi } from '$lib/features/session/session.svelte';
import type { PastChange } from './past';

type HistoryEntry = components['schemas']['HistoryEntry'];

/** A page of a record's past. */
export interface HistoryPage {
	changes: PastChange[];
	/** Where to go on; null after the last page. */
	before: string | null;
}

/** The address of a record's history. */
export function historyPath({ app, table, id }: RecordKey): string {
	return `/more/history?${new URLSearchParams({ app, table, id })}`;
}

/** The changes of a record, newest first; older ones with the `before` of the last page. */
export async function history({ app, table, id }: RecordKey, before?: string): Promise<HistoryPage> {
	const answer = await dataOf(
		currentApi().GET('/sync/{appId}/history', { params: { path: { appId: app }, query: { table, id, before } } })
	);
	return { changes: byChange({ app, table, id }, answer.entries), before: answer.before ?? null };
}

function byChange(key: RecordKey, entries: readonly HistoryEntry[]): PastChange[] {
	const changes = new Map<string, PastChange>();
	for (const { eventId, receivedAt, op, clientId, madeAt, actor, field, value, was, updatedAt, stands } of entries) {
		const name = `${eventId} ${receivedAt}`;
		const change = changes.get(name) ?? {
			...key,
			op,
			eventId,
			clientId,
			receivedAt,
			madeAt,
			actor,
			made: op === 'insert' && was === null,
			writes: []
		};
		change.writes.push({ field, value, was, updatedAt, stands });
		changes.set(name, change);
	}
	return [...changes.values()];
}
