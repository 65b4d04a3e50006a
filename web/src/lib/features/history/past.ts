/** A record's past and what changed since a moment, from the server's log, or from what this device holds. */
import { dataOf } from '$lib/api/client';
import type { components } from '$lib/api/schema';
import type { Actor, Data, RecordKey, ReversibleWrite, Row } from '$lib/core/types';
import { isAi, madeAt } from '$lib/features/modulePages/attribution';
import { currentApi } from '$lib/features/session/session.svelte';
import { keyName } from '$lib/replica/rows';

export type PastChange = components['schemas']['PastChange'];
export type PastWrite = components['schemas']['PastWrite'];
export type ChangesPage = components['schemas']['ChangesSinceAnswer'];

/** The changes since a moment, newest first; older ones with the `before` of the last page. */
export function changesSince(since: string, before?: string): Promise<ChangesPage> {
	return dataOf(currentApi().GET('/sync/changes', { params: { query: { since, before } } }));
}

/** The writes of a record that stand, as changes: all that a device knows without the server. */
export function standingChanges(row: Row, since = ''): PastChange[] {
	const changes = new Map<string, PastChange>();
	for (const [field, stamp] of Object.entries(row.meta)) {
		const at = madeAt(stamp);
		if (at < since) continue;
		const eventId = `${keyName(row)} ${at} ${JSON.stringify(stamp.actor)}`;
		const change = changes.get(eventId) ?? {
			app: row.app,
			table: row.table,
			id: row.id,
			op: field === 'deletedAt' && row.deleted ? ('delete' as const) : ('update' as const),
			eventId,
			clientId: '',
			receivedAt: at,
			madeAt: at,
			actor: stamp.actor,
			made: false,
			writes: []
		};
		change.writes.push({ field, value: row.data[field] ?? null, updatedAt: stamp.at, stands: true });
		changes.set(eventId, change);
	}
	return [...changes.values()].sort(newestFirst);
}

export function newestFirst(a: { madeAt: string }, b: { madeAt: string }): number {
	return a.madeAt < b.madeAt ? 1 : a.madeAt > b.madeAt ? -1 : 0;
}

/** The changes of one author to one record, as a single line. */
export interface PastLine extends RecordKey {
	key: string;
	madeAt: string;
	actor: Actor;
	/** Whether the record was made by it, and whether it was removed. */
	made: boolean;
	removed: boolean;
	fields: PastField[];
	/** How it is put back; undefined where what stood before is not told. */
	putBack?: ReversibleWrite;
}

/** A field before and after. */
export interface PastField {
	field: string;
	was: unknown;
	/** Whether `was` is told. */
	known: boolean;
	value: unknown;
}

/** Fields that say nothing to a person beside the others. */
const BESIDE = new Set(['createdAt', 'updatedAt', 'completedAt']);

/** The lines of an author on one record, from its changes, newest first. */
export function lineOf(changes: readonly PastChange[]): PastLine {
	const [newest] = changes;
	const { app, table, id, madeAt: at, actor, eventId } = newest!;
	const made = changes.some((change) => change.made);
	const fields = new Map<string, PastField & { at: string }>();
	for (const change of [...changes].reverse())
		for (const { field, value, was, updatedAt } of change.writes) {
			const earlier = fields.get(field);
			const known = earlier ? earlier.known : was !== undefined;
			fields.set(field, { field, was: earlier ? earlier.was : was, known, value, at: updatedAt });
		}
	const all = [...fields.values()];
	const told = all.filter(
		({ field, was, value }) => field !== 'deletedAt' && !BESIDE.has(field) && !isSame(was, value)
	);
	const removal = fields.get('deletedAt');
	return {
		key: `${keyName({ app, table, id })} ${eventId}`,
		app,
		table,
		id,
		madeAt: at,
		actor,
		made,
		removed: removal !== undefined && removal.value !== null,
		fields: told,
		...(all.every(({ known }) => known) && {
			putBack: {
				app,
				table,
				id,
				made,
				fields: Object.fromEntries(all.map(({ field, was, at }) => [field, { was, at }]))
			}
		})
	};
}

function isSame(a: unknown, b: unknown): boolean {
	return JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
}

/** Everything that one author did: a mission's run, this device, another device, a program. */
export interface PastGroup {
	key: string;
	kind: 'here' | 'elsewhere' | 'you' | 'ai' | 'program';
	actor: Actor;
	lines: PastLine[];
	changes: number;
}

/** Changes, newest first, by author and then by record. `own`: this device's client id; its own data name none. */
export function groupsOf(changes: readonly PastChange[], own: string): PastGroup[] {
	const groups = new Map<string, { group: PastGroup; records: Map<string, PastChange[]> }>();
	for (const change of changes) {
		const [kind, key] = authorOf(change, own);
		const found = groups.get(key) ?? {
			group: { key, kind, actor: change.actor, lines: [], changes: 0 },
			records: new Map<string, PastChange[]>()
		};
		groups.set(key, found);
		found.group.changes++;
		const record = keyName(change);
		// A removal stands by itself, so that it can be taken back alone.
		const name = change.writes.some(({ field }) => field === 'deletedAt') ? `${record} ${change.eventId}` : record;
		found.records.set(name, [...(found.records.get(name) ?? []), change]);
	}
	return [...groups.values()].map(({ group, records }) => ({
		...group,
		lines: [...records.values()].map(lineOf).sort(newestFirst)
	}));
}

function authorOf({ actor, clientId }: PastChange, own: string): [PastGroup['kind'], string] {
	if (isAi(actor)) return ['ai', `ai ${actor.missionId} ${actor.iterationId}`];
	if (actor.kind !== 'user') return ['program', `program ${JSON.stringify({ ...actor, decidedAt: undefined })}`];
	if (!clientId) return ['you', 'you'];
	return clientId === own ? ['here', 'here'] : ['elsewhere', `elsewhere ${clientId}`];
}

/**
 * The values that a record had right after a change, of the fields that were written since. `changes`: its past, newest
 * first; undefined where what stood then is not told.
 */
export function valuesAt(changes: readonly PastChange[], eventId: string): Data | undefined {
	const set: Data = {};
	for (const change of changes) {
		if (change.eventId === eventId) return set;
		for (const { field, was } of change.writes) {
			if (was === undefined) return undefined;
			set[field] = was;
		}
	}
	return undefined;
}
